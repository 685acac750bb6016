package seaformer.core

import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class DetectionOutputTest {
    private val limits = Golden.case("detection_limits")

    private fun description() = JSONObject(limits.getJSONObject("detection").toString())

    /** Returns the reason for which a model with this description is refused. */
    private fun refused(json: JSONObject): String {
        val case = Golden.cases("preprocessing").first { it.getString("name") == "shapes-detection, noise" }
        val model = JSONObject(case.getJSONObject("metadata").toString()).put("detection", json).toString()
        return assertThrows(json.toString(), MetadataException::class.java) { ModelMetadata.parse(model) }.message!!
    }

    @Test
    fun `all members are read`() {
        val output = detectionOutput(description())
        val (fine, coarse) = output.levels
        assertEquals(AnchorLevel(1, 1, 16, 16, listOf(32f, 40f), listOf(0.5f, 1f, 2f)), fine)
        assertEquals(AnchorLevel(1, 1, 32, 32, listOf(64f, 80f), listOf(0.5f, 1f, 2f)), coarse)
        assertEquals(DetectionOutput(output.levels, List(4) { 1f }, 4f, 0.05, 1000, 0.5f, 100), output)
        assertEquals(12, output.anchors)
    }

    @Test
    fun `values have the limits of the JSON Schema`() {
        val changes = limits.getJSONArray("changes").objects()
        assertTrue(changes.size > 40)
        for (change in changes) {
            val path = change.getJSONArray("path")
            val member = path.getString(path.length() - 1)
            val json = description()
            val around = if (path.length() == 1) json else json.getJSONArray("levels").getJSONObject(path.getInt(1))
            around.put(member, change.get("value"))
            if (change.getBoolean("is_allowed")) {
                detectionOutput(json)
            } else {
                assertTrue(refused(json), refused(json).startsWith(member))
            }
        }
    }

    @Test
    fun `values that are not numbers are refused`() {
        val values = listOf("x", "NaN", JSONObject.NULL, JSONObject(), true)
        for (value in values) {
            assertTrue(refused(description().put("iou_threshold", value)).contains("iou_threshold"))
            refused(description().put("box_weights", JSONArray(listOf(1, 1, 1, value))))
            refused(description().put("levels", JSONArray(listOf(value))))
        }
    }

    @Test
    fun `missing members are named`() {
        for (member in description().keys().asSequence().map { it.toString() }) {
            assertTrue(refused(description().apply { remove(member) }).contains(member))
        }
    }

    @Test
    fun `too many levels or anchors are refused`() {
        val level = description().getJSONArray("levels").getJSONObject(0)
        val levels = JSONArray(List(17) { level })
        assertEquals("levels has 17 entries; it must have 1 to 16", refused(description().put("levels", levels)))
        level.put("grid", JSONArray(listOf(4096, 4096)))
        val large = description().put("levels", JSONArray(listOf(level)))
        assertEquals("there are 100663296 anchors; at most 4194304 are allowed", refused(large))
    }
}
