package seaformer.core

/** An accelerator that is not used, with the reason; [wasSkipped] if it was not tried. */
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
 * Runs a model on the first accelerator that works, and falls back to the next if it fails later.
 *
 * An accelerator is used only after it has passed [check]: some compile a model that they then cannot
 * run, or compute a wrong output. [rejections] reports every fallback and its reason. The CPU, the last
 * fallback, is used even if its output differs, which [verdict] reports.
 *
 * @param order accelerators to try, best first.
 * @param attempts log of the accelerators to skip because they crashed the app before.
 * @param open prepares the model on an accelerator, or throws.
 */
class FallbackSegmenter(
    private val order: List<Accelerator>,
    private val check: AcceleratorCheck,
    private val attempts: AttemptLog,
    private val open: (Accelerator) -> Segmenter,
) : Segmenter {
    private val rejected = mutableListOf<Rejection>()

    /** Verdict on the accelerator that is in use, or was used last. */
    lateinit var verdict: Verdict
        private set

    /** Number of further runs of the current accelerator to record as attempts. */
    private var unproven = 0

    /** Null once all accelerators have failed; a closed segmenter is not reopened. */
    private var current: Segmenter? = openFrom(0)
    private val usable: Segmenter get() = current ?: throw NoAcceleratorException(rejections)

    /** The accelerators rejected before the one in use, in order, with reasons. */
    val rejections: List<Rejection> get() = rejected

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

    /** Records the first runs too, because a driver may pass the check but crash on another image. */
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
                rejected += Rejection(accelerator, SKIPPED, wasSkipped = true)
                continue
            }
            try {
                return attempts.record(accelerator) { checked(open(accelerator)) }.also { unproven = FIRST_RUNS }
            } catch (error: Throwable) {
                // Errors are caught too: the runtime or its native library may be missing or may not
                // support this phone, and an accelerator that needs less memory may still work.
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
        rejected += Rejection(accelerator, reason.trim())
    }

    private companion object {
        /** Not more than the number of warm-up runs, because recording would add to the measured latencies. */
        const val FIRST_RUNS = 3
        const val SKIPPED = "skipped because the app crashed in an earlier attempt"
    }
}
