package seaformer.core

import kotlin.math.exp

/** One class of a classified image; [probability] is 0..1. */
data class RankedClass(
    val id: Int,
    val label: String,
    val probability: Double,
)

/** Ranks classes by the softmax of their logits, most probable first; ties by ascending class id. */
fun rank(
    logits: TensorData,
    quantization: Quantization?,
    labels: List<String>,
): List<RankedClass> {
    val (scale, zeroPoint) = quantization ?: Quantization(1f, 0)
    val values = DoubleArray(logits.size) { ((logits[it] - zeroPoint) * scale).toDouble() }
    values.firstOrNull { !it.isFinite() }?.let { throw NotFiniteException(it.toFloat()) }
    val largest = values.max()
    val exponentials = values.map { exp(it - largest) }
    val sum = exponentials.sum()
    return exponentials.indices
        .sortedByDescending { values[it] }
        .map { RankedClass(it, labels[it], exponentials[it] / sum) }
}
