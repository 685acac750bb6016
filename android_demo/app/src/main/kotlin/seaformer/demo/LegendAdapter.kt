package seaformer.demo

import android.content.Context
import android.graphics.Typeface
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.TextView
import seaformer.core.LegendRow

/** The list adapter of the legend; the rows of an isolated class are bold. */
class LegendAdapter(
    private val context: Context,
) : BaseAdapter() {
    private var rows = emptyList<LegendRow>()
    private var isolated: Int? = null
    private var canIsolate = false

    fun show(
        rows: List<LegendRow>,
        isolated: Int?,
        canIsolate: Boolean,
    ) {
        this.rows = rows
        this.isolated = isolated
        this.canIsolate = canIsolate
        notifyDataSetChanged()
    }

    override fun getCount(): Int = rows.size

    override fun getItem(position: Int): LegendRow = rows[position]

    override fun getItemId(position: Int): Long = rows[position].key

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
