package seaformer.demo

import android.content.Context
import android.graphics.Typeface
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.TextView
import seaformer.core.Analysis
import seaformer.core.ClassColors
import seaformer.core.ClassShare
import seaformer.core.ModelMetadata
import seaformer.core.classShares

/** The rows of a legend: the classes of a mask by share, or the top classes of an image by probability. */
fun legendOf(
    analysis: Analysis,
    metadata: ModelMetadata,
    colors: ClassColors,
): List<ClassShare> {
    analysis.mask?.let { return classShares(it, metadata.labels, colors) }
    val ranking = analysis.ranking.orEmpty().take(RANKED_CLASSES)
    return ranking.map { ClassShare(it.id, it.label, colors[it.id], it.probability) }
}

private const val RANKED_CLASSES = 5

/** The list adapter of the legend; the row of an isolated class is bold. */
class LegendAdapter(
    private val context: Context,
) : BaseAdapter() {
    private var rows = emptyList<ClassShare>()
    private var isolated: Int? = null
    private var canIsolate = false

    fun show(
        rows: List<ClassShare>,
        isolated: Int?,
        canIsolate: Boolean,
    ) {
        this.rows = rows
        this.isolated = isolated
        this.canIsolate = canIsolate
        notifyDataSetChanged()
    }

    override fun getCount(): Int = rows.size

    override fun getItem(position: Int): ClassShare = rows[position]

    override fun getItemId(position: Int): Long = rows[position].id.toLong()

    override fun hasStableIds(): Boolean = true

    override fun isEnabled(position: Int): Boolean = canIsolate

    override fun getView(
        position: Int,
        convertView: View?,
        parent: ViewGroup,
    ): View {
        val view = convertView ?: LayoutInflater.from(context).inflate(R.layout.legend_row, parent, false)
        val row = rows[position]
        val isAlone = row.id == isolated
        val percent = 100 * row.share
        view.findViewById<View>(R.id.swatch).setBackgroundColor(row.color)
        val label = view.findViewById<TextView>(R.id.label)
        label.text = context.getString(R.string.class_share, row.label, percent)
        label.setTypeface(null, if (isAlone) Typeface.BOLD else Typeface.NORMAL)
        label.contentDescription =
            when {
                !canIsolate -> null
                isAlone -> context.getString(R.string.class_alone_spoken, row.label, percent)
                else -> context.getString(R.string.class_spoken, row.label, percent)
            }
        return view
    }
}
