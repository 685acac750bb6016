package seaformer.demo

import android.content.Context
import seaformer.core.Accelerator
import seaformer.core.MetadataException
import seaformer.core.NoAcceleratorException
import seaformer.core.Rejection
import seaformer.core.TooLargeException
import seaformer.core.Verdict

/** An error message: a string resource with a technical detail. */
class Problem(
    private val text: Int,
    private val detail: String = "",
) {
    fun message(context: Context): String = context.getString(text, detail)

    companion object {
        /** The message for an error while the model was loaded or run. */
        fun of(error: Throwable): Problem =
            when (error) {
                is NoModelException -> Problem(R.string.model_missing)
                is MetadataException -> Problem(R.string.model_broken, error.reason())
                is NoAcceleratorException -> Problem(unusable(error), error.reason())
                is OutOfMemoryError, is TooLargeException -> Problem(R.string.out_of_memory)
                else -> Problem(R.string.run_failed, error.reason())
            }

        private fun unusable(error: NoAcceleratorException): Int =
            if (error.rejections.any { it.wasSkipped }) R.string.model_skipped else R.string.model_unusable
    }
}

/** The message of an error, or its class name. */
fun Throwable.reason(): String = message ?: javaClass.simpleName

/** A line with the reason for each rejected accelerator. */
fun notUsed(
    context: Context,
    rejections: List<Rejection>,
): List<String> =
    rejections.map {
        if (it.wasSkipped) {
            context.getString(R.string.skipped, it.accelerator)
        } else {
            context.getString(R.string.not_used, it.accelerator, it.reason)
        }
    }

/** The line that reports how an accelerator's output compares with the expected one. */
fun checked(
    context: Context,
    accelerator: Accelerator,
    verdict: Verdict,
): String =
    if (verdict.passed) {
        context.getString(R.string.checked, verdict.found)
    } else {
        context.getString(R.string.check_failed, accelerator, verdict.found, verdict.required)
    }
