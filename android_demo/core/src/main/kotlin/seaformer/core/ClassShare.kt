package seaformer.core

/** The share of a mask that one class covers; [share] is above 0 and at most 1. */
data class ClassShare(
    val id: Int,
    val label: String,
    val color: Int,
    val share: Double,
)

/** The classes in a mask, largest share first; ties by ascending class id. */
fun classShares(
    mask: ClassMask,
    labels: List<String>,
    colors: ClassColors,
): List<ClassShare> {
    val counts = IntArray(1 shl Short.SIZE_BITS)
    for (index in 0 until mask.size) counts[mask[index]]++
    return counts.indices
        .filter { counts[it] > 0 }
        .sortedByDescending { counts[it] }
        .map { id ->
            ClassShare(id, labels.getOrElse(id) { "class $id" }, colors[id], counts[id].toDouble() / mask.size)
        }
}
