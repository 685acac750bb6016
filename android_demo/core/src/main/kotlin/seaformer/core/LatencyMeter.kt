package seaformer.core

import kotlin.math.floor

/**
 * The latencies of one stage, with warm-up runs separate from measured ones.
 *
 * @param warmupRuns number of warm-up runs at the start.
 * @param window number of most recent measured runs that the quantiles include; null for all.
 */
class LatencyMeter(
    private val warmupRuns: Int,
    private val window: Int? = null,
) {
    private val warmup = mutableListOf<Long>()
    private val measured = ArrayDeque<Long>()

    /** Durations of the measured runs in nanoseconds, oldest first. */
    val durationsNs: List<Long> get() = measured

    /** Durations of the warm-up runs in nanoseconds. */
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

    /** Median in milliseconds; null before the first measured run. */
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
