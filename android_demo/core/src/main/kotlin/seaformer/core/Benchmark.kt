package seaformer.core

import java.security.MessageDigest

/**
 * What a benchmark measured.
 *
 * @property loadNs from the file to ready to run.
 * @property startedNs of the first timed run, on the clock of System.nanoTime.
 * @property inputSha256 of the bytes that the model was given.
 */
class BenchmarkTimes(
    val loadNs: Long,
    val startedNs: Long,
    val preprocessing: LatencyMeter,
    val inference: LatencyMeter,
    val postprocessing: LatencyMeter,
    val inputSha256: String,
)

/** Runs a model on one image again and again. */
class Benchmark(
    private val metadata: ModelMetadata,
    private val segmenter: Segmenter,
    private val warmupRuns: Int,
    private val runs: Int,
) {
    init {
        require(warmupRuns > 0 && runs > 0) { "$warmupRuns and $runs runs are no benchmark" }
    }

    /**
     * @param loadNs how long it took to make the segmenter ready.
     * @param onRun called after every timed run with how many are done; false ends the benchmark.
     * @return null if it was ended before all runs were done.
     * @throws IllegalStateException the model fell back to another accelerator meanwhile.
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
            check(segmenter.accelerator == accelerator) { "the $accelerator failed in the benchmark; start again" }
            for ((meter, ns) in meters.zip(listOf(times.preNs, times.runNs, times.postNs))) meter.add(ns)
            if (run > 0 && !onRun(run)) return null
        }
        val input = Preprocessor(metadata.input).prepare(image)
        return BenchmarkTimes(loadNs, started, meters[0], meters[1], meters[2], sha256(input))
    }
}

/** The hash of the bytes of a tensor. */
fun sha256(data: TensorData): String = hex(MessageDigest.getInstance("SHA-256").digest(littleEndian(data)))

/** Bytes as lower-case hexadecimal. */
fun hex(bytes: ByteArray): String = bytes.joinToString("") { "%02x".format(it) }
