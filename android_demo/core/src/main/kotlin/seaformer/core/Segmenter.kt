package seaformer.core

/** What a model can run on, in the order that is tried. */
enum class Accelerator { NPU, GPU, CPU }

/** A model that is ready to run, on one runtime and one accelerator. For one thread at a time. */
interface Segmenter : AutoCloseable {
    /** Runtime and version, for people: "LiteRT 2.1.6". */
    val runtime: String

    val accelerator: Accelerator

    /**
     * Runs the model on one image.
     *
     * @param input as [Preprocessor.prepare] gives it.
     * @return the output in its own type and layout; valid until the next run.
     */
    fun run(input: TensorData): TensorData
}
