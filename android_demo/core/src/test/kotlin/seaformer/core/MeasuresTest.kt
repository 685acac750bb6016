package seaformer.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class MeasuresTest {
    @Test
    fun `median and p90 match numpy`() {
        for (case in Golden.cases("quantiles")) {
            val meter = LatencyMeter(warmupRuns = 0)
            val durations = case.getJSONArray("durations_ns")
            for (i in 0 until durations.length()) meter.add(durations.getLong(i))
            assertEquals(case.getDouble("median_ms"), meter.medianMs!!, 1e-9)
            assertEquals(case.getDouble("p90_ms"), meter.p90Ms!!, 1e-9)
        }
    }

    @Test
    fun `warm-up runs are separate`() {
        val meter = LatencyMeter(warmupRuns = 2)
        assertNull(meter.medianMs)
        for (duration in listOf(900L, 800L)) meter.add(duration)
        assertNull(meter.medianMs)
        meter.add(5_000_000)
        assertEquals(5.0, meter.medianMs!!, 0.0)
        assertEquals(listOf(900L, 800L), meter.warmupNs)
    }

    @Test
    fun `a window drops the oldest runs and clear drops all`() {
        val meter = LatencyMeter(warmupRuns = 0, window = 3)
        for (duration in 1L..10L) meter.add(duration * 1_000_000)
        assertEquals(listOf(8_000_000L, 9_000_000L, 10_000_000L), meter.durationsNs)
        assertEquals(9.0, meter.medianMs!!, 0.0)
        meter.clear()
        assertNull(meter.medianMs)
    }

    @Test
    fun `classes are ranked by probability`() {
        for (case in Golden.cases("ranking")) {
            val logits = Golden.data(case.getString("logits"), case.getString("type"))
            val quantization = Quantization(case.getDouble("scale").toFloat(), case.getInt("zero_point"))
            val ranking = rank(logits, quantization, List(logits.size) { "class $it" })
            val order = case.getJSONArray("order")
            val probabilities = case.getJSONArray("probabilities")
            for ((place, ranked) in ranking.withIndex()) {
                assertEquals(order.getInt(place), ranked.id)
                assertEquals("class ${ranked.id}", ranked.label)
                assertEquals(probabilities.getDouble(ranked.id), ranked.probability, 1e-6)
            }
        }
    }

    @Test
    fun `a logit that is not finite is an error`() {
        val logits = TensorData.Floats(floatArrayOf(1f, Float.NaN))
        assertThrows(NotFiniteException::class.java) { rank(logits, null, listOf("a", "b")) }
    }

    @Test
    fun `frames that arrive while another is analyzed are dropped`() {
        val gate = FrameGate()
        assertTrue(gate.enter())
        assertFalse(gate.enter())
        assertFalse(gate.enter())
        gate.leave()
        assertTrue(gate.enter())
        assertEquals(2, gate.passed)
        assertEquals(2, gate.dropped)
    }
}
