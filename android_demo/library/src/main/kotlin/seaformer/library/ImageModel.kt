package seaformer.library

import android.content.Context
import android.graphics.Bitmap
import android.os.Build
import android.system.Os
import seaformer.core.Accelerator
import seaformer.core.Analysis
import seaformer.core.Analyzer
import seaformer.core.AttemptLogs
import seaformer.core.ClassColors
import seaformer.core.ClassMask
import seaformer.core.ClassShare
import seaformer.core.FallbackSegmenter
import seaformer.core.GoldenCheck
import seaformer.core.MetadataException
import seaformer.core.ModelMetadata
import seaformer.core.NoAcceleratorException
import seaformer.core.Rejection
import seaformer.core.RgbImage
import seaformer.core.UpsamplingFactory
import seaformer.core.Verdict
import seaformer.core.blend
import seaformer.core.classShares
import seaformer.core.descriptionsOf
import java.io.File
import java.io.FileNotFoundException

/**
 * A loaded model of this module. Not thread-safe; use it on a background thread.
 *
 * @property metadata metadata of the export: labels, shapes, precision, verification.
 */
class ImageModel private constructor(
    val metadata: ModelMetadata,
    private val segmenter: FallbackSegmenter,
) : AutoCloseable {
    private val analyzer = Analyzer(metadata, segmenter, UpsamplingFactory(::fastestUpsampling))
    private val colors = ClassColors(metadata.palette)

    /** Name of the runtime, with its version if the runtime reports it. */
    val runtime: String get() = segmenter.runtime

    /** The accelerator in use. It changes if an accelerator fails during a run. */
    val accelerator: Accelerator get() = segmenter.accelerator

    /** Comparison of the output on [accelerator] with the output computed when the model was bundled. */
    val verdict: Verdict get() = segmenter.verdict

    /** The rejected accelerators, with the reasons. */
    val rejections: List<Rejection> get() = segmenter.rejections

    /**
     * Runs the model on an image, which is not modified.
     *
     * @return for segmentation the mask, at the resolution of the part of the image that the model saw;
     *     for classification the classes, most probable first; for detection the objects, highest score
     *     first, with boxes in pixels of the image; and the duration of each stage.
     * @throws NoAcceleratorException all accelerators have failed.
     */
    fun analyze(image: Bitmap): Analysis = analyzer.analyze(pixelsOf(image))

    /** The share of the mask that each class covers, largest first. */
    fun shares(mask: ClassMask): List<ClassShare> = classShares(mask, metadata.labels, colors)

    /** The analyzed image with its classes in color; null unless the model segments. */
    fun overlay(
        analysis: Analysis,
        opacity: Double = 0.5,
    ): Bitmap? {
        val mask = analysis.mask ?: return null
        val blended = blend(analysis.photograph, mask, colors, opacity)
        return Bitmap.createBitmap(blended.pixels, blended.width, blended.height, Bitmap.Config.ARGB_8888)
    }

    /** The packed color of a class, from the model's palette or generated. */
    fun colorOf(id: Int): Int = colors[id]

    override fun close() = segmenter.close()

    companion object {
        private const val FOLDER = "seaformer"
        private const val GOLDEN = "golden"
        private var logs: AttemptLogs? = null

        /** The metadata of all models of this module, in the order of bundling. */
        fun list(context: Context): List<ModelMetadata> = all(context).values.toList()

        /**
         * Loads a model, which may take several seconds.
         *
         * @param file name of the model file; null for the first model.
         * @param accelerators accelerators to try, best first. Each has to run the whole model and
         *     reproduce the output computed when the model was bundled; accelerators that crashed the
         *     app before are skipped. [rejections] lists the accelerators that were not used. The CPU is
         *     used even if its output differs, which [verdict] reports.
         * @param threads number of CPU threads.
         * @throws MetadataException there is no such model, or its file does not match its metadata.
         * @throws NoAcceleratorException no accelerator can run the model; the message gives the reasons.
         */
        fun open(
            context: Context,
            file: String? = null,
            accelerators: List<Accelerator> = listOf(Accelerator.CPU),
            threads: Int = 4,
        ): ImageModel {
            val all = all(context)
            val description = all.keys.firstOrNull { file == null || all.getValue(it).file.name == file }
            if (description == null) {
                val names = all.values.joinToString { it.file.name }
                throw MetadataException("the module has no model '$file'. Available: $names")
            }
            val metadata = all.getValue(description)
            val name = metadata.file.name
            val runtime =
                RUNTIMES.firstOrNull { name.endsWith(it.suffix) }
                    ?: throw MetadataException("this module does not support the format of $name")
            val asset = ModelAsset(context, "$FOLDER/$name", metadata.file.sha256)
            asset.content // fails early: a damaged file is not the fault of an accelerator
            val attempts = logsOf(context).of("${metadata.file.sha256} ${Build.FINGERPRINT}")
            val segmenter =
                FallbackSegmenter(accelerators, checkOf(context, metadata, description), attempts) {
                    // Where FastRPC looks for the library that runs on the Hexagon.
                    if (it == Accelerator.NPU) Os.setenv("ADSP_LIBRARY_PATH", asset.libraries.path, true)
                    runtime.open(asset, metadata, it, threads)
                }
            return ImageModel(metadata, segmenter)
        }

        /** Asset name of each description -> its metadata. */
        private fun all(context: Context): Map<String, ModelMetadata> =
            descriptionsOf(assetsOf(context)).associateWith {
                ModelMetadata.parse(read(context, it).decodeToString())
            }

        private fun checkOf(
            context: Context,
            metadata: ModelMetadata,
            description: String,
        ): GoldenCheck =
            try {
                val stem = "$GOLDEN/${description.removeSuffix(".json")}"
                val (values, image) = listOf("$stem.bin", "$GOLDEN/image.rgb").map { read(context, it) }
                GoldenCheck(metadata, read(context, "$stem.json").decodeToString(), values, image)
            } catch (error: FileNotFoundException) {
                throw MetadataException("the golden output of ${metadata.file.name} is missing", error)
            }

        private fun read(
            context: Context,
            name: String,
        ): ByteArray = context.assets.open("$FOLDER/$name").use { it.readBytes() }

        private fun assetsOf(context: Context): List<String> =
            context.assets
                .list(FOLDER)
                .orEmpty()
                .asList()

        /** The only instance in this process, see [AttemptLog]. */
        @Synchronized
        private fun logsOf(context: Context): AttemptLogs =
            logs ?: AttemptLogs(File(context.noBackupFilesDir, "seaformer-attempts")).also { logs = it }

        private fun pixelsOf(image: Bitmap): RgbImage {
            // Pixels of hardware bitmaps, the default of ImageDecoder, cannot be read directly.
            val isHardware = Build.VERSION.SDK_INT >= 26 && image.config == Bitmap.Config.HARDWARE
            val readable = if (isHardware) image.copy(Bitmap.Config.ARGB_8888, false) else image
            val pixels = IntArray(readable.width * readable.height)
            readable.getPixels(pixels, 0, readable.width, 0, 0, readable.width, readable.height)
            return RgbImage(readable.width, readable.height, pixels)
        }
    }
}
