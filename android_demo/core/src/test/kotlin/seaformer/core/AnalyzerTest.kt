package seaformer.core

import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Test

/** Returns the same output for every image. */
private class Constant(
    private val output: TensorData,
) : Segmenter {
    override val runtime = "constant"
    override val accelerator = Accelerator.CPU

    override fun run(input: TensorData) = output

    override fun close() = Unit
}

class AnalyzerTest {
    private val image = RgbImage(6, 4, IntArray(24) { rgb(it, 2 * it, 3 * it) })

    @Test
    fun `logits are converted to a mask of the image's size`() {
        val metadata = metadata("ade20k") { getJSONObject("output").put("shape", JSONArray(listOf(1, 1, 2, 150))) }
        val logits =
            FloatArray(300).also {
                it[7] = 1f
                it[150 + 9] = 1f
            }
        val analysis = Analyzer(metadata, Constant(TensorData.Floats(logits))).analyze(image)
        val row = listOf(7, 7, 7, 9, 9, 9)
        assertEquals(row + row + row + row, ids(analysis.mask!!))
        assertNull(analysis.ranking)
        assertNull(analysis.detections)
    }

    @Test
    fun `boxes are in pixels of the image`() {
        val metadata = metadata("shapes-detection")
        val output = FloatArray(metadata.output.size) { -20f }
        val channels = metadata.labels.size + 4
        // The second anchor of the second column: 40 pixels, aspect ratio 0.5, around x 16, y 0.
        val begin = 7 * channels
        output[begin + 5] = 2f
        for (offset in 8 until channels) output[begin + offset] = 0f
        val analysis = Analyzer(metadata, Constant(TensorData.Floats(output))).analyze(image)
        val (found) = analysis.detections!!
        assertEquals("star", found.label)
        assertEquals(0.880797f, found.score, 1e-6f)
        // 40 * sqrt(2) = 56.6 pixels wide, 28.3 high; the image of 6 x 4 was stretched to 110 x 70.
        val (width, height) = Pair(6 / 110f, 4 / 70f)
        assertEquals(Box(0f, 0f, 44 * width, 14 * height), found.box)
        assertNull(analysis.mask)
        assertNull(analysis.ranking)
    }

    @Test
    fun `one channel is class 1 above its threshold, in any layout`() {
        for ((layout, shape) in listOf("NHWC" to listOf(1, 1, 2, 1), "NHW" to listOf(1, 1, 2))) {
            val metadata = binary(layout, shape)
            val probabilities = TensorData.Floats(floatArrayOf(0.4f, 0.6f))
            val analysis = Analyzer(metadata, Constant(probabilities)).analyze(image)
            val row = listOf(0, 0, 0, 1, 1, 1)
            assertEquals(row + row + row + row, ids(analysis.mask!!))
        }
    }

    @Test
    fun `a threshold applies to dequantized values`() {
        val quantization = JSONObject().put("scale", 0.01).put("zero_point", -50)
        val metadata = binary("NHWC", listOf(1, 1, 2, 1), quantization)
        val analysis = Analyzer(metadata, Constant(TensorData.Int8(byteArrayOf(-10, 10)))).analyze(image)
        val row = listOf(0, 0, 0, 1, 1, 1)
        assertEquals(row + row + row + row, ids(analysis.mask!!))
    }

    @Test
    fun `one channel without a threshold is an error`() {
        assertThrows(MetadataException::class.java) {
            metadata("ade20k") { getJSONObject("output").put("content", "binary") }
        }
    }

    private fun binary(
        layout: String,
        shape: List<Int>,
        quantization: JSONObject? = null,
    ) = metadata("ade20k") {
        put("labels", JSONArray(listOf("background", "road")))
        put("palette", JSONObject.NULL)
        getJSONObject("output").put("content", "binary").put("threshold", 0.5)
        getJSONObject("output").put("layout", layout).put("shape", JSONArray(shape))
        if (quantization != null) getJSONObject("output").put("dtype", "int8").put("quantization", quantization)
    }

    @Test
    fun `class ids of the model are resized to the image's size`() {
        val metadata =
            metadata("ade20k") {
                getJSONObject("output").put("content", "classes").put("dtype", "int64")
                getJSONObject("output").put("layout", "NHW").put("shape", JSONArray(listOf(1, 2, 2)))
            }
        val analysis = Analyzer(metadata, Constant(TensorData.Int64(longArrayOf(1, 2, 3, 149)))).analyze(image)
        val (above, below) = Pair(listOf(1, 1, 1, 2, 2, 2), listOf(3, 3, 3, 149, 149, 149))
        assertEquals(above + above + below + below, ids(analysis.mask!!))
    }

    @Test
    fun `ids out of range are an error`() {
        val metadata =
            metadata("ade20k") {
                getJSONObject("output").put("content", "mask").put("dtype", "int32")
                getJSONObject("output").put("layout", "NHW").put("shape", JSONArray(listOf(1, 1, 1)))
            }
        for (id in listOf(-1, 150)) {
            val analyzer = Analyzer(metadata, Constant(TensorData.Int32(intArrayOf(id))))
            assertThrows(MetadataException::class.java) { analyzer.analyze(image) }
        }
    }

    @Test
    fun `a classifier returns a ranking`() {
        val logits = FloatArray(1000).also { it[340] = 9f }
        val analysis = Analyzer(metadata("imagenet"), Constant(TensorData.Floats(logits))).analyze(image)
        assertEquals(340, analysis.ranking!![0].id)
        assertEquals("zebra", analysis.ranking!![0].label)
        assertNull(analysis.mask)
    }

    @Test
    fun `an output of another size is an error`() {
        val analyzer = Analyzer(metadata("imagenet"), Constant(TensorData.Floats(FloatArray(999))))
        assertThrows(MetadataException::class.java) { analyzer.analyze(image) }
    }

    private fun metadata(
        task: String,
        change: JSONObject.() -> Unit = {},
    ): ModelMetadata {
        val case = Golden.cases("preprocessing").first { it.getString("name") == "$task, noise" }
        val copy = JSONObject(case.getJSONObject("metadata").toString())
        return ModelMetadata.parse(copy.apply(change).toString())
    }
}
