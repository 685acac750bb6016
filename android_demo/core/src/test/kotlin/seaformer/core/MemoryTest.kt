package seaformer.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class MemoryTest {
    @Test
    fun `large images are reduced by powers of two`() {
        assertEquals(1, reduction(2000, 2000, 4_000_000))
        assertEquals(2, reduction(2001, 2000, 4_000_000))
        assertEquals(8, reduction(12_000, 9_000, 4_000_000))
        assertEquals(32, reduction(60_000, 60_000, 4_000_000)) // more pixels than an Int can hold
    }

    @Test
    fun `a small heap needs smaller images`() {
        val sizes = listOf(32L, 64L, 128L, 512L).map { mostPixels(it shl 20) }
        assertEquals(sizes.sorted(), sizes)
        assertEquals(4_000_000L, sizes.last())
        for ((megabytes, pixels) in listOf(32, 64).zip(sizes)) assertTrue(12 * 4 * pixels <= megabytes shl 20)
    }

    @Test
    fun `work is retried with smaller images when memory runs out`() {
        val tried = mutableListOf<Int>()
        val found =
            withinMemory(2) {
                tried += it
                if (it < 8) throw OutOfMemoryError()
                "read at 1/$it"
            }
        assertEquals("read at 1/8", found)
        assertEquals(listOf(2, 4, 8), tried)
    }

    @Test
    fun `an image that never fits throws an exception with a message`() {
        val error = assertThrows(TooLargeException::class.java) { withinMemory(1) { throw OutOfMemoryError() } }
        assertEquals("there is not enough memory for it", error.message)
    }

    @Test
    fun `a reduced image has every nth pixel`() {
        val image = RgbImage(5, 3, IntArray(15) { it })
        val reduced = image.reduced(2)
        assertEquals(3, reduced.width)
        assertArrayEquals(intArrayOf(0, 2, 4, 10, 12, 14), reduced.pixels)
        assertEquals(image, image.reduced(1))
        assertArrayEquals(intArrayOf(0), image.reduced(8).pixels)
    }

    @Test
    fun `exceptions and OutOfMemoryError are passed on, other errors are not`() {
        val failures = mutableListOf<Throwable>()
        guarded(failures::add) { throw IllegalArgumentException("unknown camera") }
        guarded(failures::add) { throw SecurityException("no permission") }
        guarded(failures::add) { throw OutOfMemoryError() }
        guarded(failures::add) {}
        assertEquals(3, failures.size)
        assertThrows(AssertionError::class.java) { guarded(failures::add) { throw AssertionError() } }
    }
}
