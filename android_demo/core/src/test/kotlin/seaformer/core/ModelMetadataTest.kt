package seaformer.core

import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class ModelMetadataTest {
    private val text = metadata("ade20k, photograph")

    private fun metadata(case: String): String =
        Golden
            .cases("preprocessing")
            .first { it.getString("name") == case }
            .getJSONObject("metadata")
            .toString()

    @Test
    fun `all members that the app uses are read`() {
        val metadata = ModelMetadata.parse(text)
        assertEquals("SeaFormer-tiny, ade20k, fp32", metadata.title)
        assertEquals(Kind.SEGMENTATION, metadata.kind)
        assertEquals(150, metadata.labels.size)
        assertEquals("wall", metadata.labels[0])
        assertEquals(rgb(120, 120, 120), metadata.palette!![0])
        assertEquals(70, metadata.input.height)
        assertEquals(110, metadata.input.width)
        assertEquals(listOf(1, 9, 14, 150), metadata.output.shape)
        assertEquals(Content.LOGITS, metadata.output.content)
        assertTrue(metadata.weightsAreRandom)
        assertEquals(130.5, metadata.parity.comparisons[0].sqnrDb!!, 0.0)
    }

    @Test
    fun `scale and zero point are read if present`() {
        assertEquals(Quantization(1f, -128), ModelMetadata.parse(metadata("int8, noise")).input.quantization)
        assertNull(ModelMetadata.parse(text).input.quantization)
    }

    @Test
    fun `the output of a classifier has no spatial axes`() {
        val metadata = ModelMetadata.parse(metadata("imagenet, noise"))
        assertEquals(Kind.CLASSIFICATION, metadata.kind)
        assertEquals(0.875, metadata.input.cropFraction!!, 0.0)
        assertEquals(ResampleFilter.BICUBIC, metadata.input.filter)
        assertNull(metadata.palette)
    }

    @Test
    fun `unsupported values are refused by name`() {
        for (version in listOf(1, 3)) {
            assertRefused("schema version $version") { put("schema_version", version) }
        }
        assertRefused("interpolation is 'lanczos'") { getJSONObject("input").put("interpolation", "lanczos") }
        assertRefused("dtype is 'float16'") { getJSONObject("input").put("dtype", "float16") }
        assertRefused("layout is 'NHW'") { getJSONObject("input").put("layout", "NHW") }
        assertRefused("std must be above 0") { getJSONObject("input").getJSONArray("std").put(1, 0.0) }
        assertRefused("must be [1, ...]") { getJSONObject("input").getJSONArray("shape").put(0, 2) }
        assertRefused("does not fit 150 classes") { getJSONObject("output").getJSONArray("shape").put(3, 151) }
        assertRefused("content is 'features'") { getJSONObject("output").put("content", "features") }
        assertRefused("the scale is 0") {
            val quantization = JSONObject().put("scale", 0).put("zero_point", 0)
            getJSONObject("input").put("dtype", "int8").put("quantization", quantization)
        }
    }

    @Test
    fun `boxes are described if the model detects objects`() {
        val metadata = ModelMetadata.parse(metadata("shapes-detection, noise"))
        assertEquals(Kind.DETECTION, metadata.kind)
        assertEquals(Content.BOXES, metadata.output.content)
        assertEquals(listOf(1L, metadata.detection!!.anchors, 12L), metadata.output.shape.map(Int::toLong))
        assertNull(ModelMetadata.parse(text).detection)
    }

    @Test
    fun `a detection model whose members contradict each other is refused`() {
        val boxes = metadata("shapes-detection, noise")
        val detection = JSONObject(boxes).getJSONObject("detection")
        assertRefused("kind is segmentation, and detection is given") { put("detection", detection) }
        assertRefused("content is boxes") { getJSONObject("output").put("content", "boxes") }
        assertRefused("kind is detection, and detection is missing", boxes) { remove("detection") }
        assertRefused("kind is detection, and content is logits", boxes) {
            getJSONObject("output").put("content", "logits")
        }
        assertRefused("resize is center-crop", boxes) {
            getJSONObject("input").put("resize", "center-crop").put("crop_fraction", 0.9)
        }
        assertRefused("does not fit 8 classes and ", boxes) { getJSONObject("output").getJSONArray("shape").put(1, 7) }
        assertRefused("does not fit 1 classes", boxes) { put("labels", JSONArray(listOf("disc"))) }
        assertRefused("iou_threshold is 2", boxes) { getJSONObject("detection").put("iou_threshold", 2) }
    }

    @Test
    fun `missing members are named`() {
        for (key in listOf("title", "input", "output", "labels", "parity", "file", "kind", "weights", "macs")) {
            assertRefused(key) { remove(key) }
        }
    }

    @Test
    fun `invalid JSON is refused`() {
        for (broken in listOf("", "[]", text.dropLast(20), "no JSON")) {
            assertThrows(MetadataException::class.java) { ModelMetadata.parse(broken) }
        }
    }

    private fun assertRefused(
        reason: String,
        json: String = text,
        change: JSONObject.() -> Unit,
    ) {
        val changed = JSONObject(json).apply(change).toString()
        val error = assertThrows(MetadataException::class.java) { ModelMetadata.parse(changed) }
        assertTrue("'${error.message}' does not say '$reason'", error.message!!.contains(reason))
    }
}
