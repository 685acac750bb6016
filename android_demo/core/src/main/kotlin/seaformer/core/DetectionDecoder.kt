package seaformer.core

import java.util.PriorityQueue
import kotlin.math.exp
import kotlin.math.ln

/**
 * Decodes the raw output of a detection model: the boxes of the best scores, without duplicates.
 *
 * The detections equal those of seaformer.detection.decoding in Python, and so those of torchvision's
 * RetinaNet.
 *
 * @throws MetadataException the model does not detect objects.
 */
class DetectionDecoder(
    private val metadata: ModelMetadata,
) {
    private val described =
        metadata.detection ?: throw MetadataException("${metadata.title} is not a detection model")
    private val classes = metadata.labels.size
    private val channels = classes + OFFSETS
    private val quantization = metadata.output.quantization ?: Quantization(1f, 0)
    private val levels = described.levels.map(::Anchors)

    /** The logit of the lowest score. */
    private val threshold = ln(described.scoreThreshold / (1 - described.scoreThreshold)).toFloat()

    /**
     * Returns the detections, highest score first.
     *
     * @param output logits and offsets of every anchor, in the type of the model.
     * @param width width in pixels of the image that was resized to the input; [height] its height.
     * @throws NotFiniteException a value is not finite.
     */
    fun decode(
        output: TensorData,
        width: Int,
        height: Int,
    ): List<Detection> {
        require(output.size == metadata.output.size) {
            "the output has ${output.size} values; its shape is ${metadata.output.shape}"
        }
        if (output is TensorData.Floats) {
            output.values.firstOrNull { !it.isFinite() }?.let { throw NotFiniteException(it) }
        }
        var first = 0
        val candidates =
            levels.flatMap { anchors ->
                candidatesOf(output, anchors, first).also { first += anchors.count }
            }
        val (x, y) = Pair(width / metadata.input.width.toFloat(), height / metadata.input.height.toFloat())
        // Stable: of equal scores, that of the finer level is first.
        return suppress(candidates.sortedByDescending { it.logit }).map {
            Detection(it.id, metadata.labels[it.id], sigmoid(it.logit), it.box.scaled(x, y))
        }
    }

    /** A box in pixels of the input, of one class. */
    private class Candidate(
        val logit: Float,
        val id: Int,
        val box: Box,
    )

    /** A logit of the anchor with an index within its level. */
    private class Logit(
        val value: Float,
        val anchor: Int,
        val id: Int,
    )

    /** The candidates of a level, whose first anchor is [first], best first. */
    private fun candidatesOf(
        output: TensorData,
        anchors: Anchors,
        first: Int,
    ): List<Candidate> {
        // The worst first; of equal logits, the last in the output is the worst.
        val best = PriorityQueue(compareBy<Logit>({ it.value }, { -it.anchor }, { -it.id }))
        for (anchor in 0 until anchors.count) {
            val row = (first + anchor) * channels
            for (id in 0 until classes) {
                val logit = real(output, row + id) + 0f // -0 and 0 are equal in Python, but not when sorted here
                if (logit <= threshold) continue
                if (best.size == described.candidatesPerLevel) {
                    if (logit <= best.peek()!!.value) continue
                    best.poll()
                }
                best += Logit(logit, anchor, id)
            }
        }
        return List(best.size) { best.poll()!! }.asReversed().map {
            Candidate(it.value, it.id, box(output, (first + it.anchor) * channels + classes, anchors[it.anchor]))
        }
    }

    /** The box with the four offsets at [begin], clipped to the input. */
    private fun box(
        output: TensorData,
        begin: Int,
        anchor: Box,
    ): Box {
        val (x, y, w, h) = List(OFFSETS) { real(output, begin + it) / described.boxWeights[it] }
        val centerX = x * anchor.width + (anchor.left + 0.5f * anchor.width)
        val centerY = y * anchor.height + (anchor.top + 0.5f * anchor.height)
        val halfWidth = exp(minOf(w, described.maxLogScale)) * anchor.width / 2
        val halfHeight = exp(minOf(h, described.maxLogScale)) * anchor.height / 2
        val (right, bottom) = Pair(metadata.input.width.toFloat(), metadata.input.height.toFloat())
        return Box(
            (centerX - halfWidth).coerceIn(0f, right),
            (centerY - halfHeight).coerceIn(0f, bottom),
            (centerX + halfWidth).coerceIn(0f, right),
            (centerY + halfHeight).coerceIn(0f, bottom),
        )
    }

    /**
     * Removes boxes that overlap a better box of the same class, and limits their number.
     *
     * @param candidates best first.
     */
    private fun suppress(candidates: List<Candidate>): List<Candidate> {
        val kept = mutableListOf<Candidate>()
        for (candidate in candidates) {
            if (kept.size == described.maxDetections) break
            val isDuplicate =
                kept.any {
                    it.id == candidate.id && it.box.intersectionOverUnion(candidate.box) > described.iouThreshold
                }
            if (!isDuplicate) kept += candidate
        }
        return kept
    }

    private fun real(
        output: TensorData,
        index: Int,
    ): Float = (output[index] - quantization.zeroPoint) * quantization.scale

    private fun sigmoid(logit: Float): Float = 1 / (1 + exp(-logit))

    private companion object {
        /** Number of offsets of a box, the last channels of an anchor. */
        const val OFFSETS = 4
    }
}
