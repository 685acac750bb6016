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
 * A bundled model that is ready to run. For one thread at a time, and not for the main thread.
 *
 * @property metadata what the export says about itself: labels, shapes, precision, verification.
 */
class ImageModel private constructor(
    val metadata: ModelMetadata,
    private val segmenter: FallbackSegmenter,
) : AutoCloseable {
    private val analyzer = Analyzer(metadata, segmenter, UpsamplingFactory(::fastestUpsampling))
    private val colors = ClassColors(metadata.palette)

    /** Runtime and version, such as "LiteRT". */
    val runtime: String get() = segmenter.runtime

    /** What runs the model now. It changes when an accelerator fails while it is used. */
    val accelerator: Accelerator get() = segmenter.accelerator

    /** How its output on [accelerator] compares with what it computed when it was bundled. */
    val verdict: Verdict get() = segmenter.verdict

    /** The accelerators that were given up, and why. */
    val rejections: List<Rejection> get() = segmenter.rejections

    /**
     * Runs the model on an image, which is not changed.
     *
     * @return of a segmentation the mask, at the size of the part of the image that the model saw; of
     *     a classification the classes, most probable first; and the nanoseconds of each stage.
     * @throws NoAcceleratorException all accelerators have failed.
     */
    fun analyze(image: Bitmap): Analysis = analyzer.analyze(pixelsOf(image))

    /** How much of the mask each class takes, largest first. */
    fun shares(mask: ClassMask): List<ClassShare> = classShares(mask, metadata.labels, colors)

    /** The analysed image with its classes in colour; null if the model classifies. */
    fun overlay(
        analysis: Analysis,
        opacity: Double = 0.5,
    ): Bitmap? {
        val mask = analysis.mask ?: return null
        val blended = blend(analysis.photograph, mask, colors, opacity)
        return Bitmap.createBitmap(blended.pixels, blended.width, blended.height, Bitmap.Config.ARGB_8888)
    }

    override fun close() = segmenter.close()

    companion object {
        private const val FOLDER = "seaformer"
        private const val GOLDEN = "golden"
        private var logs: AttemptLogs? = null

        /** What the exports of all bundled models say about themselves, in the order they were bundled. */
        fun list(context: Context): List<ModelMetadata> = all(context).values.toList()

        /**
         * Makes a model ready, which takes up to some seconds.
         *
         * @param file name of its file; null for the first that was bundled.
         * @param accelerators what to try, best first. Each is asked for alone and has to compute what
         *     the model computed when it was bundled; one whose driver has ended the app before is
         *     skipped. What was given up is in [rejections], nothing falls back in silence. The CPU is
         *     used even if its output differs, which [verdict] says.
         * @param threads of the CPU.
         * @throws MetadataException there is no such model, or its file is not the one described.
         * @throws NoAcceleratorException no accelerator can run it; the message has the reasons.
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
                throw MetadataException("there is no model '$file' among the assets. Bundled: $names")
            }
            val metadata = all.getValue(description)
            val name = metadata.file.name
            val runtime =
                RUNTIMES.firstOrNull { name.endsWith(it.suffix) }
                    ?: throw MetadataException("$name is of a format that this module does not run")
            val asset = ModelAsset(context, "$FOLDER/$name", metadata.file.sha256)
            asset.content // of a file that is damaged no accelerator is to blame
            val attempts = logsOf(context).of("${metadata.file.sha256} ${Build.FINGERPRINT}")
            val segmenter =
                FallbackSegmenter(accelerators, checkOf(context, metadata, description), attempts) {
                    // Where FastRPC looks for the library that runs on the Hexagon.
                    if (it == Accelerator.NPU) Os.setenv("ADSP_LIBRARY_PATH", asset.libraries.path, true)
                    runtime.open(asset, metadata, it, threads)
                }
            return ImageModel(metadata, segmenter)
        }

        /** Name of the description -> what it says. */
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

        /** One for the process, see [AttemptLogs]. */
        @Synchronized
        private fun logsOf(context: Context): AttemptLogs =
            logs ?: AttemptLogs(File(context.noBackupFilesDir, "seaformer-attempts")).also { logs = it }

        private fun pixelsOf(image: Bitmap): RgbImage {
            // The pixels of a hardware bitmap, which ImageDecoder makes by default, cannot be read.
            val isHardware = Build.VERSION.SDK_INT >= 26 && image.config == Bitmap.Config.HARDWARE
            val readable = if (isHardware) image.copy(Bitmap.Config.ARGB_8888, false) else image
            val pixels = IntArray(readable.width * readable.height)
            readable.getPixels(pixels, 0, readable.width, 0, 0, readable.width, readable.height)
            return RgbImage(readable.width, readable.height, pixels)
        }
    }
}
