// Compile-only declarations of the part of LiteRT's Kotlin API (2.3) that the app uses, written by
// hand from its documentation: LiteRT's own package is only in Google's Maven repository. They are
// for type-checking in the smoke build; nothing of them goes into an APK.
package com.google.ai.edge.litert

import android.content.Context
import android.content.res.AssetManager

enum class Accelerator { NONE, CPU, GPU, NPU }

abstract class JniHandle internal constructor() : AutoCloseable {
    final override fun close() = Unit
}

class BuiltinNpuAcceleratorProvider(
    private val context: Context,
) {
    fun isDeviceSupported(): Boolean = TODO("$context")
}

class Environment internal constructor() : JniHandle() {
    companion object {
        fun create(): Environment = TODO()

        fun create(npuAcceleratorProvider: BuiltinNpuAcceleratorProvider): Environment = TODO("$npuAcceleratorProvider")
    }
}

class CompiledModel private constructor() : JniHandle() {
    data class CpuOptions(
        val numThreads: Int? = null,
        val xnnPackFlags: Int? = null,
        val xnnPackWeightCachePath: String? = null,
    )

    data class QualcommOptions(
        val htpPerformanceMode: HtpPerformanceMode? = null,
    ) {
        enum class HtpPerformanceMode { BURST }
    }

    class Options(
        vararg val accelerators: Accelerator,
    ) {
        var cpuOptions: CpuOptions? = null
        var qualcommOptions: QualcommOptions? = null
    }

    fun createInputBuffers(): List<TensorBuffer> = TODO()

    fun createOutputBuffers(): List<TensorBuffer> = TODO()

    fun run(
        inputs: List<TensorBuffer>,
        outputs: List<TensorBuffer>,
    ): Unit = TODO("$inputs $outputs")

    companion object {
        fun create(
            assetManager: AssetManager,
            assetName: String,
            options: Options,
            optionalEnv: Environment?,
        ): CompiledModel = TODO("$assetManager $assetName $options $optionalEnv")
    }
}

class TensorBuffer internal constructor() : JniHandle() {
    fun writeFloat(data: FloatArray): Unit = TODO("$data")

    fun writeInt8(data: ByteArray): Unit = TODO("$data")

    fun readFloat(): FloatArray = TODO()

    fun readInt8(): ByteArray = TODO()

    fun readInt(): IntArray = TODO()

    fun readLong(): LongArray = TODO()
}
