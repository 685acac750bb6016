package seaformer.core

import kotlin.math.floor

/**
 * Times of one stage: warm-up runs are kept apart, and of the others the newest are looked at.
 *
 * @param warmupRuns how many runs at the begin are not counted.
 * @param window how many of the newest runs the figures are of; all if null.
 */
class LatencyMeter(
    private val warmupRuns: Int,
    private val window: Int? = null,
) {
    private val warmup = mutableListOf<Long>()
    private val measured = ArrayDeque<Long>()

    /** Nanoseconds of the runs that count, oldest first. */
    val durationsNs: List<Long> get() = measured

    /** Nanoseconds of the runs that do not. */
    val warmupNs: List<Long> get() = warmup

    fun add(durationNs: Long) {
        if (warmup.size < warmupRuns) {
            warmup += durationNs
            return
        }
        measured.addLast(durationNs)
        if (window != null && measured.size > window) measured.removeFirst()
    }

    fun clear() {
        warmup.clear()
        measured.clear()
    }

    /** Milliseconds; null before the first run that counts. */
    val medianMs: Double? get() = quantileMs(0.5)
    val p90Ms: Double? get() = quantileMs(0.9)

    /** Interpolates linearly between the two nearest runs, as numpy.quantile does. */
    fun quantileMs(quantile: Double): Double? {
        if (measured.isEmpty()) return null
        val sorted = measured.sorted()
        val position = quantile * (sorted.size - 1)
        val below = floor(position).toInt()
        val above = minOf(below + 1, sorted.size - 1)
        return (sorted[below] + (position - below) * (sorted[above] - sorted[below])) / 1e6
    }
}
