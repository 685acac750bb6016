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

/** What runs the model now, and what was given up before. */
class Running(
    val metadata: ModelMetadata,
    val runtime: String,
    val accelerator: Accelerator,
    val rejections: List<Rejection>,
    val verdict: Verdict,
)

/** What is in the app: names of the models, which of them is chosen, and the sample images. */
class AppBundle(
    val files: List<String>,
    val names: List<String>,
    val chosen: Int,
    val samples: List<String>,
)

/** Medians of the three stages, in milliseconds. */
class Medians(
    val preMs: Double,
    val runMs: Double,
    val postMs: Double,
)

/** Is told on the main thread what happens. */
interface EngineListener {
    fun onBundle(bundle: AppBundle)

    fun onRunning(running: Running)

    /** [medians] are null until warm-up is over. */
    fun onAnalysis(
        analysis: Analysis,
        medians: Medians?,
    )

    fun onMedians(medians: Medians)

    fun onProblem(problem: Problem)

    /** A driver has not answered for [seconds]: nothing can end it but the end of the app. */
    fun onHang(
        accelerator: Accelerator,
        seconds: Long,
    )
}

/** Runs the model on a thread of its own. It outlives a rotation of the screen. */
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

    // Of the worker's thread.
    private var models: List<BundledModel> = listOf()
    private var metadata: ModelMetadata? = null
    private var segmenter: FallbackSegmenter? = null
    private var analyzer: Analyzer? = null
    private var told = 0
    private val meters = List(3) { LatencyMeter(WARMUP_RUNS, WINDOW) }

    /** Counts images and frames: repetitions of an older one end. */
    private val newest = AtomicInteger()

    /** The image that is shown, as it was given; null while frames come. */
    @Volatile private var still: RgbImage? = null

    val passedFrames: Long get() = gate.passed
    val droppedFrames: Long get() = gate.dropped

    // Of the main thread.
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
     * Makes the model ready as chosen, and analyses the last image again.
     *
     * @param isSecondChance whether accelerators that ended the app are to be tried again.
     */
    fun use(
        choice: Choice,
        isSecondChance: Boolean = false,
    ) {
        newest.incrementAndGet()
        background.post {
            reporting {
                segmenter?.close()
                segmenter = null
                analyzer = null
                if (models.isEmpty()) models = BundledModel.readAll(assets)
                val bundled = models.chosen(choice)
                tellBundle(bundled)
                val attempts = bundled.attempts(logs, system)
                if (isSecondChance) attempts.forget()
                val opened = watched(attempts) { bundled.open(application, choice, logs, system) }
                segmenter = opened
                metadata = bundled.metadata
                analyzer = Analyzer(bundled.metadata, opened)
                tellRunning(bundled.metadata, opened)
                meters.forEach(LatencyMeter::clear)
                main.post { still?.let(::analyze) }
            }
        }
    }

    /** Reports an accelerator that is still being tried after some time, which cannot be interrupted. */
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

    /** Analyses a still image, then again and again until its times are medians of warm runs. */
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
        // One run per message, so that a newer image never waits for the repetitions of this one.
        background.post {
            if (number != newest.get()) return@post
            reporting {
                val again = analyzer?.analyze(image) ?: return@reporting
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
     * Analyses a camera frame, unless one is being worked on: then it is dropped.
     *
     * @param image converts the frame; called only if the frame is not dropped.
     */
    fun offer(image: () -> RgbImage) {
        if (!gate.enter()) return
        var isTaken = false
        reporting {
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

    /** Times of another source do not belong to the next one. */
    fun forgetTimes() {
        background.post { meters.forEach(LatencyMeter::clear) }
    }

    fun close() {
        listener = null
        newest.incrementAndGet()
        background.post { segmenter?.close() }
        worker.quitSafely()
    }

    private fun step(analyze: (Analyzer) -> Analysis) =
        reporting {
            val made = analyzer?.let(analyze) ?: return@reporting
            measure(made)
            val now = currentMedians()
            main.post {
                analysis = made
                medians = now
                problem = null
                listener?.onAnalysis(made, now)
            }
            val opened = segmenter
            val of = metadata
            // It may have fallen back in this run.
            if (opened != null && of != null && opened.rejections.size != told) tellRunning(of, opened)
        }

    private fun measure(made: Analysis) {
        val times = made.times
        for ((meter, ns) in meters.zip(listOf(times.preNs, times.runNs, times.postNs))) meter.add(ns)
    }

    private fun currentMedians(): Medians? {
        val (pre, run, post) = meters.map { it.medianMs ?: return null }
        return Medians(pre, run, post)
    }

    private fun tellBundle(chosen: BundledModel) {
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

    private fun tellRunning(
        metadata: ModelMetadata,
        opened: FallbackSegmenter,
    ) {
        told = opened.rejections.size
        val now = Running(metadata, opened.runtime, opened.accelerator, opened.rejections.toList(), opened.verdict)
        main.post {
            running = now
            problem = null
            listener?.onRunning(now)
        }
    }

    private inline fun reporting(work: () -> Unit) =
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

        /** Compiling a model for an NPU was seen to take about a minute. */
        const val HANG_MS = 120_000L
    }
}
