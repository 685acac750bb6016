package seaformer.core

import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class DetectionDecoderTest {
    private val cases = Golden.cases("detections")

    private fun metadata(case: JSONObject) = ModelMetadata.parse(case.getJSONObject("metadata").toString())

    private fun decoded(case: JSONObject): List<Detection> {
        val output = Golden.data(case.getString("output"), case.getString("type"))
        return DetectionDecoder(metadata(case)).decode(output, case.getInt("width"), case.getInt("height"))
    }

    /** The cases of torchvision, and random ones that Python decoded. */
    @Test
    fun `detections are those of torchvision and Python`() {
        val counts = cases.associate { it.getString("name") to checked(it) }
        assertTrue(counts.keys.containsAll(listOf("plain", "scaled", "limited", "weights", "uneven", "nothing")))
        assertTrue(counts.size > 40)
        assertEquals(0, counts["nothing"])
        assertTrue(counts.values.count { it > 20 } > 10)
    }

    /** Returns the number of detections. */
    private fun checked(case: JSONObject): Int {
        val name = case.getString("name")
        val found = decoded(case)
        assertEquals(name, case.getJSONArray("classes").integers(), found.map { it.id })
        assertEquals(name, found.map { "class ${it.id}" }, found.map { it.label })
        val scores = case.getJSONArray("scores").floats().toFloatArray()
        assertArrayEquals(name, scores, FloatArray(found.size) { found[it].score }, 2e-6f)
        val tolerance = 2e-4f + 1e-5f * maxOf(case.getInt("width"), case.getInt("height"))
        val boxes = case.getJSONArray("boxes")
        for ((index, detection) in found.withIndex()) {
            val actual = detection.box.run { floatArrayOf(left, top, right, bottom) }
            assertArrayEquals(name, boxes.getJSONArray(index).floats().toFloatArray(), actual, tolerance)
        }
        return found.size
    }

    @Test
    fun `values that are not finite are an error`() {
        val case = cases.first()
        for (value in listOf(Float.NaN, Float.POSITIVE_INFINITY)) {
            val output = Golden.floats(case.getString("output")).also { it[it.lastIndex] = value }
            assertThrows(NotFiniteException::class.java) {
                DetectionDecoder(metadata(case)).decode(TensorData.Floats(output), 10, 10)
            }
        }
    }

    @Test
    fun `an output of another size is an error`() {
        val decoder = DetectionDecoder(metadata(cases.first()))
        assertThrows(IllegalArgumentException::class.java) { decoder.decode(TensorData.Int8(ByteArray(7)), 10, 10) }
    }

    @Test
    fun `models of other tasks have no boxes`() {
        val json = Golden.cases("preprocessing").first { it.getString("name") == "ade20k, noise" }
        assertThrows(MetadataException::class.java) { DetectionDecoder(metadata(json)) }
    }

    @Test
    fun `equal scores stay in the order of the output, also of positive and negative zeros`() {
        val case = JSONObject(cases.first().toString())
        val detection = case.getJSONObject("metadata").getJSONObject("detection").put("score_threshold", 0)
        val channels = case.getJSONObject("metadata").getJSONArray("labels").length() + 4
        val zeros = FloatArray(metadata(case).output.size) { if (it / channels % 2 == 0) -0f else 0f }
        detection.put("iou_threshold", 1).put("candidates_per_level", 2)
        val found = DetectionDecoder(metadata(case)).decode(TensorData.Floats(zeros), 96, 64)
        assertEquals(listOf(0, 1, 0, 1), found.map { it.id })
        assertEquals(List(4) { 0.5f }, found.map { it.score })
    }

    @Test
    fun `detections are selected by their score`() {
        val found = decoded(cases.first())
        val limit = found[found.size / 2].score
        assertEquals(found.size / 2 + 1, found.above(limit).size)
        assertFalse(found.above(1f).isNotEmpty())
    }

    @Test
    fun `empty boxes overlap nothing`() {
        val empty = Box(3f, 3f, 3f, 3f)
        assertTrue(empty.intersectionOverUnion(empty).isNaN())
        assertEquals(0f, empty.intersectionOverUnion(Box(0f, 0f, 9f, 9f)), 0f)
        assertEquals(0.6f, Box(0f, 0f, 10f, 10f).intersectionOverUnion(Box(0f, 0f, 10f, 6f)), 0f)
        assertEquals(0f, Box(0f, 0f, 1f, 1f).intersectionOverUnion(Box(5f, 5f, 6f, 6f)), 0f)
    }
}
