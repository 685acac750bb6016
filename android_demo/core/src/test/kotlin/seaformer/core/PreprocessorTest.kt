package seaformer.core

import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

class PreprocessorTest {
    private val cases = Golden.cases("preprocessing")

    @Test
    fun `inputs match Python`() {
        for (case in cases) {
            val data = Preprocessor(input(case)).prepare(Golden.image(case.getJSONObject("image")))
            val name = case.getString("name")
            val expected = case.getString("expected")
            when (data) {
                is TensorData.Floats -> assertArrayEquals(name, Golden.floats(expected), data.values, 1e-6f)
                is TensorData.Int8 -> assertArrayEquals(name, Golden.bytes(expected), data.values)
                is TensorData.Uint8 -> assertArrayEquals(name, Golden.bytes(expected), data.values)
                else -> throw AssertionError("$name: an input of ${data.javaClass}")
            }
        }
    }

    @Test
    fun `integers of 0 to 255 are exactly equal`() {
        val inside = cases.filterNot { input(it).normalizes }
        assertTrue(inside.isNotEmpty())
        for (case in inside) {
            val data = Preprocessor(input(case)).prepare(Golden.image(case.getJSONObject("image")))
            if (data is TensorData.Floats) {
                assertArrayEquals(case.getString("name"), Golden.floats(case.getString("expected")), data.values, 0f)
            }
        }
    }

    @Test
    fun `the part that the model sees is the same`() {
        for (case in cases) {
            val seen = Preprocessor(input(case)).seenPart(Golden.image(case.getJSONObject("image")))
            val expected = Golden.image(case.getJSONObject("seen"))
            assertEquals(case.getString("name"), expected.width, seen.width)
            assertEquals(case.getString("name"), expected.height, seen.height)
            assertArrayEquals(case.getString("name"), expected.pixels, seen.pixels)
        }
    }

    @Test
    fun `the input array is reused for the next image`() {
        val case = cases.first()
        val preprocessor = Preprocessor(input(case))
        val image = Golden.image(case.getJSONObject("image"))
        val first = preprocessor.prepare(image)
        preprocessor.prepare(RgbImage(1, 1, intArrayOf(0)))
        assertSame(first, preprocessor.prepare(image))
        val expected = Golden.floats(case.getString("expected"))
        assertArrayEquals(expected, (first as TensorData.Floats).values, 1e-6f)
    }

    private fun input(case: JSONObject) = ModelMetadata.parse(case.getJSONObject("metadata").toString()).input
}
