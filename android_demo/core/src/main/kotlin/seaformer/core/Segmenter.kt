package seaformer.core

/** What a model can run on, in the order that is tried. */
enum class Accelerator {
    NPU,
    GPU,
    CPU,
    ;

    companion object {
        /** What to try, best first: all for the best that can, else the chosen one and then the CPU. */
        fun order(chosen: Accelerator?): List<Accelerator> =
            if (chosen == null) entries.toList() else listOf(chosen, CPU).distinct()
    }
}

/** A model that is ready to run, on one runtime and one accelerator. For one thread at a time. */
interface Segmenter : AutoCloseable {
    /** Runtime and version, for people: "LiteRT 2.1.6". */
    val runtime: String

    val accelerator: Accelerator

    /**
     * Whether every operator runs on [accelerator]. Others than the CPU are asked for alone, and their
     * runtimes refuse a model that they would leave a part of to the CPU. Null of the CPU, where the
     * runtimes do not say which kernels they use.
     */
    val isFullyAccelerated: Boolean? get() = if (accelerator == Accelerator.CPU) null else true

    /**
     * Runs the model on one image.
     *
     * @param input as [Preprocessor.prepare] gives it.
     * @return the output in its own type and layout; valid until the next run.
     */
    fun run(input: TensorData): TensorData
}
