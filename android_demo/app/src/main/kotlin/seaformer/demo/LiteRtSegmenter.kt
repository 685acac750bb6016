package seaformer.demo

import android.content.Context
import com.google.ai.edge.litert.BuiltinNpuAcceleratorProvider
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.TensorBuffer
import seaformer.core.Accelerator
import seaformer.core.DataType
import seaformer.core.ModelMetadata
import seaformer.core.NpuRuntime
import seaformer.core.NpuUnavailableException
import seaformer.core.Segmenter
import seaformer.core.TensorData
import java.io.File
import com.google.ai.edge.litert.Accelerator as LiteRtAccelerator

/** Runs a .tflite with LiteRT's CompiledModel. */
class LiteRtSegmenter(
    context: Context,
    model: String,
    private val metadata: ModelMetadata,
    override val accelerator: Accelerator,
    threads: Int,
) : Segmenter {
    private val environment = environment(context, accelerator)
    private val compiled =
        try {
            CompiledModel.create(context.assets, model, options(accelerator, threads), environment)
        } catch (error: Throwable) {
            environment.close() // the process continues with the next accelerator
            throw error
        }
    private val inputs: List<TensorBuffer> = compiled.createInputBuffers()
    private val outputs: List<TensorBuffer> = compiled.createOutputBuffers()

    override val runtime: String = NAME

    override fun run(input: TensorData): TensorData {
        // Signed and unsigned bytes have the same representation.
        when (input) {
            is TensorData.Floats -> inputs[0].writeFloat(input.values)
            is TensorData.Int8 -> inputs[0].writeInt8(input.values)
            is TensorData.Uint8 -> inputs[0].writeInt8(input.values)
            else -> error("unsupported input type")
        }
        compiled.run(inputs, outputs)
        val output = outputs[0]
        return when (metadata.output.type) {
            DataType.FLOAT32 -> TensorData.Floats(output.readFloat())
            DataType.INT8 -> TensorData.Int8(output.readInt8())
            DataType.UINT8 -> TensorData.Uint8(output.readInt8())
            DataType.INT32 -> TensorData.Int32(output.readInt())
            DataType.INT64 -> TensorData.Int64(output.readLong())
        }
    }

    override fun close() {
        for (buffer in inputs + outputs) buffer.close()
        compiled.close()
        environment.close()
    }

    companion object {
        const val NAME = "LiteRT"
        const val LIBRARY = "libLiteRt.so"

        /** The NPU's libraries are loaded from the folder of the app's native libraries. */
        private fun environment(
            context: Context,
            accelerator: Accelerator,
        ): Environment {
            if (accelerator != Accelerator.NPU) return Environment.create()
            NpuRuntime.LITERT.backend(File(context.applicationInfo.nativeLibraryDir))
            val npu = BuiltinNpuAcceleratorProvider(context)
            if (!npu.isDeviceSupported()) {
                throw NpuUnavailableException("LiteRT's NPU accelerator does not support the chip of this phone")
            }
            return Environment.create(npu)
        }

        /** Requests a single accelerator: unsupported operators must fail, not silently run on the CPU. */
        private fun options(
            accelerator: Accelerator,
            threads: Int,
        ): CompiledModel.Options {
            val options =
                CompiledModel.Options(
                    when (accelerator) {
                        Accelerator.NPU -> LiteRtAccelerator.NPU
                        Accelerator.GPU -> LiteRtAccelerator.GPU
                        Accelerator.CPU -> LiteRtAccelerator.CPU
                    },
                )
            if (accelerator == Accelerator.NPU) {
                val mode = CompiledModel.QualcommOptions.HtpPerformanceMode.BURST
                options.qualcommOptions = CompiledModel.QualcommOptions(htpPerformanceMode = mode)
            }
            if (accelerator == Accelerator.CPU) options.cpuOptions = CompiledModel.CpuOptions(threads, null, null)
            return options
        }
    }
}
