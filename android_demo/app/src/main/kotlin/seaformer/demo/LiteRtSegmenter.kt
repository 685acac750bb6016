package seaformer.demo

import android.content.res.AssetManager
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.TensorBuffer
import seaformer.core.Accelerator
import seaformer.core.DataType
import seaformer.core.ModelMetadata
import seaformer.core.Segmenter
import seaformer.core.TensorData
import com.google.ai.edge.litert.Accelerator as LiteRtAccelerator

/** Runs a .tflite with LiteRT's CompiledModel. */
class LiteRtSegmenter(
    assets: AssetManager,
    model: String,
    private val metadata: ModelMetadata,
    override val accelerator: Accelerator,
    threads: Int,
) : Segmenter {
    private val compiled = CompiledModel.create(assets, model, options(accelerator, threads))
    private val inputs: List<TensorBuffer> = compiled.createInputBuffers()
    private val outputs: List<TensorBuffer> = compiled.createOutputBuffers()

    override val runtime: String = NAME

    override fun run(input: TensorData): TensorData {
        // Signed or not, bytes are the same.
        when (input) {
            is TensorData.Floats -> inputs[0].writeFloat(input.values)
            is TensorData.Int8 -> inputs[0].writeInt8(input.values)
            is TensorData.Uint8 -> inputs[0].writeInt8(input.values)
            else -> error("no input is of this type")
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
    }

    companion object {
        const val NAME = "LiteRT"
        const val LIBRARY = "libLiteRt.so"

        /** One accelerator alone: what it cannot do shall fail, and not run elsewhere in silence. */
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
            if (accelerator == Accelerator.CPU) options.cpuOptions = CompiledModel.CpuOptions(threads, null, null)
            return options
        }
    }
}
