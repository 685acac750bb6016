package seaformer.library

import android.system.Os
import seaformer.core.Accelerator
import seaformer.core.ModelMetadata
import seaformer.core.Segmenter

/** Runs .onnx files with ONNX Runtime. */
internal object OnnxModels : ModelRuntime {
    override val suffix = ".onnx"

    override fun open(
        asset: ModelAsset,
        metadata: ModelMetadata,
        accelerator: Accelerator,
        threads: Int,
    ): Segmenter {
        // ONNX Runtime reads the variable on loading; setTelemetry would be too late for the first event.
        Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)
        return OrtSegmenter(asset.content, metadata, accelerator, threads, asset.libraries)
    }
}
