package seaformer.core

import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class GoldenCheckTest {
    private val cases = Golden.cases("checks")

    private fun metadata(case: JSONObject) = ModelMetadata.parse(case.getJSONObject("metadata").toString())

    private fun description(case: JSONObject) = case.getJSONObject("golden")

    private fun check(
        case: JSONObject,
        description: JSONObject = description(case),
        values: ByteArray = Golden.bytes(case.getString("values")),
        image: ByteArray = Golden.bytes(case.getString("image")),
    ) = GoldenCheck(metadata(case), description.toString(), values, image)

    private fun output(case: JSONObject) = Golden.data(case.getString("output"), case.getString("type"))

    private fun changed(
        case: JSONObject,
        key: String,
        value: Any,
    ) = JSONObject(description(case).toString()).put(key, value)

    @Test
    fun `verdicts match Python on the same outputs`() {
        assertTrue(cases.size > 8)
        for (case in cases) {
            val name = case.getString("name")
            val expected = case.getJSONObject("verdict")
            val verdict = check(case).judge(output(case), Accelerator.GPU)
            if (expected.isNull("agreement")) {
                assertNull(name, verdict.agreement)
            } else {
                assertEquals(name, expected.getDouble("agreement"), verdict.agreement!!, 1e-12)
            }
            if (expected.isNull("sqnr_db")) {
                assertNull(name, verdict.sqnrDb)
                assertNull(name, verdict.maxAbsError)
            } else {
                assertEquals(name, expected.getDouble("sqnr_db"), verdict.sqnrDb!!, 1e-3)
                assertEquals(name, expected.getDouble("max_abs_error"), verdict.maxAbsError!!, 1e-5)
            }
            assertEquals(name, expected.getBoolean("passed"), verdict.passed)
        }
        val passed = cases.map { it.getJSONObject("verdict").getBoolean("passed") }
        assertEquals(setOf(true, false), passed.toSet())
    }

    @Test
    fun `boxes are compared by their values only`() {
        val verdicts =
            cases
                .filter { it.getString("name").startsWith("boxes") }
                .map { check(it).judge(output(it), Accelerator.GPU) }
        assertTrue(verdicts.size > 4)
        for (verdict in verdicts) {
            assertTrue(verdict.found, verdict.found.matches(Regex("[0-9.]+ dB")))
            assertEquals("36.0 dB", verdict.required)
        }
    }

    @Test
    fun `each accelerator has its own threshold`() {
        val check = check(cases.first())
        val verdicts = Accelerator.entries.map { check.judge(output(cases.first()), it) }
        assertEquals(listOf(36.0, 36.0, 60.0), verdicts.map { it.minSqnrDb })
        assertEquals(listOf(0.98, 0.98, 0.99), verdicts.map { it.minAgreement })
    }

    @Test
    fun `the input is the image, prepared for the model`() {
        val case = cases.first()
        val input = check(case).input() as TensorData.Floats
        val levels = Golden.bytes(case.getString("image")).map { (it.toInt() and 0xFF).toFloat() }
        assertEquals(metadata(case).input.shape.fold(1, Int::times), input.size)
        assertTrue(input.values.all { it in levels.min()..levels.max() })
        assertTrue(input.values.distinct().size > 50)
    }

    @Test
    fun `a golden output that is truncated or of another model is refused with the reason`() {
        val case = cases.first()
        val values = Golden.bytes(case.getString("values"))
        val damaged =
            mapOf(
                "it belongs to another model" to { check(case, changed(case, "model_sha256", "0")) },
                "its schema version is 1, not 2" to { check(case, changed(case, "schema_version", 1)) },
                "it has 7 channels, not 12" to { check(case, changed(case, "channels", 7)) },
                "bytes for" to { check(case, values = values.copyOf(values.size - 4)) },
                "the image has 3 bytes" to { check(case, image = ByteArray(3)) },
                "No value for width" to { check(case, JSONObject()) },
            )
        for ((reason, read) in damaged) {
            val message = assertThrows(MetadataException::class.java) { read() }.message!!
            assertTrue(message, message.startsWith("the golden output of ") && reason in message)
        }
    }
}
