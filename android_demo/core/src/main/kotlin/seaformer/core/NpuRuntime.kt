package seaformer.core

import java.io.File

/** The NPU cannot be used in this app; [message] says why and what to do. */
class NpuUnavailableException(
    message: String,
) : Exception(message)

/**
 * A way to the Hexagon NPU of Qualcomm's chips.
 *
 * @property build value of the Gradle property npu that puts it into the app.
 * @property libraries that it loads, besides the one that runs on the Hexagon itself.
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
     * @param folder where the system has put the app's libraries; they have to be files there, as the
     *     Hexagon's own is read by another process, which does not look into an APK.
     * @throws NpuUnavailableException a library is not there.
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
            throw NpuUnavailableException("$title's NPU libraries are incomplete: no ${missing.joinToString()}")
        }
        if (names.none(SKELETON::matches)) {
            throw NpuUnavailableException(
                "the library that runs on the Hexagon, libQnnHtpV*Skel.so, is not in this app",
            )
        }
        return File(folder, HTP)
    }
}

private const val HTP = "libQnnHtp.so"
private val SKELETON = Regex("libQnnHtpV\\d+Skel\\.so")
