package seaformer.demo

import android.content.Context
import android.os.Handler
import android.os.HandlerThread
import android.os.Looper
import seaformer.core.Accelerator
import seaformer.core.Analysis
import seaformer.core.Analyzer
import seaformer.core.AttemptLog
import seaformer.core.FallbackSegmenter
import seaformer.core.FrameGate
import seaformer.core.LatencyMeter
import seaformer.core.ModelMetadata
import seaformer.core.Rejection
import seaformer.core.RgbImage
import seaformer.core.Verdict
import seaformer.core.guarded
import seaformer.core.namesOf
import seaformer.core.withinMemory
import java.util.concurrent.atomic.AtomicInteger

/** The model in use, what runs it, and the accelerators that were rejected. */
class Running(
    val metadata: ModelMetadata,
    val runtime: String,
    val accelerator: Accelerator,
    val rejections: List<Rejection>,
    val verdict: Verdict,
)

/** The content of the app: file and display names of the models, the chosen one, and the samples. */
class AppBundle(
    val files: List<String>,
    val names: List<String>,
    val chosen: Int,
    val samples: List<String>,
)

/** Median latencies of preprocessing, inference and post-processing, in milliseconds. */
class Medians(
    val preMs: Double,
    val runMs: Double,
    val postMs: Double,
)

/** Callbacks of an [Engine], on the main thread. */
interface EngineListener {
    fun onBundle(bundle: AppBundle)

    fun onRunning(running: Running)

    /** [medians] is null during the warm-up. */
    fun onAnalysis(
        analysis: Analysis,
        medians: Medians?,
    )

    fun onMedians(medians: Medians)

    fun onProblem(problem: Problem)

    /** A driver has not responded for [seconds]; only closing the app stops it. */
    fun onHang(
        accelerator: Accelerator,
        seconds: Long,
    )
}

