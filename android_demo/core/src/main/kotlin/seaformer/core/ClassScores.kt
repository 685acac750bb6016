package seaformer.core

/**
 * Returns a score per class; the largest wins. The scores are the output itself, unless it is a single
 * channel with a threshold: then class 0 scores 0, and class 1 the value minus the threshold.
 */
fun classScores(
    data: TensorData,
    output: OutputTensor,
): TensorData {
    val threshold = output.threshold ?: return data
    val (scale, zeroPoint) = output.quantization ?: Quantization(1f, 0)
    val scores = FloatArray(2 * data.size)
    for (i in 0 until data.size) {
        val place = if (output.channelsFirst) data.size + i else 2 * i + 1
        scores[place] = (data[i] - zeroPoint) * scale - threshold
    }
    return TensorData.Floats(scores)
}

/** Ranks the classes of a classifier's output, most probable first; ties by ascending class id. */
fun rank(
    data: TensorData,
    output: OutputTensor,
    labels: List<String>,
): List<RankedClass> {
    val (scale, zeroPoint) = output.quantization ?: Quantization(1f, 0)
    val threshold = output.threshold
    if (output.content == Content.PROBABILITIES || (threshold != null && threshold != 0f)) {
        val given = DoubleArray(data.size) { ((data[it] - zeroPoint) * scale).toDouble() }
        return ranked(if (threshold == null) given else doubleArrayOf(1 - given[0], given[0]), labels)
    }
    if (threshold != null) return rank(classScores(data, output), null, labels)
    return rank(data, output.quantization, labels)
}

private fun ranked(
    probabilities: DoubleArray,
    labels: List<String>,
): List<RankedClass> {
    probabilities.firstOrNull { !it.isFinite() }?.let { throw NotFiniteException(it.toFloat()) }
    return probabilities.indices
        .sortedByDescending { probabilities[it] }
        .map { RankedClass(it, labels[it], probabilities[it]) }
}
