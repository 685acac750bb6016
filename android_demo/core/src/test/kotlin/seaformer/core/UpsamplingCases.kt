package seaformer.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

/** Tests for every [Upsampling]. */
abstract class UpsamplingCases(
    private val newUpsampling: UpsamplingFactory,
) {
    @Test
    fun `masks match Python in every pixel`() {
        for (case in Golden.cases("upsampling")) {
            val width = case.getInt("mask_width")
            val height = case.getInt("mask_height")
            val upsampling =
                newUpsampling.create(
                    classes = case.getInt("classes"),
                    height = case.getInt("height"),
                    width = case.getInt("width"),
                    channelsFirst = case.getString("layout") == "CHW",
                    maskHeight = height,
                    maskWidth = width,
                )
            val logits = Golden.data(case.getString("logits"), case.getString("type"))
            val expected = ids(Golden.mask(case.getString("expected"), width, height))
            assertEquals(case.getString("name"), expected, ids(upsampling.run(logits)))
            assertEquals("again: ${case.getString("name")}", expected, ids(upsampling.run(logits)))
        }
    }

    @Test
    fun `a logit that is not finite is an error`() {
        for (bad in listOf(Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 1.8e38f)) {
            val logits = FloatArray(2 * 3 * 3).also { it[7] = bad }
            val upsampling = newUpsampling.create(2, 3, 3, true, 24, 24)
            assertThrows(NotFiniteException::class.java) { upsampling.run(TensorData.Floats(logits)) }
        }
    }

    @Test
    fun `logits of another size are refused`() {
        val upsampling = newUpsampling.create(2, 3, 3, true, 24, 24)
        assertThrows(IllegalArgumentException::class.java) { upsampling.run(TensorData.Floats(FloatArray(17))) }
    }
}
