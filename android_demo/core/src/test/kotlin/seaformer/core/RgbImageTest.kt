package seaformer.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.nio.ByteBuffer
import kotlin.math.abs

class RgbImageTest {
    @Test
    fun `all eight EXIF orientations are made upright`() {
        val cases = Golden.cases("orientation")
        assertEquals(8, cases.size)
        for (case in cases) {
            val orientation = Orientation.ofExif(case.getInt("exif"))
            val seen = Golden.image(case.getJSONObject("image")).oriented(orientation)
            val expected = Golden.image(case.getJSONObject("expected"))
            assertEquals("$orientation", expected.width, seen.width)
            assertArrayEquals("$orientation", expected.pixels, seen.pixels)
        }
    }

    @Test
    fun `a rotation by 90 degrees moves the left column to the top`() {
        val rotated = RgbImage(2, 3, intArrayOf(1, 2, 3, 4, 5, 6)).oriented(Orientation.ofRotation(90))
        assertEquals(3, rotated.width)
        assertArrayEquals(intArrayOf(5, 3, 1, 6, 4, 2), rotated.pixels)
    }

    @Test
    fun `four rotations restore an image`() {
        val image = RgbImage(2, 3, intArrayOf(1, 2, 3, 4, 5, 6))
        for (degrees in listOf(90, -90)) {
            var rotated = image
            repeat(4) { rotated = rotated.oriented(Orientation.ofRotation(degrees)) }
            assertArrayEquals(image.pixels, rotated.pixels)
        }
        assertThrows(IllegalArgumentException::class.java) { Orientation.ofRotation(45) }
    }

    @Test
    fun `camera frames are converted to the colors of JPEG`() {
        val case = Golden.case("yuv")
        val expected = Golden.image(case.getJSONObject("expected"))
        val (width, height) = Pair(expected.width, expected.height)
        val planar =
            YuvFrame(
                width,
                height,
                YuvPlane(Golden.buffer(case.getString("luma")), width, 1),
                YuvPlane(Golden.buffer(case.getString("blue_difference")), width / 2, 1),
                YuvPlane(Golden.buffer(case.getString("red_difference")), width / 2, 1),
            )
        assertClose(expected, planar.toImage())
    }

    @Test
    fun `padded rows and interleaved chroma give the same image`() {
        val case = Golden.case("yuv")
        val expected = Golden.image(case.getJSONObject("expected"))
        val (width, height) = Pair(expected.width, expected.height)
        val stride = width + 10
        val blue = spread(Golden.bytes(case.getString("blue_difference")), width / 2, stride, 2)
        val red = spread(Golden.bytes(case.getString("red_difference")), width / 2, stride, 2)
        val frame =
            YuvFrame(
                width,
                height,
                YuvPlane(spread(Golden.bytes(case.getString("luma")), width, stride, 1), stride, 1),
                YuvPlane(blue, stride, 2),
                YuvPlane(red, stride, 2),
            )
        assertClose(expected, frame.toImage())
    }

    private fun spread(
        samples: ByteArray,
        width: Int,
        rowStride: Int,
        pixelStride: Int,
    ): ByteBuffer {
        val spread = ByteArray(samples.size / width * rowStride)
        for (i in samples.indices) spread[i / width * rowStride + i % width * pixelStride] = samples[i]
        return ByteBuffer.wrap(spread)
    }

    private fun assertClose(
        expected: RgbImage,
        actual: RgbImage,
    ) {
        for (i in expected.pixels.indices) {
            for (channel in listOf(::red, ::green, ::blue)) {
                val difference = abs(channel(expected.pixels[i]) - channel(actual.pixels[i]))
                assertTrue("pixel $i differs by $difference", difference <= 1)
            }
        }
    }
}
