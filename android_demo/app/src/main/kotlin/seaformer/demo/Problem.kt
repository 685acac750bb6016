package seaformer.demo

import android.content.Context
import seaformer.core.MetadataException
import seaformer.core.NoAcceleratorException

/** What went wrong, as a text of the app with a technical detail in it. */
class Problem(
    private val text: Int,
    private val detail: String = "",
) {
    fun message(context: Context): String = context.getString(text, detail)

    companion object {
        /** Of an error while the model was made ready or run. */
        fun of(error: Exception): Problem =
            when (error) {
                is NoModelException -> Problem(R.string.model_missing)
                is MetadataException -> Problem(R.string.model_broken, error.reason())
                is NoAcceleratorException -> Problem(R.string.model_unusable, error.reason())
                else -> Problem(R.string.run_failed, error.reason())
            }
    }
}

/** The message of an error, or what kind it is of. */
fun Exception.reason(): String = message ?: javaClass.simpleName
