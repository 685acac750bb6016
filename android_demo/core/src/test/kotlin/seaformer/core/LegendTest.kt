package seaformer.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class LegendTest {
    private val image = RgbImage(2, 1, intArrayOf(0, 0))
    private val times = StageTimes(0, 0, 0)

    private fun metadata(task: String) =
        Golden
            .cases("preprocessing")
            .first { it.getString("name") == "$task, noise" }
            .let { ModelMetadata.parse(it.getJSONObject("metadata").toString()) }

    private fun detection(
        id: Int,
        label: String,
        score: Float,
    ) = Detection(id, label, score, Box(0f, 0f, 1f, 1f))

    @Test
    fun `the rows of a mask are its classes`() {
        val metadata = metadata("ade20k")
        val mask = ClassMask(2, 1, shortArrayOf(3, 3))
        val (row) = legendOf(Analysis(image, mask, null, null, times), metadata)
        assertEquals(LegendRow(3, 3, metadata.labels[3], metadata.palette!![3], 1.0), row)
    }

    @Test
    fun `the rows of a ranking are its first classes`() {
        val metadata = metadata("imagenet")
        val ranking = List(9) { RankedClass(20 - it, "label $it", 0.1) }
        val rows = legendOf(Analysis(image, null, ranking, null, times), metadata)
        assertEquals(listOf(20, 19, 18, 17, 16), rows.map { it.id })
        assertEquals("label 4", rows.last().label)
    }

    @Test
    fun `the rows of detections are objects with a high score`() {
        val metadata = metadata("shapes-detection")
        val detections = listOf(detection(2, "b", 0.9f), detection(0, "a", 0.5f), detection(2, "b", 0.3f))
        val analysis = Analysis(image, null, null, detections, times)
        val rows = legendOf(analysis, metadata)
        assertEquals(listOf(2, 0, 2), rows.map { it.id })
        assertEquals(metadata.palette!![2], rows[0].color)
        assertEquals(3, rows.map { it.key }.toSet().size)
        // The keys are the same whether or not other objects are shown.
        assertEquals(rows.take(2), legendOf(analysis, metadata, leastScore = 0.4f))
        assertTrue(legendOf(analysis, metadata, leastScore = 0.95f).isEmpty())
    }

    @Test
    fun `objects of one class are counted for screen readers`() {
        val metadata = metadata("shapes-detection")
        val detections = listOf(detection(2, "b", 0.9f), detection(0, "a", 0.5f), detection(2, "b", 0.3f))
        val rows = legendOf(Analysis(image, null, null, detections, times), metadata)
        assertEquals("b (2), a", spokenLabels(rows))
    }
}
