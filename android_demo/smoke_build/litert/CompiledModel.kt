// Compile-only declarations of the part of LiteRT's Kotlin API (2.1) that the app uses, written by
// hand from its documentation: LiteRT's own package is only in Google's Maven repository. They are
// for type-checking in the smoke build; nothing of them goes into an APK.
package com.google.ai.edge.litert

import android.content.res.AssetManager

class LiteRtException : Exception()

enum class Accelerator { NONE, CPU, GPU, NPU }

abstract class JniHandle internal constructor() : AutoCloseable {
    final override fun close() = Unit
}

class Environment private constructor() : JniHandle()

class CompiledModel private constructor() : JniHandle() {
    data class CpuOptions(
        val numThreads: Int? = null,
        val xnnPackFlags: Int? = null,
        val xnnPackWeightCachePath: String? = null,
    )

    class Options(
        vararg val accelerators: Accelerator,
    ) {
        var cpuOptions: CpuOptions? = null

        companion object {
            @JvmStatic val CPU = Options(Accelerator.CPU)
        }
    }

    @Throws(LiteRtException::class)
    @JvmOverloads
    fun createInputBuffers(signatureIndex: Int = 0): List<TensorBuffer> = TODO("$signatureIndex")

    @Throws(LiteRtException::class)
    @JvmOverloads
    fun createOutputBuffers(signatureIndex: Int = 0): List<TensorBuffer> = TODO("$signatureIndex")

    @Throws(LiteRtException::class)
    @JvmOverloads
    fun run(
        inputs: List<TensorBuffer>,
        outputs: List<TensorBuffer>,
        signatureIndex: Int = 0,
    ): Unit = TODO("$inputs $outputs $signatureIndex")

    companion object {
        @Throws(LiteRtException::class)
        @JvmOverloads
        @JvmStatic
        fun create(
            assetManager: AssetManager,
            assetName: String,
            options: Options = Options.CPU,
            optionalEnv: Environment? = null,
        ): CompiledModel = TODO("$assetManager $assetName $options $optionalEnv")
    }
}

class TensorBuffer internal constructor() : JniHandle() {
    @Throws(LiteRtException::class)
    fun writeFloat(data: FloatArray): Unit = TODO("$data")

    @Throws(LiteRtException::class)
    fun writeInt8(data: ByteArray): Unit = TODO("$data")

    @Throws(LiteRtException::class)
    fun readFloat(): FloatArray = TODO()

    @Throws(LiteRtException::class)
    fun readInt8(): ByteArray = TODO()

    @Throws(LiteRtException::class)
    fun readInt(): IntArray = TODO()

    @Throws(LiteRtException::class)
    fun readLong(): LongArray = TODO()
}
