package seaformer.core

/** Durations of preprocessing, inference and post-processing in nanoseconds. */
data class StageTimes(
    val preNs: Long,
    val runNs: Long,
    val postNs: Long,
)

/**
 * The result of a model for one image.
 *
 * @property photograph the part of the image that the model saw, at the image's resolution.
 * @property mask mask of the same size; null unless the model segments.
 * @property ranking all classes, most probable first; null unless the model classifies.
 * @property detections the objects, highest score first, with boxes in pixels of [photograph]; null
 *     unless the model detects objects.
 */
class Analysis(
    val photograph: RgbImage,
    val mask: ClassMask?,
    val ranking: List<RankedClass>?,
    val detections: List<Detection>?,
    val times: StageTimes,
)

/**
 * Computes the mask, the ranking or the detections of an image, with any model that its JSON describes.
 *
 * @param newUpsampling creates the mask computation; all implementations give equal masks.
 */
class Analyzer(
    private val metadata: ModelMetadata,
    private val segmenter: Segmenter,
    private val newUpsampling: UpsamplingFactory = UpsamplingFactory(::ArgmaxUpsampling),
) {
    private val preprocessor = Preprocessor(metadata.input)
    private val output = metadata.output
    private var upsampling: Upsampling? = null
    private val decoder = if (metadata.kind == Kind.DETECTION) DetectionDecoder(metadata) else null

    fun analyze(image: RgbImage): Analysis {
        val start = System.nanoTime()
        val input = preprocessor.prepare(image)
        val prepared = System.nanoTime()
        val data = segmenter.run(input)
        val ran = System.nanoTime()
        if (data.size != output.size) {
            throw MetadataException("the model returns ${data.size} values, but its JSON states ${output.shape}")
        }
        val photograph = preprocessor.seenPart(image)
        val postStart = System.nanoTime()
        val (width, height) = Pair(photograph.width, photograph.height)
        val mask = if (metadata.kind == Kind.SEGMENTATION) mask(data, width, height) else null
        val ranking = if (metadata.kind == Kind.CLASSIFICATION) rank(data, output, metadata.labels) else null
        val detections = decoder?.decode(data, width, height)
        val times = StageTimes(prepared - start, ran - prepared, System.nanoTime() - postStart)
        return Analysis(photograph, mask, ranking, detections, times)
    }

    private fun mask(
        data: TensorData,
        width: Int,
        height: Int,
    ): ClassMask {
        if (!output.givesIds) return upsamplingTo(width, height).run(classScores(data, output))
        val ids = ClassMask(output.shape[2], output.shape[1])
        for (i in 0 until data.size) {
            val id = data[i].toInt()
            if (id !in metadata.labels.indices) {
                throw MetadataException("the model returns class $id, but it has ${metadata.labels.size} classes")
            }
            ids[i] = id
        }
        return ids.resized(width, height)
    }

    /** Cached, because all frames of a camera have the same size. */
    private fun upsamplingTo(
        width: Int,
        height: Int,
    ): Upsampling {
        upsampling?.takeIf { it.maskWidth == width && it.maskHeight == height }?.let { return it }
        val (rows, columns) = if (output.channelsFirst) output.shape.drop(2) else output.shape.slice(1..2)
        return newUpsampling
            .create(metadata.labels.size, rows, columns, output.channelsFirst, height, width)
            .also { upsampling = it }
    }
}
