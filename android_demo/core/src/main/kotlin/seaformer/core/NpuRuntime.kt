package seaformer.core

import java.io.File

/** The NPU cannot be used in this app; [message] gives the reason and the remedy. */
class NpuUnavailableException(
    message: String,
) : Exception(message)

/**
 * A runtime for the Hexagon NPU of Qualcomm's chips.
 *
 * @property build value of the Gradle property npu that adds the runtime to the app.
 * @property libraries libraries that it loads, besides the library that runs on the Hexagon.
 */
enum class NpuRuntime(
    private val title: String,
    private val build: String,
    private val libraries: List<String>,
) {
    LITERT(
        "LiteRT",
        "litert",
        listOf("libLiteRtDispatch_Qualcomm.so", "libLiteRtCompilerPlugin_Qualcomm.so", HTP, "libQnnSystem.so"),
    ),
    ONNX_RUNTIME("ONNX Runtime", "onnxruntime", listOf(HTP, "libQnnHtpPrepare.so", "libQnnSystem.so")),
    ;

    /**
     * Returns the library of the NPU's backend.
     *
     * @param folder folder of the app's native libraries. They must be extracted from the APK,
     *     because the Hexagon's library is loaded by another process, which cannot read an APK.
     * @throws NpuUnavailableException a library is missing.
     */
    fun backend(folder: File): File {
        val names = folder.list().orEmpty().toSet()
        val missing = libraries.filterNot(names::contains)
        if (missing.size == libraries.size) {
            throw NpuUnavailableException(
                "this app was built without $title's NPU libraries; build it with -Pnpu=$build",
            )
        }
        if (missing.isNotEmpty()) {
            throw NpuUnavailableException("$title's NPU libraries are incomplete: missing ${missing.joinToString()}")
        }
        if (names.none(SKELETON::matches)) {
            throw NpuUnavailableException(
                "this app lacks the library that runs on the Hexagon, libQnnHtpV*Skel.so",
            )
        }
        return File(folder, HTP)
    }
}

private const val HTP = "libQnnHtp.so"
private val SKELETON = Regex("libQnnHtpV\\d+Skel\\.so")
