package bench

import seaformer.core.ArgmaxUpsampling
import seaformer.core.TensorData
import seaformer.core.Upsampling
import seaformer.library.NativeUpsampling
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

private const val WARMUP_NS = 1_500_000_000L
private const val TIMED_NS = 700_000_000L
private const val LEAST_RUNS = 5

/**
 * One round: times the mask computation in Kotlin and in C, interleaved, after a warm-up.
 *
 * Usage: MaskOnJava SIDE MASK_SIDE (FILE CLASSES LAYOUT)..., where FILE has float32 logits of
 * SIDE x SIDE, and LAYOUT is CHW or HWC. Prints for each file alternating nanoseconds of Kotlin and C.
 */
fun main(arguments: Array<String>) {
    val (side, maskSide) = arguments.take(2).map(String::toInt)
    for ((file, classes, layout) in arguments.drop(2).chunked(3)) {
        val channelsFirst = layout == "CHW"
        val logits = TensorData.Floats(floats(File(file)))
        val all =
            listOf<Upsampling>(
                ArgmaxUpsampling(classes.toInt(), side, side, channelsFirst, maskSide, maskSide),
                NativeUpsampling(classes.toInt(), side, side, channelsFirst, maskSide, maskSide),
            )
        val (inKotlin, inC) = all.map { it.run(logits) }
        check((0 until inC.size).all { inC[it] == inKotlin[it] }) { "the masks differ" }
        interleaved(all, logits, WARMUP_NS)
        println(interleaved(all, logits, TIMED_NS).joinToString(" "))
    }
}

private fun interleaved(
    all: List<Upsampling>,
    logits: TensorData,
    leastNs: Long,
): List<Long> {
    val times = mutableListOf<Long>()
    while (times.size < all.size * LEAST_RUNS || times.sum() < leastNs) {
        for (upsampling in all) {
            val start = System.nanoTime()
            upsampling.run(logits)
            times += System.nanoTime() - start
        }
    }
    return times
}

private fun floats(file: File): FloatArray {
    val buffer = ByteBuffer.wrap(file.readBytes()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
    return FloatArray(buffer.remaining()).also { buffer.get(it) }
}
