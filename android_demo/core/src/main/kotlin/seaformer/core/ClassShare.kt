package seaformer.core

/** How much of a mask one class takes; [share] is above 0 and up to 1. */
data class ClassShare(
    val id: Int,
    val label: String,
    val color: Int,
    val share: Double,
)

/** Counts the classes that are present in a mask, largest first, of equal ones the lowest first. */
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
