package seaformer.demo

import android.content.Context
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.RectF
import android.util.AttributeSet
import android.util.TypedValue
import android.widget.ImageView
import seaformer.core.Box
import seaformer.core.ClassColors
import seaformer.core.Detection
import seaformer.core.DetectionLayout
import seaformer.core.DrawnDetection
import seaformer.core.RgbImage
import seaformer.core.TextSize

/** An image with the boxes and labels of its detections; line width and text size are fixed. */
class DetectionView(
    context: Context,
    attributes: AttributeSet,
) : ImageView(context, attributes) {
    private var detections = emptyList<Detection>()
    private var colors = ClassColors(null)
    private var imageWidth = 1
    private var imageHeight = 1
    private val outlinePaint =
        Paint(Paint.ANTI_ALIAS_FLAG).apply {
            style = Paint.Style.STROKE
            strokeJoin = Paint.Join.ROUND
        }
    private val platePaint = Paint()
    private val textPaint =
        Paint(Paint.ANTI_ALIAS_FLAG).apply { textSize = pixels(TypedValue.COMPLEX_UNIT_SP, TEXT_SP) }
    private val measuring =
        object : TextSize {
            override val height = textPaint.fontMetrics.run { bottom - top }

            override fun widthOf(text: String) = textPaint.measureText(text)
        }

    /** Shows an image; the boxes are in its pixels. */
    fun show(
        image: RgbImage,
        detections: List<Detection>,
        colors: ClassColors,
    ) {
        this.detections = detections
        this.colors = colors
        imageWidth = image.width
        imageHeight = image.height
        setImageBitmap(image.toBitmap())
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val bounds = drawable?.bounds ?: return
        val shown = RectF(bounds).also { imageMatrix.mapRect(it) }
        shown.offset(paddingLeft.toFloat(), paddingTop.toFloat())
        val layout =
            DetectionLayout(
                view = Box(0f, 0f, width.toFloat(), height.toFloat()),
                image = Box(shown.left, shown.top, shown.right, shown.bottom),
                padding = dp(PADDING_DP),
                size = measuring,
            )
        for (one in layout.of(detections, imageWidth, imageHeight, colors)) draw(canvas, one)
    }

    private fun draw(
        canvas: Canvas,
        one: DrawnDetection,
    ) {
        // The dark edge separates the outline from parts of the image in the same color.
        drawOutline(canvas, one.outline, EDGE, OUTLINE_DP + 2 * EDGE_DP)
        drawOutline(canvas, one.outline, one.color, OUTLINE_DP)
        platePaint.color = one.color
        one.plate.run { canvas.drawRect(left, top, right, bottom, platePaint) }
        textPaint.color = one.textColor
        canvas.drawText(one.text, one.textLeft, one.plate.top - textPaint.fontMetrics.top, textPaint)
    }

    private fun drawOutline(
        canvas: Canvas,
        box: Box,
        color: Int,
        widthDp: Float,
    ) {
        outlinePaint.color = color
        outlinePaint.strokeWidth = dp(widthDp)
        canvas.drawRect(box.left, box.top, box.right, box.bottom, outlinePaint)
    }

    private fun dp(value: Float) = pixels(TypedValue.COMPLEX_UNIT_DIP, value)

    private fun pixels(
        unit: Int,
        value: Float,
    ) = TypedValue.applyDimension(unit, value, resources.displayMetrics)

    private companion object {
        const val TEXT_SP = 14f
        const val PADDING_DP = 4f
        const val OUTLINE_DP = 2f
        const val EDGE_DP = 1f
        val EDGE = Color.argb(128, 0, 0, 0)
    }
}