/** Runs the model on a background thread. It outlives the activity when the screen is rotated. */
class Engine(
    context: Context,
    choice: Choice,
) {
    private val application = context.applicationContext
    private val assets = application.assets
    private val logs = attemptLogs(context)
    private val system = systemVersion(context)
    private val main = Handler(Looper.getMainLooper())
    private val worker = HandlerThread("model").apply { start() }
    private val background = Handler(worker.looper)
    private val gate = FrameGate()

    // Used only on the worker thread.
    private var models: List<BundledModel> = listOf()
    private var metadata: ModelMetadata? = null
    private var segmenter: FallbackSegmenter? = null
    private var analyzer: Analyzer? = null
    private var reportedRejections = 0
    private val meters = List(3) { LatencyMeter(WARMUP_RUNS, WINDOW) }

    /** Number of the newest image or frame; repeated runs of older ones stop. */
    private val newest = AtomicInteger()

    /** The still image to analyze again after a change of the model; null for the camera. */
    @Volatile private var still: RgbImage? = null

    val passedFrames: Long get() = gate.passed
    val droppedFrames: Long get() = gate.dropped

    // Used only on the main thread.
    var bundle: AppBundle? = null
        private set
    var running: Running? = null
        private set
    var analysis: Analysis? = null
        private set
    private var medians: Medians? = null
    private var problem: Problem? = null

    var listener: EngineListener? = null
        set(value) {
            field = value
            bundle?.let { value?.onBundle(it) }
            running?.let { value?.onRunning(it) }
            analysis?.let { value?.onAnalysis(it, medians) }
            problem?.let { value?.onProblem(it) }
        }

    init {
        use(choice)
    }

    /**
     * Loads the chosen model, and analyzes the last image again.
     *
     * @param retriesCrashed whether to retry accelerators that crashed the app.
     */
    fun use(
        choice: Choice,
        retriesCrashed: Boolean = false,
    ) {
        newest.incrementAndGet()
        background.post {
            catching {
                segmenter?.close()
                segmenter = null
                analyzer = null
                if (models.isEmpty()) models = BundledModel.readAll(assets)
                val bundled = models.chosen(choice)
                reportBundle(bundled)
                val attempts = bundled.attempts(logs, system)
                if (retriesCrashed) attempts.clear()
                val opened = watched(attempts) { bundled.open(application, choice, logs, system) }
                segmenter = opened
                metadata = bundled.metadata
                analyzer = Analyzer(bundled.metadata, opened)
                reportRunning(bundled.metadata, opened)
                meters.forEach(LatencyMeter::clear)
                main.post { still?.let(::analyze) }
            }
        }
    }

    /** Runs [open], which cannot be interrupted, and reports a hang if it takes longer than [HANG_MS]. */
    private fun <T> watched(
        attempts: AttemptLog,
        open: () -> T,
    ): T {
        val report = Runnable { attempts.trying?.let { listener?.onHang(it, HANG_MS / 1000) } }
        main.postDelayed(report, HANG_MS)
        try {
            return open()
        } finally {
            main.removeCallbacks(report)
        }
    }

    /** Analyzes a still image, then repeats the run to get median latencies after the warm-up. */
    fun analyze(image: RgbImage) {
        still = image
        val number = newest.incrementAndGet()
        background.post {
            meters.forEach(LatencyMeter::clear)
            var analyzed = image
            step {
                withinMemory(1) { reduction ->
                    analyzed = image.reduced(reduction)
                    it.analyze(analyzed)
                }
            }
            repeat(number, analyzed, WARMUP_RUNS + REPETITIONS - 1)
        }
    }

    private fun repeat(
        number: Int,
        image: RgbImage,
        left: Int,
    ) {
        if (left == 0) return
        // One run per message: a newer image does not wait for the remaining repetitions.
        background.post {
            if (number != newest.get()) return@post
            catching {
                val again = analyzer?.analyze(image) ?: return@catching
                measure(again)
                currentMedians()?.let { now ->
                    main.post {
                        medians = now
                        listener?.onMedians(now)
                    }
                }
                repeat(number, image, left - 1)
            }
        }
    }

    /**
     * Analyzes a camera frame; drops it if another one is being analyzed.
     *
     * @param image converts the frame; called only if it is not dropped.
     */
    fun offer(image: () -> RgbImage) {
        if (!gate.enter()) return
        var isTaken = false
        catching {
            val converted = image()
            still = null
            newest.incrementAndGet()
            isTaken =
                background.post {
                    try {
                        step { it.analyze(converted) }
                    } finally {
                        gate.leave()
                    }
                }
        }
        if (!isTaken) gate.leave()
    }

    /** Clears the latencies before a change of the image source. */
    fun clearLatencies() {
        background.post { meters.forEach(LatencyMeter::clear) }
    }

    fun close() {
        listener = null
        newest.incrementAndGet()
        background.post { segmenter?.close() }
        worker.quitSafely()
    }

    private fun step(analyze: (Analyzer) -> Analysis) =
        catching {
            val result = analyzer?.let(analyze) ?: return@catching
            measure(result)
            val now = currentMedians()
            main.post {
                analysis = result
                medians = now
                problem = null
                listener?.onAnalysis(result, now)
            }
            val opened = segmenter
            val of = metadata
            // The run may have fallen back to another accelerator.
            if (opened != null && of != null && opened.rejections.size != reportedRejections) reportRunning(of, opened)
        }

    private fun measure(result: Analysis) {
        val times = result.times
        for ((meter, ns) in meters.zip(listOf(times.preNs, times.runNs, times.postNs))) meter.add(ns)
    }

    private fun currentMedians(): Medians? {
        val (pre, run, post) = meters.map { it.medianMs ?: return null }
        return Medians(pre, run, post)
    }

    private fun reportBundle(chosen: BundledModel) {
        val all = models.map { it.metadata }
        val now =
            AppBundle(all.map { it.file.name }, namesOf(all), models.indexOf(chosen), BundledModel.samples(assets))
        main.post {
            bundle = now
            running = null
            analysis = null
            listener?.onBundle(now)
        }
    }

    private fun reportRunning(
        metadata: ModelMetadata,
        opened: FallbackSegmenter,
    ) {
        reportedRejections = opened.rejections.size
        val now = Running(metadata, opened.runtime, opened.accelerator, opened.rejections.toList(), opened.verdict)
        main.post {
            running = now
            problem = null
            listener?.onRunning(now)
        }
    }

    private inline fun catching(work: () -> Unit) =
        guarded({
            val found = Problem.of(it)
            main.post {
                problem = found
                listener?.onProblem(found)
            }
        }, work)

    private companion object {
        const val WARMUP_RUNS = 3
        const val REPETITIONS = 10
        const val WINDOW = 60

        /** Compiling a model for an NPU can take about a minute. */
        const val HANG_MS = 120_000L
    }
}
