package seaformer.demo

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import seaformer.core.Accelerator
import seaformer.core.DataType
import seaformer.core.ModelMetadata
import seaformer.core.NpuRuntime
import seaformer.core.Segmenter
import seaformer.core.TensorData
import java.io.File
import java.nio.ByteBuffer
import java.nio.FloatBuffer

/**
 * Runs an .onnx file with ONNX Runtime. It does not depend on Android, so tests can run it on a computer.
 *
 * @param model content of the file in a direct buffer, such as a mapped file.
 * @param libraries folder of the app's native libraries.
 */
class OrtSegmenter(
    model: ByteBuffer,
    private val metadata: ModelMetadata,
    override val accelerator: Accelerator,
    threads: Int,
    libraries: File,
) : Segmenter {
    private val environment = OrtEnvironment.getEnvironment().apply { setTelemetry(false) }
    private val session: OrtSession
    private val shape =
        metadata.input.shape
            .map(Int::toLong)
            .toLongArray()

    override val runtime: String = "$NAME ${environment.version}"

    init {
        session =
            OrtSession.SessionOptions().use { options ->
                options.setIntraOpNumThreads(threads)
                when (accelerator) {
                    Accelerator.NPU -> options.addQnn(npuOptions(libraries))
                    Accelerator.GPU -> options.addWebGPU(emptyMap())
                    Accelerator.CPU -> Unit
                }
                if (accelerator != Accelerator.CPU) {
                    // Otherwise operators that the accelerator does not support would silently run on the CPU.
                    options.addConfigEntry("session.disable_cpu_ep_fallback", "1")
                }
                environment.createSession(model, options)
            }
    }

    override fun run(input: TensorData): TensorData =
        tensor(input).use { tensor ->
            session.run(mapOf(metadata.input.name to tensor)).use { results ->
                read(results.get(metadata.output.name).get() as OnnxTensor)
            }
        }

    private fun tensor(input: TensorData): OnnxTensor =
        when (input) {
            is TensorData.Floats -> {
                OnnxTensor.createTensor(environment, FloatBuffer.wrap(input.values), shape)
            }

            is TensorData.Int8 -> {
                OnnxTensor.createTensor(environment, ByteBuffer.wrap(input.values), shape, OnnxJavaType.INT8)
            }

            is TensorData.Uint8 -> {
                OnnxTensor.createTensor(environment, ByteBuffer.wrap(input.values), shape, OnnxJavaType.UINT8)
            }

            else -> {
                error("unsupported input type")
            }
        }

    private fun read(output: OnnxTensor): TensorData =
        when (metadata.output.type) {
            DataType.FLOAT32 -> output.floatBuffer.let { TensorData.Floats(FloatArray(it.remaining()).also(it::get)) }
            DataType.INT8 -> TensorData.Int8(bytes(output))
            DataType.UINT8 -> TensorData.Uint8(bytes(output))
            DataType.INT32 -> output.intBuffer.let { TensorData.Int32(IntArray(it.remaining()).also(it::get)) }
            DataType.INT64 -> output.longBuffer.let { TensorData.Int64(LongArray(it.remaining()).also(it::get)) }
        }

    private fun bytes(output: OnnxTensor): ByteArray = output.byteBuffer.let { ByteArray(it.remaining()).also(it::get) }

    override fun close() = session.close()

    companion object {
        const val NAME = "ONNX Runtime"
        const val LIBRARY = "libonnxruntime.so"

        /** Optimizes for latency, and quantizes the input on the NPU rather than on the CPU. */
        private fun npuOptions(libraries: File) =
            mapOf(
                "backend_path" to NpuRuntime.ONNX_RUNTIME.backend(libraries).path,
                "htp_performance_mode" to "burst",
                "htp_graph_finalization_optimization_mode" to "3",
                "offload_graph_io_quantization" to "0",
            )
    }
}
