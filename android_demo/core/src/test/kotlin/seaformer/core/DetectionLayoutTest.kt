package seaformer.core

import org.junit.Assert.assertEquals
import org.junit.Test

class DetectionLayoutTest {
    /** Letters of 10 x 20 pixels. */
    private object Letters : TextSize {
        override val height = 20f

        override fun widthOf(text: String) = 10f * text.length
    }

    private val view = Box(0f, 0f, 400f, 300f)
    private val colors = ClassColors(listOf(rgb(0, 0, 0), rgb(255, 255, 255)))

    /** An image of 100 x 50 pixels, which fills the width of the view. */
    private val layout = DetectionLayout(view, Box(0f, 50f, 400f, 250f), padding = 4f, Letters)

    private fun detection(
        box: Box,
        id: Int = 0,
        score: Float = 0.876f,
    ) = Detection(id, "disc", score, box)

    private fun drawn(vararg detections: Detection) = layout.of(detections.asList(), 100, 50, colors)

    @Test
    fun `boxes are scaled to where the image is shown`() {
        val (one) = drawn(detection(Box(10f, 20f, 30f, 45f)))
        assertEquals(Box(40f, 130f, 120f, 230f), one.outline)
        assertEquals("disc 88 %", one.text)
        assertEquals(colors[0], one.color)
    }

    @Test
    fun `labels are above their boxes`() {
        val (one) = drawn(detection(Box(10f, 20f, 30f, 45f)))
        assertEquals(Box(40f, 110f, 138f, 130f), one.plate)
        assertEquals(44f, one.textLeft, 0f)
    }

    @Test
    fun `labels stay inside the view`() {
        val whole = DetectionLayout(view, view, padding = 4f, Letters)
        val (atTop) = whole.of(listOf(detection(Box(0f, 1f, 10f, 20f))), 400, 300, colors)
        assertEquals(Box(0f, 1f, 98f, 21f), atTop.plate)
        val (atRight) = whole.of(listOf(detection(Box(380f, 100f, 400f, 120f))), 400, 300, colors)
        assertEquals(Box(302f, 80f, 400f, 100f), atRight.plate)
        val small = DetectionLayout(Box(0f, 0f, 50f, 15f), Box(0f, 0f, 50f, 15f), padding = 4f, Letters)
        val (tooSmall) = small.of(listOf(detection(Box(10f, 10f, 20f, 14f))), 50, 15, colors)
        assertEquals(0f, tooSmall.plate.left, 0f)
    }

    @Test
    fun `high scores are drawn over low ones`() {
        val box = Box(10f, 20f, 30f, 45f)
        val all = drawn(detection(box, score = 0.9f), detection(box, id = 1, score = 0.4f))
        assertEquals(listOf("disc 40 %", "disc 90 %"), all.map { it.text })
    }
}
