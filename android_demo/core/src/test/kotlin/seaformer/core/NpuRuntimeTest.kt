package seaformer.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File

class NpuRuntimeTest {
    @get:Rule
    val temporary = TemporaryFolder()
    private val qnn = listOf("libQnnHtp.so", "libQnnHtpPrepare.so", "libQnnSystem.so")
    private val liteRtLibraries = listOf("libLiteRtDispatch_Qualcomm.so", "libLiteRtCompilerPlugin_Qualcomm.so")

    private fun folder(names: List<String>): File =
        temporary.newFolder().apply {
            for (name in names) File(this, name).createNewFile()
        }

    private fun problem(
        runtime: NpuRuntime,
        names: List<String>,
    ) = assertThrows(NpuUnavailableException::class.java) { runtime.backend(folder(names)) }.message

    @Test
    fun `an app without the libraries reports how to build it with them`() {
        for ((runtime, title, build) in listOf(
            Triple(NpuRuntime.LITERT, "LiteRT", "litert"),
            Triple(NpuRuntime.ONNX_RUNTIME, "ONNX Runtime", "onnxruntime"),
        )) {
            val expected = "this app was built without $title's NPU libraries; build it with -Pnpu=$build"
            assertEquals(expected, problem(runtime, listOf("libonnxruntime.so")))
            assertEquals(
                expected,
                assertThrows(NpuUnavailableException::class.java) { runtime.backend(File("/nowhere")) }.message,
            )
        }
    }

    @Test
    fun `missing libraries are named`() {
        assertEquals(
            "ONNX Runtime's NPU libraries are incomplete: missing libQnnSystem.so",
            problem(NpuRuntime.ONNX_RUNTIME, qnn - "libQnnSystem.so"),
        )
        assertEquals(
            "LiteRT's NPU libraries are incomplete: missing ${liteRtLibraries.joinToString()}",
            problem(NpuRuntime.LITERT, qnn),
        )
    }

    @Test
    fun `the library for the Hexagon is required too`() {
        val expected = "this app lacks the library that runs on the Hexagon, libQnnHtpV*Skel.so"
        assertEquals(expected, problem(NpuRuntime.ONNX_RUNTIME, qnn + "libQnnHtpV75Stub.so"))
        val complete = folder(qnn + liteRtLibraries + "libQnnHtpV75Skel.so")
        for (runtime in NpuRuntime.entries) assertEquals(File(complete, "libQnnHtp.so"), runtime.backend(complete))
    }
}
