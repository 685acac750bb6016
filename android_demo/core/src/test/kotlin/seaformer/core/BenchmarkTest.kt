package seaformer.core

import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File

/** Sums its input, which takes long enough to be measured. */
private class Summing(
    private val size: Int,
) : Segmenter {
    override val runtime = "summing 1.0"
    override val accelerator = Accelerator.CPU

    override fun run(input: TensorData): TensorData {
        var sum = 0f
        for (i in 0 until input.size) sum += input[i]
        return TensorData.Floats(FloatArray(size) { sum })
    }

    override fun close() = Unit
}

class BenchmarkTest {
    @get:Rule
    val temporary = TemporaryFolder()
    private val case = Golden.cases("preprocessing").first { it.getString("name") == "ade20k, photograph" }
    private val metadata = ModelMetadata.parse(case.getJSONObject("metadata").toString())
    private val image = Golden.image(case.getJSONObject("image"))
    private val segmenter = Summing(metadata.output.size)

    @Test
    fun `every run is timed, and warm-up runs are separate`() {
        val seen = mutableListOf<Int>()
        val times = Benchmark(metadata, segmenter, warmupRuns = 2, runs = 5).measure(image, 7) { seen.add(it) }!!
        assertEquals(listOf(1, 2, 3, 4, 5), seen)
        for (meter in listOf(times.preprocessing, times.inference, times.postprocessing)) {
            assertEquals(5, meter.durationsNs.size)
            assertEquals(2, meter.warmupNs.size)
            assertTrue(meter.durationsNs.all { it > 0 })
        }
    }

    @Test
    fun `the benchmark stops when the callback returns false`() {
        assertNull(Benchmark(metadata, segmenter, 1, 5).measure(image, 7) { it < 3 })
    }

    @Test
    fun `a fallback during a benchmark is an error`() {
        val check =
            object : AcceleratorCheck by AgreementCheck() {
                override fun input() = Preprocessor(metadata.input).prepare(image)
            }
        var runs = 0
        val falling =
            FallbackSegmenter(Accelerator.entries, check, AttemptLog(temporary.root)) {
                object : Segmenter by segmenter {
                    override val accelerator = it

                    override fun run(input: TensorData): TensorData {
                        if (it == Accelerator.NPU && runs++ == 4) error("the driver is gone")
                        return segmenter.run(input)
                    }
                }
            }
        val error =
            assertThrows(IllegalStateException::class.java) {
                Benchmark(metadata, falling, 1, 5).measure(image, 7) { true }
            }
        assertEquals("the NPU failed during the benchmark; start it again", error.message)
    }

    /** A Python test validates the file against the schema of seaformer-benchmark. */
    @Test
    fun `the report has the measurements`() {
        for (isEmulated in listOf(false, true)) {
            val times = Benchmark(metadata, segmenter, warmupRuns = 2, runs = 5).measure(image, 7) { true }!!
            val text = report(times, isEmulated).json()
            val model = JSONObject(text).getJSONArray("models").getJSONObject(0)
            assertEquals(isEmulated, model.isNull("latency"))
            val run = model.getJSONObject(if (isEmulated) "emulated" else "latency").getJSONObject("run")
            assertEquals("litert-gpu", JSONObject(text).getString("backend"))
            assertEquals(times.inference.medianMs!!, run.getDouble("median_ms"), 0.0)
            System.getProperty("seaformer.output")?.let { File(it, "results_$isEmulated.json").writeText(text) }
        }
    }

    @Test
    fun `a wrong output has no latency`() {
        val times = Benchmark(metadata, segmenter, warmupRuns = 2, runs = 5).measure(image, 7) { true }!!
        val wrong = Verdict("LiteRT 2.3.0 on the CPU", 12.5, Double.POSITIVE_INFINITY, 0.5, 36.0, 0.98)
        val text = report(times, isEmulated = false, wrong).json()
        assertTrue(JSONObject(text).getJSONArray("models").getJSONObject(0).isNull("latency"))
        System.getProperty("seaformer.output")?.let { File(it, "results_wrong.json").writeText(text) }
    }

    private fun report(
        times: BenchmarkTimes,
        isEmulated: Boolean,
        verdict: Verdict = Verdict("LiteRT 2.3.0 on the CPU", 52.5, 0.01, 0.999, 36.0, 0.98),
    ): BenchmarkReport {
        val conditions = DeviceConditions(1_700_000_000_000, 31.5, 0, 80, false, mapOf(0 to 1_800_000), null)
        return BenchmarkReport(
            app = "seaformer demo 0.1.0",
            metadata = metadata,
            times = times,
            accelerator = Accelerator.GPU,
            isFullyAccelerated = true,
            verdict = verdict,
            rejections = listOf(Rejection(Accelerator.NPU, "no QNN")),
            runtime =
                RuntimeFacts(
                    backend(isTflite = true, Accelerator.GPU),
                    "LiteRT",
                    null,
                    "libLiteRt.so",
                    "0".repeat(64),
                ),
            threads = 4,
            device =
                DeviceFacts(
                    "Maker",
                    "Phone",
                    null,
                    "Android 14",
                    34,
                    "arm64-v8a",
                    listOf(1_800_000, null, 2_800_000),
                    8L shl 30,
                    isEmulated,
                ),
            before = conditions,
            after = conditions,
        )
    }
}
