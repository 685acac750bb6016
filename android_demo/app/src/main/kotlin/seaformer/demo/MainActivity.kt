package seaformer.demo

import android.Manifest
import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.os.Bundle
import android.view.Menu
import android.view.MenuItem
import android.view.Surface
import android.view.View
import android.view.WindowManager
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.ListView
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.TextView
import seaformer.core.Accelerator
import seaformer.core.Analysis
import seaformer.core.ClassColors
import seaformer.core.Kind
import seaformer.core.LegendRow
import seaformer.core.above
import seaformer.core.blend
import seaformer.core.guarded
import seaformer.core.legendOf
import seaformer.core.spokenLabels
import java.util.concurrent.Executors

/** The main screen: a sample, a photo or the camera, with the predicted classes. */
class MainActivity :
    Activity(),
    EngineListener {
    private lateinit var engine: Engine
    private lateinit var settings: Settings
    private lateinit var legend: LegendAdapter

    /** A header that scrolls with the legend, because with large text they may not fit together. */
    private lateinit var controls: View
    private val reading = Executors.newSingleThreadExecutor()
    private var camera: CameraFeed? = null

    /** The image source, which survives the death of the process: "asset:NAME" or a photo's URI. */
    private var source: String? = null
    private var isolated: Int? = null
    private var wantsCamera = false
    private var notice: String? = null

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContentView(R.layout.main)
        settings = Settings(this)
        source = state?.getString(SOURCE)
        isolated = state?.getInt(ISOLATED, NONE)?.takeIf { it != NONE }
        wantsCamera = state?.getBoolean(CAMERA) ?: false
        showControls()
        val retained = lastNonConfigurationInstance as Engine?
        engine = retained ?: Engine(this, settings.choice)
        engine.listener = this
        // After the death of the process the source is restored, but its image has to be read again.
        if (retained == null) source?.let(::load)
    }

    @Deprecated("Deprecated in Activity; the replacements are not part of the framework.")
    override fun onRetainNonConfigurationInstance(): Any = engine

    override fun onResume() {
        super.onResume()
        if (wantsCamera) startCamera()
    }

    override fun onPause() {
        camera?.close()
        camera = null
        super.onPause()
    }

    override fun onDestroy() {
        engine.listener = null
        reading.shutdown()
        if (!isChangingConfigurations) engine.close()
        super.onDestroy()
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        state.putString(SOURCE, source)
        state.putInt(ISOLATED, isolated ?: NONE)
        state.putBoolean(CAMERA, wantsCamera)
    }

    override fun onCreateOptionsMenu(menu: Menu): Boolean {
        menuInflater.inflate(R.menu.main, menu)
        return true
    }

    override fun onOptionsItemSelected(item: MenuItem): Boolean {
        when (item.itemId) {
            R.id.benchmark -> startActivity(Intent(this, BenchmarkActivity::class.java))
            R.id.retry -> use(settings.choice, retriesCrashed = true)
            R.id.about -> startActivity(Intent(this, AboutActivity::class.java))
            else -> return super.onOptionsItemSelected(item)
        }
        return true
    }

    // ---- Controls -----------------------------------------------------------------------------

    private fun showControls() {
        legend = LegendAdapter(this)
        findViewById<ListView>(R.id.legend).apply {
            controls = layoutInflater.inflate(R.layout.controls, this, false)
            addHeaderView(controls, null, false)
            adapter = legend
            onItemClickListener =
                AdapterView.OnItemClickListener { parent, _, position, _ ->
                    val id = (parent.getItemAtPosition(position) as LegendRow).id
                    isolated = if (isolated == id) null else id
                    engine.analysis?.let(::draw)
                }
        }
        controls.findViewById<Button>(R.id.sample).setOnClickListener { showNextSample() }
        controls.findViewById<Button>(R.id.photo).setOnClickListener { pickPhoto() }
        val camera = controls.findViewById<Button>(R.id.camera)
        camera.setOnClickListener { if (wantsCamera) stopCamera() else askForCamera() }
        slider(R.id.opacity, settings.opacityPercent) { settings.opacityPercent = it }
        slider(R.id.least_score, settings.leastScorePercent) { settings.leastScorePercent = it }
        val names = listOf(getString(R.string.accelerator_best)) + Accelerator.entries.map { it.name }
        val chosen = settings.choice
        choices(R.id.accelerator, names, chosen.accelerator?.let { it.ordinal + 1 } ?: 0) { position ->
            choose(settings.choice.copy(accelerator = Accelerator.entries.getOrNull(position - 1)))
        }
        val threads = settings.possibleThreads
        choices(R.id.threads, threads.map(Int::toString), threads.indexOf(chosen.threads)) { position ->
            choose(settings.choice.copy(threads = threads[position]))
        }
    }

    private fun choices(
        id: Int,
        names: List<String>,
        selected: Int,
        onChosen: (Int) -> Unit,
    ) {
        val spinner = controls.findViewById<Spinner>(id)
        val adapter = ArrayAdapter(this, android.R.layout.simple_spinner_item, names)
        adapter.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item)
        spinner.adapter = adapter
        spinner.setSelection(maxOf(selected, 0))
        spinner.onItemSelectedListener = SelectionListener(onChosen)
    }

    private fun choose(choice: Choice) {
        if (choice == settings.choice) return
        if (choice.model != settings.choice.model) isolated = null
        settings.choice = choice
        use(choice)
    }

    private fun use(
        choice: Choice,
        retriesCrashed: Boolean = false,
    ) {
        notice = null
        controls.findViewById<TextView>(R.id.status).setText(R.string.loading)
        engine.use(choice, retriesCrashed)
    }

    /** Sets up a slider that changes how the last result is drawn. */
    private fun slider(
        id: Int,
        percent: Int,
        store: (Int) -> Unit,
    ) {
        controls.findViewById<SeekBar>(id).apply {
            progress = percent
            setOnSeekBarChangeListener(
                ProgressListener {
                    store(it)
                    engine.analysis?.let(::draw)
                },
            )
        }
    }

    // ---- Sources ------------------------------------------------------------------------------

    private fun showNextSample() {
        val samples = engine.bundle?.samples.orEmpty()
        if (samples.isEmpty()) return
        stopCamera()
        val last = samples.indexOf(source?.removePrefix(ASSET))
        show(ASSET + samples[(last + 1) % samples.size])
    }

    private fun pickPhoto() {
        val intent = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*")
        try {
            startActivityForResult(intent, PICK)
        } catch (_: ActivityNotFoundException) {
            report(getString(R.string.no_picker))
        }
    }

    override fun onActivityResult(
        request: Int,
        result: Int,
        data: Intent?,
    ) {
        val uri = data?.data
        if (request != PICK || result != RESULT_OK || uri == null) return
        try {
            // Lets the app read the photo after the death of the process.
            contentResolver.takePersistableUriPermission(uri, Intent.FLAG_GRANT_READ_URI_PERMISSION)
        } catch (_: SecurityException) {
            // Some providers grant only a temporary permission, which is sufficient for now.
        }
        stopCamera()
        show(uri.toString())
    }

    private fun show(name: String) {
        source = name
        isolated = null
        notice = null
        load(name)
    }

    /** Reads an image and analyzes it. */
    private fun load(name: String) {
        reading.execute {
            guarded({ error -> runOnUiThread { report(imageProblem(error)) } }) {
                val image =
                    if (name.startsWith(ASSET)) {
                        readImage(assets, name.removePrefix(ASSET))
                    } else {
                        readImage(contentResolver, Uri.parse(name))
                    }
                runOnUiThread { if (source == name && !wantsCamera) engine.analyze(image) }
            }
        }
    }

    private fun imageProblem(error: Throwable): String =
        if (error is SecurityException) {
            getString(R.string.image_lost)
        } else {
            getString(R.string.image_failed, error.reason())
        }

    private fun askForCamera() {
        if (checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED) {
            startCamera()
        } else {
            requestPermissions(arrayOf(Manifest.permission.CAMERA), ASK)
        }
    }

    override fun onRequestPermissionsResult(
        request: Int,
        permissions: Array<String>,
        results: IntArray,
    ) {
        if (request != ASK) return
        if (results.firstOrNull() == PackageManager.PERMISSION_GRANTED) {
            startCamera()
        } else {
            report(getString(R.string.camera_refused))
        }
    }

    private fun startCamera() {
        if (camera != null) return
        if (checkSelfPermission(Manifest.permission.CAMERA) != PackageManager.PERMISSION_GRANTED) {
            // Revoked in the system settings while the app was in the background.
            stopCamera()
            return report(getString(R.string.camera_refused))
        }
        wantsCamera = true
        notice = null
        isolated = null
        engine.clearLatencies()
        val feed =
            CameraFeed(this, displayDegrees(), engine::offer) { reason ->
                runOnUiThread {
                    if (camera != null) {
                        stopCamera()
                        report(getString(R.string.camera_failed, reason))
                    }
                }
            }
        camera = feed
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        controls.findViewById<Button>(R.id.camera).setText(R.string.stop_camera)
        if (!feed.open()) {
            stopCamera()
            report(getString(R.string.camera_missing))
        }
    }

    private fun stopCamera() {
        wantsCamera = false
        camera?.close()
        camera = null
        window.clearFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        controls.findViewById<Button>(R.id.camera).setText(R.string.camera)
        engine.clearLatencies()
    }

    @Suppress("DEPRECATION") // its successor needs Android 11
    private fun displayDegrees(): Int =
        when (windowManager.defaultDisplay.rotation) {
            Surface.ROTATION_90 -> 90
            Surface.ROTATION_180 -> 180
            Surface.ROTATION_270 -> 270
            else -> 0
        }

    // ---- Results ------------------------------------------------------------------------------

    override fun onBundle(bundle: AppBundle) {
        choices(R.id.model, bundle.names, bundle.chosen) { position ->
            // If the stored name is no longer in the app, the first model is selected instead.
            if (position != bundle.chosen) choose(settings.choice.copy(model = bundle.files[position]))
        }
        controls.findViewById<View>(R.id.models).visibility = visible(bundle.names.size > 1)
    }

    private fun visible(isVisible: Boolean): Int = if (isVisible) View.VISIBLE else View.GONE

    override fun onRunning(running: Running) {
        val lines =
            mutableListOf(
                getString(R.string.running_on, running.metadata.title, "${running.runtime}, ${running.accelerator}"),
            )
        lines += notUsed(this, running.rejections)
        lines += checked(this, running.accelerator, running.verdict)
        if (running.metadata.weightsAreRandom) lines += getString(R.string.random_weights)
        notice?.let(lines::add)
        controls.findViewById<TextView>(R.id.status).text = lines.joinToString("\n")
        val kind = running.metadata.kind
        controls.findViewById<View>(R.id.opacity).visibility = visible(kind == Kind.SEGMENTATION)
        controls.findViewById<View>(R.id.scores).visibility = visible(kind == Kind.DETECTION)
        if (source == null && !wantsCamera) showNextSample()
    }

    override fun onAnalysis(
        analysis: Analysis,
        medians: Medians?,
    ) {
        draw(analysis)
        if (medians == null) controls.findViewById<TextView>(R.id.times).text = "" else onMedians(medians)
    }

    override fun onMedians(medians: Medians) {
        val text = getString(R.string.times, medians.preMs, medians.runMs, medians.postMs)
        val frames = engine.passedFrames + engine.droppedFrames
        controls.findViewById<TextView>(R.id.times).apply {
            this.text =
                if (wantsCamera) getString(R.string.dropped_frames, text, engine.droppedFrames, frames) else text
            contentDescription = getString(R.string.times_spoken, medians.preMs, medians.runMs, medians.postMs)
        }
    }

    override fun onHang(
        accelerator: Accelerator,
        seconds: Long,
    ) {
        controls.findViewById<TextView>(R.id.status).text = getString(R.string.hangs, accelerator, seconds)
    }

    override fun onProblem(problem: Problem) = report(problem.message(this))

    private fun report(message: String) {
        notice = message
        controls.findViewById<TextView>(R.id.status).text = message
    }

    private fun draw(analysis: Analysis) = guarded({ report(Problem.of(it).message(this)) }) { drawn(analysis) }

    private fun drawn(analysis: Analysis) {
        val metadata = engine.running?.metadata ?: return
        val colors = ClassColors(metadata.palette)
        val opacity = settings.opacityPercent / 100.0
        val image =
            analysis.mask?.let { blend(analysis.photograph, it, colors, opacity, isolated) } ?: analysis.photograph
        val leastScore = settings.leastScorePercent / 100f
        val detections = analysis.detections.orEmpty().above(leastScore)
        val rows = legendOf(analysis, metadata, leastScore)
        findViewById<DetectionView>(R.id.image).apply {
            show(image, detections.filter { isolated == null || it.id == isolated }, colors)
            contentDescription = spoken(analysis, rows)
        }
        controls.findViewById<TextView>(R.id.found).text =
            getString(R.string.found, settings.leastScorePercent, detections.size)
        legend.show(rows, isolated, canIsolate = analysis.ranking == null)
    }

    private fun spoken(
        analysis: Analysis,
        rows: List<LegendRow>,
    ): String =
        when {
            analysis.detections == null -> getString(R.string.image_spoken, spokenLabels(rows))
            rows.isEmpty() -> getString(R.string.image_empty_spoken)
            else -> getString(R.string.image_objects_spoken, spokenLabels(rows))
        }

    private companion object {
        const val PICK = 1
        const val ASK = 2
        const val NONE = -1
        const val ASSET = "asset:"
        const val SOURCE = "source"
        const val ISOLATED = "isolated"
        const val CAMERA = "camera"
    }
}

/** Calls [onChosen] with the position of the selected entry of a spinner. */
class SelectionListener(
    private val onChosen: (Int) -> Unit,
) : AdapterView.OnItemSelectedListener {
    override fun onItemSelected(
        parent: AdapterView<*>?,
        view: View?,
        position: Int,
        id: Long,
    ) = onChosen(position)

    override fun onNothingSelected(parent: AdapterView<*>?) = Unit
}

/** Calls [onChanged] with the position of a slider while it is moved. */
class ProgressListener(
    private val onChanged: (Int) -> Unit,
) : SeekBar.OnSeekBarChangeListener {
    override fun onProgressChanged(
        bar: SeekBar,
        progress: Int,
        fromUser: Boolean,
    ) = onChanged(progress)

    override fun onStartTrackingTouch(bar: SeekBar) = Unit

    override fun onStopTrackingTouch(bar: SeekBar) = Unit
}
