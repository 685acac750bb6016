package seaformer.core

import org.junit.Assert.assertEquals
import org.junit.Test

class TextColorTest {
    private val dark = textColorOn(rgb(255, 255, 255))
    private val light = textColorOn(rgb(0, 0, 0))

    @Test
    fun `text is dark on light colors and light on dark ones`() {
        assertEquals(rgb(255, 255, 255), light)
        assertEquals(rgb(16, 18, 22), dark)
    }

    /** Published examples: #767676 is the lightest gray with a contrast of at least 4.5 against white. */
    @Test
    fun `the color with the higher contrast is chosen`() {
        val expected =
            mapOf(
                rgb(0x76, 0x76, 0x76) to light,
                rgb(0x8A, 0x8A, 0x8A) to dark,
                rgb(0, 0, 255) to light,
                rgb(255, 0, 0) to dark,
                rgb(0, 128, 0) to light,
                rgb(0, 255, 0) to dark,
                rgb(255, 255, 0) to dark,
            )
        for ((background, text) in expected) assertEquals("%x".format(background), text, textColorOn(background))
    }
}
