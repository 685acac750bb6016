package seaformer.core

import kotlin.math.min

/** There is not enough memory for an image, even at the smallest size. */
class TooLargeException(
    cause: OutOfMemoryError,
) : Exception("there is not enough memory for it", cause)

/** The maximum number of pixels of an image such that several copies fit into a heap of [heapBytes]. */
fun mostPixels(heapBytes: Long): Long = min(MAX_PIXELS, heapBytes / (COPIES * Int.SIZE_BYTES))

/** The smallest power of two by which to divide both sides to get at most [mostPixels]. */
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
 * Runs [work] with a divisor for the sides of an image: first [reduction], then twice the previous
 * divisor each time memory runs out.
 *
 * @throws TooLargeException memory ran out even at [MAX_REDUCTIONS] times the reduction.
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
            if (factor == MAX_REDUCTIONS) throw TooLargeException(error)
            factor *= 2
        }
    }
}

private const val MAX_REDUCTIONS = 8
private const val MAX_PIXELS = 4_000_000L

/** Six copies: decoded, rotated, cropped, mask, blended, bitmap. Doubled, to leave half to the app. */
private const val COPIES = 12
