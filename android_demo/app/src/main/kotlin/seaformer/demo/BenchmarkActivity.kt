package seaformer.demo

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Context
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.view.WindowManager
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.Spinner
import android.widget.TextView
import seaformer.core.BackgroundWork
import seaformer.core.Benchmark
import seaformer.core.BenchmarkReport
import seaformer.core.WorkState
import seaformer.core.guarded
import java.io.File
import java.io.FileNotFoundException

/** The result of a benchmark: a summary for the screen, and a results.json. */
class Measured(
    val summary: String,
    val report: String,
)

/** Measures the latency of the model on a sample, and shares or saves it as a results.json. */
class BenchmarkActivity : Activity() {
    /** Continues when the phone is rotated, which recreates the activity. */
    private lateinit var work: BackgroundWork<Measured>
    private val status: TextView get() = findViewById(R.id.status)

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        actionBar?.setDisplayHomeAsUpEnabled(true)
        setContentView(R.layout.benchmark)
        findViewById<Spinner>(R.id.runs).adapter =
            ArrayAdapter(this, android.R.layout.simple_spinner_dropdown_item, RUNS)
        findViewById<Button>(R.id.start).apply {
            isEnabled = true
            setOnClickListener { if (work.state is WorkState.Running) work.stop(byUser = true) else start() }
        }
        findViewById<Button>(R.id.share).setOnClickListener { share() }
        findViewById<Button>(R.id.save).setOnClickListener { save() }
        @Suppress("UNCHECKED_CAST") // returned by onRetainNonConfigurationInstance
        work = lastNonConfigurationInstance as BackgroundWork<Measured>? ?: newWork(state)
        work.listener = ::show
    }

    @Deprecated("Deprecated in Activity; the replacements are not part of the framework.")
    override fun onRetainNonConfigurationInstance(): Any = work

    /** Restores the last result after the death of the process. */
    private fun newWork(state: Bundle?): BackgroundWork<Measured> {
        val main = Handler(Looper.getMainLooper())
        val summary = state?.getString(SUMMARY)
        val report = state?.getString(REPORT)
        val initial =
            if (summary == null || report == null) WorkState.None else WorkState.Finished(Measured(summary, report))
        return BackgroundWork(initial) { main.post(it) }
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        val measured = measured() ?: return
        state.putString(SUMMARY, measured.summary)
        state.putString(REPORT, measured.report)
    }

    /** Stops a benchmark in the background, where other apps would disturb it. */
    override fun onStop() {
        if (!isChangingConfigurations) work.stop(byUser = false)
        super.onStop()
    }

    override fun onDestroy() {
        if (isChangingConfigurations) work.listener = null else work.close()
        super.onDestroy()
    }

    private fun measured(): Measured? = (work.state as? WorkState.Finished)?.value

    private fun start() {
        val runs = RUNS[findViewById<Spinner>(R.id.runs).selectedItemPosition]
        val context = applicationContext
        work.start(runs) { onStep -> measure(context, runs, onStep) }
    }

    private fun show(state: WorkState<Measured>) {
        val isRunning = state is WorkState.Running
        findViewById<Button>(R.id.start).setText(if (isRunning) R.string.stop else R.string.start)
        val screen = WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON
        if (isRunning) window.addFlags(screen) else window.clearFlags(screen)
        status.text =
            when (state) {
                is WorkState.None, is WorkState.Finished -> ""
                is WorkState.Running -> progress(state)
                is WorkState.Stopped -> getString(if (state.byUser) R.string.stopped else R.string.stopped_hidden)
                is WorkState.Failed -> Problem.of(state.error).message(this)
            }
        findViewById<TextView>(R.id.result).text = measured()?.summary.orEmpty()
        for (id in listOf(R.id.share, R.id.save)) findViewById<Button>(id).isEnabled = measured() != null
    }

    private fun progress(state: WorkState.Running): String =
        if (state.done == 0) getString(R.string.loading) else getString(R.string.progress, state.done, state.total)

    private fun share() {
        val report = measured()?.report ?: return
        val intent = Intent(Intent.ACTION_SEND).setType("application/json").putExtra(Intent.EXTRA_TEXT, report)
        startActivity(Intent.createChooser(intent, getString(R.string.share)))
    }

    private fun save() {
        val intent =
            Intent(Intent.ACTION_CREATE_DOCUMENT)
                .addCategory(Intent.CATEGORY_OPENABLE)
                .setType("application/json")
                .putExtra(Intent.EXTRA_TITLE, "results.json")
        try {
            startActivityForResult(intent, SAVE)
        } catch (error: ActivityNotFoundException) {
            status.text = getString(R.string.save_failed, error.reason())
        }
    }

    override fun onActivityResult(
        request: Int,
        result: Int,
        data: Intent?,
    ) {
        val uri = data?.data
        val report = measured()?.report
        if (request != SAVE || result != RESULT_OK || uri == null || report == null) return
        // The provider is another app, which may revoke the permission or throw any exception.
        guarded({ status.text = getString(R.string.save_failed, it.reason()) }) {
            write(uri, report)
            status.setText(R.string.saved)
        }
    }

    /** Overwrites the file; mode "w" would leave the end of a longer existing file. */
    private fun write(
        uri: Uri,
        report: String,
    ) {
        val stream = contentResolver.openOutputStream(uri, "wt") ?: throw FileNotFoundException(uri.toString())
        stream.use { it.write(report.toByteArray()) }
    }

    private companion object {
        val RUNS = listOf(50, 100, 500)
        const val SAVE = 1
        const val REPORT = "report"
        const val SUMMARY = "summary"
    }
}

/** Measures the chosen model; null if it was stopped before all runs were done. */
private fun measure(
    context: Context,
    runs: Int,
    onStep: (done: Int) -> Boolean,
): Measured? {
    val choice = Settings(context).choice
    val model = BundledModel.readAll(context.assets).chosen(choice)
    val image = readImage(context.assets, BundledModel.samples(context.assets).first())
    val before = deviceConditions(context)
    val begin = System.nanoTime()
    model.open(context, choice, attemptLogs(context), systemVersion(context)).use { segmenter ->
        val loadNs = System.nanoTime() - begin
        val benchmark = Benchmark(model.metadata, segmenter, WARMUP_RUNS, runs)
        val times = benchmark.measure(image, loadNs, onStep) ?: return null
        val apk = File(context.applicationInfo.sourceDir)
        val report =
            BenchmarkReport(
                app = "${context.packageName} ${appVersion(context)}",
                metadata = model.metadata,
                times = times,
                accelerator = segmenter.accelerator,
                isFullyAccelerated = segmenter.isFullyAccelerated,
                verdict = segmenter.verdict,
                rejections = segmenter.rejections,
                runtime = model.runtimeFacts(segmenter.runtime, segmenter.accelerator, apk, abi),
                threads = choice.threads,
                device = deviceFacts(context),
                before = before,
                after = deviceConditions(context),
            ).json()
        val backend = "${segmenter.runtime}, ${segmenter.accelerator}"
        val inference = times.inference
        val lines =
            listOf(context.getString(R.string.running_on, model.metadata.title, backend)) +
                notUsed(context, segmenter.rejections) +
                checked(context, segmenter.accelerator, segmenter.verdict) +
                context.getString(R.string.benchmark_result, inference.medianMs, inference.p90Ms)
        return Measured(lines.joinToString("\n"), report)
    }
}

private const val WARMUP_RUNS = 5
