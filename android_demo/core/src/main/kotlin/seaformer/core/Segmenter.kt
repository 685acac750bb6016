package seaformer.core

/** The accelerators, in the order in which they are tried. */
enum class Accelerator {
    NPU,
    GPU,
    CPU,
    ;

    companion object {
        /** The accelerators to try: all if none is chosen, else the chosen one and then the CPU. */
        fun order(chosen: Accelerator?): List<Accelerator> =
            if (chosen == null) entries.toList() else listOf(chosen, CPU).distinct()
    }
}

/** A loaded model on one runtime and one accelerator. Not thread-safe. */
interface Segmenter : AutoCloseable {
    /** Runtime and version for display: "LiteRT 2.1.6". */
    val runtime: String

    val accelerator: Accelerator

    /**
     * Whether every operator runs on [accelerator]. GPUs and NPUs are requested without a CPU fallback,
     * so the runtime refuses a model that they support only in part. Null for the CPU, as the runtimes do
     * not report which kernels they use.
     */
    val isFullyAccelerated: Boolean? get() = if (accelerator == Accelerator.CPU) null else true

    /**
     * Runs the model on one image.
     *
     * @param input as returned by [Preprocessor.prepare].
     * @return the output in the model's type and layout; valid until the next run.
     */
    fun run(input: TensorData): TensorData
}
