package seaformer.library

import android.content.Context
import seaformer.core.Accelerator
import seaformer.core.MetadataException
import seaformer.core.ModelMetadata
import seaformer.core.Segmenter
import seaformer.core.hex
import java.io.File
import java.io.FileNotFoundException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.security.MessageDigest

/** Runs model files of one format. */
internal interface ModelRuntime {
    /** The suffix of its model files. */
    val suffix: String

    /** Loads a model on one accelerator, without fallback: unsupported operators are an error. */
    fun open(
        asset: ModelAsset,
        metadata: ModelMetadata,
        accelerator: Accelerator,
        threads: Int,
    ): Segmenter
}

/** A model file in the app's assets. */
internal class ModelAsset(
    val context: Context,
    val path: String,
    private val sha256: String,
) {
    /** Folder of the app's native libraries. */
    val libraries: File get() = File(context.applicationInfo.nativeLibraryDir)

    /**
     * Content of the file, mapped from the APK without using heap memory.
     *
     * @throws MetadataException the file is missing, compressed, or differs from the description in its JSON.
     */
    val content: ByteBuffer by lazy {
        val mapped =
            try {
                map()
            } catch (error: FileNotFoundException) {
                throw MetadataException("$path is ${problem()}", error)
            }
        val digest = MessageDigest.getInstance("SHA-256").apply { update(mapped.duplicate()) }.digest()
        if (hex(digest) != sha256) throw MetadataException("the SHA-256 of $path does not match its JSON")
        mapped
    }

    private fun map(): ByteBuffer =
        context.assets.openFd(path).use { descriptor ->
            descriptor.createInputStream().channel.use {
                it.map(FileChannel.MapMode.READ_ONLY, descriptor.startOffset, descriptor.length)
            }
        }

    private fun problem(): String =
        try {
            context.assets.open(path).close()
            val suffix = path.substringAfterLast('.')
            "compressed in the APK; add to build.gradle.kts of the app: " +
                "android { androidResources { noCompress.add(\"$suffix\") } }"
        } catch (_: FileNotFoundException) {
            "missing from the app's assets"
        }
}
