package seaformer.library

import seaformer.core.Accelerator
import seaformer.core.ModelMetadata
import seaformer.core.Segmenter

/** Runs .tflite files with LiteRT. */
internal object LiteRtModels : ModelRuntime {
    override val suffix = ".tflite"

    override fun open(
        asset: ModelAsset,
        metadata: ModelMetadata,
        accelerator: Accelerator,
        threads: Int,
    ): Segmenter = LiteRtSegmenter(asset.context, asset.path, metadata, accelerator, threads)
}
