package seaformer.demo

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.os.Bundle
import android.view.WindowManager
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.Spinner
import android.widget.TextView
import seaformer.core.Benchmark
import seaformer.core.BenchmarkReport
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.util.concurrent.Executors

/** Runs the model many times on a sample and gives the times away as a results.json. */
class BenchmarkActivity : Activity() {
    private val worker = Executors.newSingleThreadExecutor()
    private var report: String? = null

    @Volatile private var isRunning = false

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        actionBar?.setDisplayHomeAsUpEnabled(true)
        setContentView(R.layout.benchmark)
        findViewById<Spinner>(R.id.runs).adapter =
            ArrayAdapter(this, android.R.layout.simple_spinner_dropdown_item, RUNS)
        findViewById<Button>(R.id.start).setOnClickListener { if (isRunning) isRunning = false else start() }
        findViewById<Button>(R.id.share).setOnClickListener { share() }
        findViewById<Button>(R.id.save).setOnClickListener { save() }
        report = state?.getString(REPORT)
        val result = state?.getString(RESULT)
        if (result != null) findViewById<TextView>(R.id.result).text = result
        ready()
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        state.putString(REPORT, report)
        state.putString(RESULT, findViewById<TextView>(R.id.result).text.toString())
    }

    /** A benchmark that nobody looks at would be of a phone that does something else. */
    override fun onStop() {
        isRunning = false
        super.onStop()
    }

    override fun onDestroy() {
        worker.shutdown()
        super.onDestroy()
    }

    private fun start() {
        val runs = RUNS[findViewById<Spinner>(R.id.runs).selectedItemPosition]
        isRunning = true
        report = null
        findViewById<TextView>(R.id.status).setText(R.string.loading)
        findViewById<TextView>(R.id.result).text = ""
        findViewById<Button>(R.id.start).setText(R.string.stop)
        enableSharing()
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        worker.execute {
            try {
                measure(runs)
            } catch (error: Exception) {
                runOnUiThread { findViewById<TextView>(R.id.status).text = Problem.of(error).message(this) }
            } finally {
                isRunning = false
                runOnUiThread(::ready)
            }
        }
    }

    private fun measure(runs: Int) {
        val choice = Settings(this).choice
        val model = BundledModel.read(assets)
        val picture = readPicture(assets, model.samples.first())
        val before = deviceConditions(this)
        val begin = System.nanoTime()
        model.open(choice).use { segmenter ->
            val loadNs = System.nanoTime() - begin
            val times =
                Benchmark(model.metadata, segmenter, WARMUP_RUNS, runs).measure(picture, loadNs) { done ->
                    if (done % PROGRESS_STEP == 0) showProgress(done, runs)
                    isRunning
                } ?: return
            val text =
                BenchmarkReport(
                    app = "$packageName ${appVersion(this)}",
                    metadata = model.metadata,
                    times = times,
                    accelerator = segmenter.accelerator,
                    rejections = segmenter.rejections,
                    runtime = model.runtimeFacts(segmenter.runtime, File(applicationInfo.sourceDir), abi),
                    threads = choice.threads,
                    device = deviceFacts(this),
                    before = before,
                    after = deviceConditions(this),
                ).json()
            val result =
                getString(R.string.benchmark_result, times.inference.medianMs, times.inference.p90Ms)
            val where =
                getString(R.string.running_on, model.metadata.title, "${segmenter.runtime}, ${segmenter.accelerator}")
            runOnUiThread {
                report = text
                findViewById<TextView>(R.id.result).text = getString(R.string.two_lines, where, result)
            }
        }
    }

    private fun showProgress(
        done: Int,
        runs: Int,
    ) = runOnUiThread { findViewById<TextView>(R.id.status).text = getString(R.string.progress, done, runs) }

    private fun ready() {
        window.clearFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        findViewById<Button>(R.id.start).apply {
            isEnabled = true
            setText(R.string.start)
        }
        if (findViewById<TextView>(R.id.status).text.toString() == getString(R.string.loading)) {
            findViewById<TextView>(R.id.status).text = ""
        }
        enableSharing()
    }

    private fun enableSharing() {
        for (id in listOf(R.id.share, R.id.save)) findViewById<Button>(id).isEnabled = report != null
    }

    private fun share() {
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
            findViewById<TextView>(R.id.status).text = getString(R.string.save_failed, error.reason())
        }
    }

    override fun onActivityResult(
        request: Int,
        result: Int,
        data: Intent?,
    ) {
        val uri = data?.data
        val text = report
        if (request != SAVE || result != RESULT_OK || uri == null || text == null) return
        val message =
            try {
                val stream = contentResolver.openOutputStream(uri) ?: throw FileNotFoundException(uri.toString())
                stream.use { it.write(text.toByteArray()) }
                getString(R.string.saved)
            } catch (error: IOException) {
                getString(R.string.save_failed, error.reason())
            }
        findViewById<TextView>(R.id.status).text = message
    }

    private companion object {
        val RUNS = listOf(50, 100, 500)
        const val WARMUP_RUNS = 5
        const val PROGRESS_STEP = 5
        const val SAVE = 1
        const val REPORT = "report"
        const val RESULT = "result"
    }
}
