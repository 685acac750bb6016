package seaformer.library

import seaformer.core.ArgmaxUpsampling
import seaformer.core.ClassMask
import seaformer.core.NotFiniteException
import seaformer.core.TensorData
import seaformer.core.Upsampling
import seaformer.core.isComputable
import java.nio.ByteBuffer

/**
 * [ArgmaxUpsampling] implemented in C: the same mask, computed several times as fast.
 *
 * @throws IllegalStateException the library is not available, see [isAvailable].
 */
class NativeUpsampling(
    private val classes: Int,
    private val height: Int,
    private val width: Int,
    private val channelsFirst: Boolean,
    override val maskHeight: Int,
    override val maskWidth: Int,
) : Upsampling {
    private val layout = if (channelsFirst) CHW else HWC

    /** The workspace of the C code, for logits of [bufferType]. */
    private var buffer = ByteBuffer.allocateDirect(0)
    private var bufferType = NO_TYPE

    private val inKotlin by lazy {
        ArgmaxUpsampling(classes, height, width, channelsFirst, maskHeight, maskWidth)
    }

    init {
        check(isAvailable) { "the app has no native mask computation for this processor; use fastestUpsampling" }
    }

    override fun run(logits: TensorData): ClassMask =
        when (logits) {
            is TensorData.Floats -> run(logits, FLOAT32, logits.values)
            is TensorData.Int8 -> run(logits, INT8, logits.values)
            is TensorData.Uint8 -> run(logits, UINT8, logits.values)
            is TensorData.Int32, is TensorData.Int64 -> inKotlin.run(logits)
        }

    private fun run(
        logits: TensorData,
        type: Int,
        values: Any,
    ): ClassMask {
        require(logits.size == classes * height * width) {
            "${logits.size} values are not logits of $classes x $height x $width"
        }
        allocateFor(type)
        val ids = ShortArray(maskHeight * maskWidth)
        val status = upsample(classes, height, width, maskHeight, maskWidth, type, layout, values, ids, buffer)
        when (status) {
            OK -> return ClassMask(maskWidth, maskHeight, ids)
            NO_MEMORY -> throw OutOfMemoryError("no memory for a mask of $maskWidth x $maskHeight")
            NOT_FINITE -> throw NotFiniteException((0 until logits.size).map(logits::get).first { !isComputable(it) })
            else -> error("argmax.c returned $status")
        }
    }

    private fun allocateFor(type: Int) {
        if (bufferType == type) return
        val bytes = bufferBytes(classes, height, width, maskHeight, maskWidth, type, layout)
        require(bytes in 1..Int.MAX_VALUE) { "a mask of $maskWidth x $maskHeight is too large" }
        buffer = ByteBuffer.allocateDirect(bytes.toInt())
        bufferType = type
    }

    companion object {
        private const val NO_TYPE = -1

        // Same as in argmax.h.
        private const val FLOAT32 = 0
        private const val INT8 = 1
        private const val UINT8 = 2
        private const val CHW = 0
        private const val HWC = 1
        private const val OK = 0
        private const val NOT_FINITE = 3

        // Same as in argmax_jni.c.
        private const val NO_MEMORY = -1

        /** Whether the app has the library for this processor; it is built for arm64 and x86_64. */
        val isAvailable: Boolean by lazy {
            try {
                System.loadLibrary("seaformer_upsampling")
                true
            } catch (_: UnsatisfiedLinkError) {
                false
            }
        }

        @JvmStatic
        private external fun bufferBytes(
            classes: Int,
            height: Int,
            width: Int,
            maskHeight: Int,
            maskWidth: Int,
            type: Int,
            layout: Int,
        ): Long

        @JvmStatic
        private external fun upsample(
            classes: Int,
            height: Int,
            width: Int,
            maskHeight: Int,
            maskWidth: Int,
            type: Int,
            layout: Int,
            logits: Any,
            mask: ShortArray,
            buffer: ByteBuffer,
        ): Int
    }
}

/** [NativeUpsampling] where it is available, else [ArgmaxUpsampling]. */
fun fastestUpsampling(
    classes: Int,
    height: Int,
    width: Int,
    channelsFirst: Boolean,
    maskHeight: Int,
    maskWidth: Int,
): Upsampling =
    if (NativeUpsampling.isAvailable) {
        NativeUpsampling(classes, height, width, channelsFirst, maskHeight, maskWidth)
    } else {
        ArgmaxUpsampling(classes, height, width, channelsFirst, maskHeight, maskWidth)
    }
