package seaformer.demo

import android.content.Context
import android.content.res.AssetManager
import android.system.Os
import seaformer.core.Accelerator
import seaformer.core.AttemptLog
import seaformer.core.AttemptLogs
import seaformer.core.FallbackSegmenter
import seaformer.core.GoldenCheck
import seaformer.core.MetadataException
import seaformer.core.ModelMetadata
import seaformer.core.RuntimeFacts
import seaformer.core.Segmenter
import seaformer.core.backend
import seaformer.core.descriptionsOf
import seaformer.core.hex
import java.io.File
import java.io.FileNotFoundException
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.security.MessageDigest
import java.util.zip.ZipFile

/** The app's assets contain no model. */
class NoModelException : Exception()

/**
 * The user's choice of a model, by file name, and of what runs it. A null [model] stands for the first
 * model, and a null [accelerator] for the best accelerator that works.
 */
data class Choice(
    val model: String?,
    val accelerator: Accelerator?,
    val threads: Int,
) {
    val order: List<Accelerator> get() = Accelerator.order(accelerator)
}

/** A model in the assets, with its metadata, written by seaformer-bundle. */
class BundledModel private constructor(
    private val assets: AssetManager,
    private val description: String,
    val metadata: ModelMetadata,
) {
    private val file = metadata.file.name
    private val isTflite = file.endsWith(".tflite")

    /**
     * Checks the file against the hash in its JSON, and loads it on the first accelerator that
     * passes the check.
     *
     * @param logs accelerators to skip because they crashed the app before.
     * @param system versions of the app and of the phone's system, which affect what can run.
     * @throws MetadataException the file differs from what its JSON describes.
     */
    fun open(
        context: Context,
        choice: Choice,
        logs: AttemptLogs,
        system: String,
    ): FallbackSegmenter {
        checkFile()
        val onnx = if (isTflite) null else mapped()
        return FallbackSegmenter(choice.order, check(), attempts(logs, system)) {
            open(context, it, choice.threads, onnx)
        }
    }

    /** The log of the accelerators to skip for this model. */
    fun attempts(
        logs: AttemptLogs,
        system: String,
    ): AttemptLog = logs.of("${metadata.file.sha256} $system")

    private fun check(): GoldenCheck =
        try {
            val stem = "$GOLDEN/${description.removeSuffix(".json")}"
            GoldenCheck(metadata, read("$stem.json").decodeToString(), read("$stem.bin"), read("$GOLDEN/image.rgb"))
        } catch (error: FileNotFoundException) {
            throw MetadataException("the golden output of $file is missing", error)
        }

    private fun read(name: String): ByteArray = assets.open(name).use { it.readBytes() }

    private fun open(
        context: Context,
        accelerator: Accelerator,
        threads: Int,
        onnx: ByteBuffer?,
    ): Segmenter {
        val libraries = context.applicationInfo.nativeLibraryDir
        // Where FastRPC looks for the library that runs on the Hexagon.
        if (accelerator == Accelerator.NPU) Os.setenv("ADSP_LIBRARY_PATH", libraries, true)
        if (onnx == null) return LiteRtSegmenter(context, file, metadata, accelerator, threads)
        // Read when ONNX Runtime is loaded; setTelemetry would come too late for the first event.
        Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)
        return OrtSegmenter(onnx, metadata, accelerator, threads, File(libraries))
    }

    /** Maps the file, which is uncompressed in the APK, without using heap memory. */
    private fun mapped(): ByteBuffer =
        assets.openFd(file).use { descriptor ->
            descriptor.createInputStream().channel.use {
                it.map(FileChannel.MapMode.READ_ONLY, descriptor.startOffset, descriptor.length)
            }
        }

    private fun checkFile() {
        val hash =
            try {
                assets.open(file).use(::sha256)
            } catch (error: FileNotFoundException) {
                throw MetadataException("$file is missing", error)
            }
        if (hash != metadata.file.sha256) throw MetadataException("the SHA-256 of $file does not match its JSON")
    }

    /** Describes the library that runs the model, with the hash of its file in the installed app. */
    fun runtimeFacts(
        runtime: String,
        accelerator: Accelerator,
        apk: File,
        abi: String,
    ): RuntimeFacts {
        val name = if (isTflite) LiteRtSegmenter.NAME else OrtSegmenter.NAME
        val library = if (isTflite) LiteRtSegmenter.LIBRARY else OrtSegmenter.LIBRARY
        return RuntimeFacts(
            backend = backend(isTflite, accelerator),
            name = name,
            version = runtime.removePrefix(name).trim().ifEmpty { null },
            file = library,
            sha256 = sha256InApk(apk, "lib/$abi/$library"),
        )
    }

    private fun sha256InApk(
        apk: File,
        name: String,
    ): String =
        ZipFile(apk).use { zip ->
            val entry = zip.getEntry(name) ?: throw FileNotFoundException("the app has no $name")
            zip.getInputStream(entry).use(::sha256)
        }

    companion object {
        private const val SAMPLES = "samples"
        private const val GOLDEN = "golden"

        /** Names of the sample images, in order. */
        fun samples(assets: AssetManager): List<String> =
            assets
                .list(SAMPLES)
                .orEmpty()
                .sorted()
                .map { "$SAMPLES/$it" }

        /**
         * Reads the JSON files of all models, in the order of bundling.
         *
         * @throws NoModelException there is no model.
         * @throws MetadataException a JSON file cannot be used.
         */
        fun readAll(assets: AssetManager): List<BundledModel> {
            val descriptions = descriptionsOf(assets.list("").orEmpty().asList())
            if (descriptions.isEmpty()) throw NoModelException()
            return descriptions.map { name ->
                val text = assets.open(name).use { it.readBytes().decodeToString() }
                BundledModel(assets, name, ModelMetadata.parse(text))
            }
        }

        private fun sha256(stream: InputStream): String {
            val digest = MessageDigest.getInstance("SHA-256")
            val buffer = ByteArray(1 shl 16)
            while (true) {
                val count = stream.read(buffer)
                if (count < 0) return hex(digest.digest())
                digest.update(buffer, 0, count)
            }
        }
    }
}

/** The chosen model, or the first one if the chosen model is no longer in the app. */
fun List<BundledModel>.chosen(choice: Choice): BundledModel =
    firstOrNull { it.metadata.file.name == choice.model } ?: first()
