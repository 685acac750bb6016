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

/** There is no model in the app's assets. */
class NoModelException : Exception()

/**
 * What the user chose: a model, by the name of its file, and what runs it. A null [model] is the
 * first, a null [accelerator] the best that can.
 */
data class Choice(
    val model: String?,
    val accelerator: Accelerator?,
    val threads: Int,
) {
    val order: List<Accelerator> get() = Accelerator.order(accelerator)
}

/** A model that seaformer-bundle put into the assets, and its JSON. */
class BundledModel private constructor(
    private val assets: AssetManager,
    private val description: String,
    val metadata: ModelMetadata,
) {
    private val file = metadata.file.name
    private val isTflite = file.endsWith(".tflite")

    /**
     * Checks that the file is the one that the JSON is about, and makes it ready on the first
     * accelerator that computes what it has to.
     *
     * @param logs what is skipped because it has ended the app before.
     * @param system all else that decides what can run: versions of the app and of the phone's system.
     * @throws MetadataException it is another file.
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

    /** What is skipped of this model. */
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
        // ONNX Runtime looks at it when it is loaded; setTelemetry comes after its first event.
        Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)
        return OrtSegmenter(onnx, metadata, accelerator, threads, File(libraries))
    }

    /** The file as it lies in the APK, uncompressed: nothing of it is on the heap. */
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
        if (hash != metadata.file.sha256) throw MetadataException("$file has another SHA-256 than its JSON says")
    }

    /** Describes the library that runs the model on an accelerator; its hash is of the file in the installed app. */
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
            val entry = zip.getEntry(name) ?: throw FileNotFoundException("there is no $name in the app")
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
         * Reads what the JSONs say, in the order that the models were bundled.
         *
         * @throws NoModelException there is none.
         * @throws MetadataException a JSON cannot be used.
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

/** The chosen one; the first if there is none of that name, as another bundle has others. */
fun List<BundledModel>.chosen(choice: Choice): BundledModel =
    firstOrNull { it.metadata.file.name == choice.model } ?: first()
