package seaformer.core

import kotlin.math.min

/** There is not enough memory for an image, at the smallest size either. */
class TooLargeException(
    cause: OutOfMemoryError,
) : Exception("there is not enough memory for it", cause)

/** How many pixels an image may have: several copies of it have to fit into a heap of [heapBytes]. */
fun mostPixels(heapBytes: Long): Long = min(MOST_PIXELS, heapBytes / (COPIES * Int.SIZE_BYTES))

/** The least power of two that both sides have to be divided by for [mostPixels] or fewer. */
fun reduction(
    width: Int,
    height: Int,
    mostPixels: Long,
): Int {
    var reduction = 1
    while (width.toLong() * height / reduction / reduction > mostPixels) reduction *= 2
    return reduction
}

/**
 * Does [work] with an image whose sides are divided by [reduction], and by twice as much each time
 * that memory runs out.
 *
 * @throws TooLargeException it also ran out at [MOST_REDUCTIONS] times the reduction.
 */
fun <T> withinMemory(
    reduction: Int,
    work: (reduction: Int) -> T,
): T {
    var factor = 1
    while (true) {
        try {
            return work(reduction * factor)
        } catch (error: OutOfMemoryError) {
            if (factor == MOST_REDUCTIONS) throw TooLargeException(error)
            factor *= 2
        }
    }
}

private const val MOST_REDUCTIONS = 8
private const val MOST_PIXELS = 4_000_000L

/** Decoded, turned, cropped, with its mask, blended, as a bitmap; half of the heap is for the rest. */
private const val COPIES = 12
