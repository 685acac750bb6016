package seaformer.demo

import android.content.Context
import seaformer.core.Accelerator
import seaformer.core.SHOWN_SCORE
import kotlin.math.roundToInt

/** The user's settings, stored until the app is uninstalled. */
class Settings(
    context: Context,
) {
    private val preferences = context.getSharedPreferences("settings", Context.MODE_PRIVATE)
    private val cores = Runtime.getRuntime().availableProcessors()

    /** 1, 2, 4, ... up to the number of cores. */
    val possibleThreads: List<Int> = generateSequence(1) { it * 2 }.takeWhile { it <= cores }.toList()

    var choice: Choice
        get() {
            val name = preferences.getString(ACCELERATOR, null)
            val threads = preferences.getInt(THREADS, minOf(4, possibleThreads.last()))
            val accelerator = Accelerator.entries.firstOrNull { it.name == name }
            return Choice(preferences.getString(MODEL, null), accelerator, threads)
        }
        set(value) {
            preferences
                .edit()
                .putString(MODEL, value.model)
                .putString(ACCELERATOR, value.accelerator?.name)
                .putInt(THREADS, value.threads)
                .apply()
        }

    var opacityPercent: Int
        get() = preferences.getInt(OPACITY, 50)
        set(value) = preferences.edit().putInt(OPACITY, value).apply()

    var leastScorePercent: Int
        get() = preferences.getInt(LEAST_SCORE, (100 * SHOWN_SCORE).roundToInt())
        set(value) = preferences.edit().putInt(LEAST_SCORE, value).apply()

    private companion object {
        const val MODEL = "model"
        const val ACCELERATOR = "accelerator"
        const val THREADS = "threads"
        const val OPACITY = "opacity_percent"
        const val LEAST_SCORE = "least_score_percent"
    }
}
