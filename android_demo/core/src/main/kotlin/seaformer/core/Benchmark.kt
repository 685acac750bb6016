package seaformer.core

import java.security.MessageDigest

/**
 * The measurements of a benchmark.
 *
 * @property loadNs time to load and prepare the model.
 * @property startedNs start of the first timed run, by System.nanoTime.
 * @property inputSha256 SHA-256 of the input tensor.
 */
class BenchmarkTimes(
    val loadNs: Long,
    val startedNs: Long,
    val preprocessing: LatencyMeter,
    val inference: LatencyMeter,
    val postprocessing: LatencyMeter,
    val inputSha256: String,
)

/** Measures the latency of a model by repeated runs on one image. */
class Benchmark(
    private val metadata: ModelMetadata,
    private val segmenter: Segmenter,
    private val warmupRuns: Int,
    private val runs: Int,
) {
    init {
        require(warmupRuns > 0 && runs > 0) {
            "there are $warmupRuns warm-up runs and $runs runs; each has to be at least 1"
        }
    }

    /**
     * Runs the benchmark.
     *
     * @param loadNs time that it took to prepare the segmenter.
     * @param onRun progress callback after every timed run; returns false to stop the benchmark.
     * @return null if it was stopped before all runs were done.
     * @throws IllegalStateException the model fell back to another accelerator during the benchmark.
     */
    fun measure(
        image: RgbImage,
        loadNs: Long,
        onRun: (done: Int) -> Boolean,
    ): BenchmarkTimes? {
        val analyzer = Analyzer(metadata, segmenter)
        val accelerator = segmenter.accelerator
        val meters = List(3) { LatencyMeter(warmupRuns) }
        var started = 0L
        for (run in 1 - warmupRuns..runs) {
            if (run == 1) started = System.nanoTime()
            val times = analyzer.analyze(image).times
            check(segmenter.accelerator == accelerator) {
                "the $accelerator failed during the benchmark; start it again"
            }
            for ((meter, ns) in meters.zip(listOf(times.preNs, times.runNs, times.postNs))) meter.add(ns)
            if (run > 0 && !onRun(run)) return null
        }
        val input = Preprocessor(metadata.input).prepare(image)
        return BenchmarkTimes(loadNs, started, meters[0], meters[1], meters[2], sha256(input))
    }
}

/** The SHA-256 of the bytes of a tensor, in hexadecimal. */
fun sha256(data: TensorData): String = hex(MessageDigest.getInstance("SHA-256").digest(littleEndian(data)))

/** Bytes as lower-case hexadecimal. */
fun hex(bytes: ByteArray): String = bytes.joinToString("") { "%02x".format(it) }
