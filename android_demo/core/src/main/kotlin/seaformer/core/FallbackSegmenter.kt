package seaformer.core

/** An accelerator that is not used, and why; [wasSkipped] if it was not even tried. */
data class Rejection(
    val accelerator: Accelerator,
    val reason: String,
    val wasSkipped: Boolean = false,
)

/** No accelerator can run the model. */
class NoAcceleratorException(
    val rejections: List<Rejection>,
) : Exception(rejections.joinToString("; ") { "${it.accelerator}: ${it.reason}" })

/**
 * Runs a model on the first accelerator that can, and falls back to the next one if it fails later.
 *
 * An accelerator counts as usable once it has passed [check]: some compile a model that they then
 * cannot run, or compute something else. What was given up, and why, is in [rejections]; nothing falls
 * back in silence. The CPU, on which everything falls back, is used even if its output differs, which
 * [verdict] says.
 *
 * @param order what to try, best first.
 * @param attempts what is skipped because it has ended the app before.
 * @param open makes the model ready on an accelerator, or throws.
 */
class FallbackSegmenter(
    private val order: List<Accelerator>,
    private val check: AcceleratorCheck,
    private val attempts: AttemptLog,
    private val open: (Accelerator) -> Segmenter,
) : Segmenter {
    private val given = mutableListOf<Rejection>()

    /** Of the accelerator in use, or the last one that was. */
    lateinit var verdict: Verdict
        private set

    /** Runs of the accelerator in use that are still remembered as attempts. */
    private var unproven = 0

    /** Null once all have failed: one that was closed is not asked again. */
    private var current: Segmenter? = openFrom(0)
    private val usable: Segmenter get() = current ?: throw NoAcceleratorException(rejections)

    /** The accelerators that were tried before the one in use, in order. */
    val rejections: List<Rejection> get() = given

    override val runtime: String get() = usable.runtime
    override val accelerator: Accelerator get() = usable.accelerator
    override val isFullyAccelerated: Boolean? get() = usable.isFullyAccelerated

    override fun run(input: TensorData): TensorData {
        while (true) {
            val segmenter = usable
            try {
                return runRecorded(segmenter, input)
            } catch (error: Exception) {
                reject(segmenter.accelerator, error)
                close()
                current = openFrom(order.indexOf(segmenter.accelerator) + 1)
            }
        }
    }

    /** A driver may also end the app with an image that is not the probe; its first runs show it. */
    private fun runRecorded(
        segmenter: Segmenter,
        input: TensorData,
    ): TensorData {
        if (unproven == 0) return segmenter.run(input)
        unproven--
        return attempts.record(segmenter.accelerator) { segmenter.run(input) }
    }

    override fun close() {
        current?.close()
        current = null
    }

    private fun openFrom(begin: Int): Segmenter {
        for (accelerator in order.drop(begin)) {
            if (attempts.skips(accelerator)) {
                given += Rejection(accelerator, SKIPPED, wasSkipped = true)
                continue
            }
            try {
                return attempts.record(accelerator) { checked(open(accelerator)) }.also { unproven = FIRST_RUNS }
            } catch (error: Throwable) {
                // Errors too: a runtime, or its native library, that is not in this app or not for
                // this phone, and a heap that is too small for one accelerator may do for the next.
                reject(accelerator, error)
            }
        }
        throw NoAcceleratorException(rejections)
    }

    private fun checked(segmenter: Segmenter): Segmenter {
        try {
            val output = segmenter.run(check.input())
            for (i in 0 until output.size) {
                if (!output[i].isFinite()) throw NotFiniteException(output[i])
            }
            val found = check.judge(output, segmenter.accelerator)
            if (!found.passed && segmenter.accelerator != Accelerator.CPU) throw DifferentOutputException(found)
            verdict = found
        } catch (error: Throwable) {
            segmenter.close()
            throw error
        }
        return segmenter
    }

    private fun reject(
        accelerator: Accelerator,
        error: Throwable,
    ) {
        val reason = error.message?.lineSequence()?.firstOrNull { it.isNotBlank() } ?: error.javaClass.simpleName
        given += Rejection(accelerator, reason.trim())
    }

    private companion object {
        /** No more than the warm-up, as to remember them takes time. */
        const val FIRST_RUNS = 3
        const val SKIPPED = "the app ended while it was tried before, so it is skipped"
    }
}
