package seaformer.demo

import android.content.res.AssetManager
import android.system.Os
import seaformer.core.Accelerator
import seaformer.core.FallbackSegmenter
import seaformer.core.MetadataException
import seaformer.core.ModelMetadata
import seaformer.core.Picture
import seaformer.core.Preprocessor
import seaformer.core.RuntimeFacts
import seaformer.core.Segmenter
import seaformer.core.hex
import java.io.File
import java.io.FileNotFoundException
import java.io.InputStream
import java.security.MessageDigest
import java.util.zip.ZipFile

/** There is no model in the app's assets. */
class NoModelException : Exception()

/** What runs the model: the user's choice. A null [accelerator] is the best that can. */
data class Choice(
    val accelerator: Accelerator?,
    val threads: Int,
) {
    val order: List<Accelerator> get() = accelerator?.let(::listOf) ?: Accelerator.entries
}

/** The model that seaformer-bundle put into the assets, with its JSON and sample pictures. */
class BundledModel private constructor(
    private val assets: AssetManager,
    val metadata: ModelMetadata,
) {
    private val file = metadata.file.name
    private val isTflite = file.endsWith(".tflite")

    /** Names of the sample pictures, in order. */
    val samples: List<String> =
        assets
            .list(SAMPLES)
            .orEmpty()
            .sorted()
            .map { "$SAMPLES/$it" }

    /** Makes the model ready on the first accelerator that can run it. */
    fun open(choice: Choice): FallbackSegmenter {
        val probe = Preprocessor(metadata.input).prepare(Picture(1, 1, IntArray(1)))
        val onnx = if (isTflite) null else assets.open(file).use(InputStream::readBytes)
        return FallbackSegmenter(choice.order, probe) { open(it, choice.threads, onnx) }
    }

    private fun open(
        accelerator: Accelerator,
        threads: Int,
        onnx: ByteArray?,
    ): Segmenter =
        if (onnx == null) {
            LiteRtSegmenter(assets, file, metadata, accelerator, threads)
        } else {
            // ONNX Runtime looks at it when it is loaded; setTelemetry comes after its first event.
            Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)
            OrtSegmenter(onnx, metadata, accelerator, threads)
        }

    /** Describes the library that runs the model; its hash is of the file in the installed app. */
    fun runtimeFacts(
        runtime: String,
        apk: File,
        abi: String,
    ): RuntimeFacts {
        val name = if (isTflite) LiteRtSegmenter.NAME else OrtSegmenter.NAME
        val library = if (isTflite) LiteRtSegmenter.LIBRARY else OrtSegmenter.LIBRARY
        return RuntimeFacts(
            backend = if (isTflite) "litert" else "onnxruntime",
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
        private const val METADATA = "model.json"
        private const val SAMPLES = "samples"

        /**
         * Reads the JSON and checks that the model is the one it is about.
         *
         * @throws NoModelException there is none.
         * @throws MetadataException the JSON cannot be used, or the model is another one.
         */
        fun read(assets: AssetManager): BundledModel {
            val text =
                try {
                    assets.open(METADATA).use { it.readBytes().decodeToString() }
                } catch (_: FileNotFoundException) {
                    throw NoModelException()
                }
            val metadata = ModelMetadata.parse(text)
            val hash =
                try {
                    assets.open(metadata.file.name).use(::sha256)
                } catch (error: FileNotFoundException) {
                    throw MetadataException("${metadata.file.name} is missing", error)
                }
            if (hash != metadata.file.sha256) {
                throw MetadataException("${metadata.file.name} has another SHA-256 than its JSON says")
            }
            return BundledModel(assets, metadata)
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
