package seaformer.core

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The values of a tensor in the model's own type and layout, dense. */
sealed class TensorData(
    val size: Int,
) {
    /** The stored value at an index, as a float; quantized values are not dequantized. */
    abstract operator fun get(index: Int): Float

    class Floats(
        val values: FloatArray,
    ) : TensorData(values.size) {
        override fun get(index: Int) = values[index]
    }

    class Int8(
        val values: ByteArray,
    ) : TensorData(values.size) {
        override fun get(index: Int) = values[index].toFloat()
    }

    class Uint8(
        val values: ByteArray,
    ) : TensorData(values.size) {
        override fun get(index: Int) = (values[index].toInt() and 0xFF).toFloat()
    }

    class Int32(
        val values: IntArray,
    ) : TensorData(values.size) {
        override fun get(index: Int) = values[index].toFloat()
    }

    class Int64(
        val values: LongArray,
    ) : TensorData(values.size) {
        override fun get(index: Int) = values[index].toFloat()
    }
}

/** The bytes of a tensor in little-endian order. */
fun littleEndian(data: TensorData): ByteArray =
    when (data) {
        is TensorData.Int8 -> data.values
        is TensorData.Uint8 -> data.values
        is TensorData.Floats -> littleEndian(4 * data.size) { buffer -> data.values.forEach(buffer::putFloat) }
        is TensorData.Int32 -> littleEndian(4 * data.size) { buffer -> data.values.forEach(buffer::putInt) }
        is TensorData.Int64 -> littleEndian(8 * data.size) { buffer -> data.values.forEach(buffer::putLong) }
    }

private fun littleEndian(
    size: Int,
    put: (ByteBuffer) -> Unit,
): ByteArray =
    ByteBuffer
        .allocate(size)
        .order(ByteOrder.LITTLE_ENDIAN)
        .also(put)
        .array()
