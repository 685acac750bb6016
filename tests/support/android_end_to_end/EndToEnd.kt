package seaformer.demo

import seaformer.core.Accelerator
import seaformer.core.Analysis
import seaformer.core.Analyzer
import seaformer.core.AttemptLog
import seaformer.core.Box
import seaformer.core.ClassColors
import seaformer.core.ClassMask
import seaformer.core.Detection
import seaformer.core.DetectionLayout
import seaformer.core.DrawnDetection
import seaformer.core.FallbackSegmenter
import seaformer.core.GoldenCheck
import seaformer.core.ModelMetadata
import seaformer.core.Preprocessor
import seaformer.core.RgbImage
import seaformer.core.SHOWN_SCORE
import seaformer.core.Segmenter
import seaformer.core.TensorData
import seaformer.core.TextSize
import seaformer.core.above
import seaformer.core.blend
import seaformer.core.legendOf
import seaformer.core.littleEndian
import java.awt.BasicStroke
import java.awt.Color
import java.awt.Font
import java.awt.FontMetrics
import java.awt.Graphics2D
import java.awt.RenderingHints
import java.awt.geom.Rectangle2D
import java.awt.image.BufferedImage
import java.io.File
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import javax.imageio.ImageIO

/**
 * Runs a bundled model on an image on a computer, as the app does on a phone.
 *
 * Usage: EndToEnd ASSETS IMAGE.png OUTPUT [FAULT]. A FAULT selects a simulated GPU: the CPU with a
 * driver that computes a wrong output (wrong) or ends the process (crash). The NPU's libraries are
 * looked up in OUTPUT. Written to the folder OUTPUT: running.txt, the accelerator in use and the rejected
 * ones; check.txt, the result of the output check; output.bin, the model's output in its own type; for
 * segmentation mask.bin (32-bit class ids), overlay.png, and screen.png (overlay and legend); for
 * classification ranking.txt, with a class and its probability per line; for detection detections.txt,
 * with a class, its score and the edges of its box per line, overlay.png (enlarged), and screen.png.
 */
fun main(arguments: Array<String>) {
    val (assets, photograph, output) = arguments.map(::File)
    val fault = arguments.getOrNull(3)
    val metadata = ModelMetadata.parse(File(assets, "model.json").readText())
    val golden = File(assets, "golden")
    val (values, rgb) = listOf("model.bin", "image.rgb").map { File(golden, it).readBytes() }
    val check = GoldenCheck(metadata, File(golden, "model.json").readText(), values, rgb)
    val model = map(File(assets, metadata.file.name))
    val image = read(photograph)
    val input = Preprocessor(metadata.input).prepare(image)
    val attempts = AttemptLog(File(output, "attempts"))
    val open = { accelerator: Accelerator ->
        if (fault != null && accelerator == Accelerator.GPU) {
            FaultyGpu(OrtSegmenter(model, metadata, Accelerator.CPU, threads = 1, output), fault)
        } else {
            OrtSegmenter(model, metadata, accelerator, threads = 1, output)
        }
    }
    val order = Accelerator.order(if (fault == null) null else Accelerator.GPU)
    FallbackSegmenter(order, check, attempts, open).use { segmenter ->
        val running = "${segmenter.runtime}, ${segmenter.accelerator}"
        val rejections = segmenter.rejections.map { "${it.accelerator}: ${it.reason}" }
        File(output, "running.txt").writeText((listOf(running) + rejections).joinToString("\n"))
        val verdict = segmenter.verdict
        File(output, "check.txt").writeText("${verdict.passed}\n${verdict.found}\n${verdict.reference}")
        File(output, "output.bin").writeBytes(littleEndian(segmenter.run(input)))
        val analysis = Analyzer(metadata, segmenter).analyze(image)
        analysis.mask?.let { showMask(analysis, it, metadata, output) }
        analysis.ranking?.let { ranking ->
            val lines = ranking.map { "${it.id} ${it.probability}" }
            File(output, "ranking.txt").writeText(lines.joinToString("\n"))
        }
        analysis.detections?.let { showDetections(analysis, it, metadata, output) }
    }
}

/** The faults of the simulated driver. */
private class FaultyGpu(
    private val segmenter: Segmenter,
    private val fault: String,
) : Segmenter by segmenter {
    override val accelerator = Accelerator.GPU

    override fun run(input: TensorData): TensorData {
        if (fault == "crash") Runtime.getRuntime().halt(139)
        val output = segmenter.run(input) as TensorData.Floats
        return TensorData.Floats(FloatArray(output.size) { output.values[maxOf(it - 1, 0)] })
    }
}

private fun showMask(
    analysis: Analysis,
    mask: ClassMask,
    metadata: ModelMetadata,
    output: File,
) {
    val ids = TensorData.Int32(IntArray(mask.size, mask::get))
    File(output, "mask.bin").writeBytes(littleEndian(ids))
    val colors = ClassColors(metadata.palette)
    write(image(blend(analysis.photograph, mask, colors, 0.5)), analysis, metadata, output)
}

private fun showDetections(
    analysis: Analysis,
    detections: List<Detection>,
    metadata: ModelMetadata,
    output: File,
) {
    val lines = detections.map { it.run { "$id $score ${box.left} ${box.top} ${box.right} ${box.bottom}" } }
    File(output, "detections.txt").writeText(lines.joinToString("\n"))
    val photograph = analysis.photograph
    val overlay = BufferedImage(2 * photograph.width, 2 * photograph.height, BufferedImage.TYPE_INT_RGB)
    val canvas = canvasOf(overlay)
    canvas.drawImage(image(photograph), 0, 0, overlay.width, overlay.height, null)
    val view = Box(0f, 0f, overlay.width.toFloat(), overlay.height.toFloat())
    val size = MeasuredText(canvas.fontMetrics)
    val layout = DetectionLayout(view, view, padding = 4f, size)
    val shown = detections.above(SHOWN_SCORE)
    for (one in layout.of(shown, photograph.width, photograph.height, ClassColors(metadata.palette))) {
        draw(canvas, one)
    }
    canvas.dispose()
    write(overlay, analysis, metadata, output)
}

private fun write(
    overlay: BufferedImage,
    analysis: Analysis,
    metadata: ModelMetadata,
    output: File,
) {
    ImageIO.write(overlay, "png", File(output, "overlay.png"))
    val rows = legendOf(analysis, metadata)
    val legend = rows.map { Pair(Color(it.color), "%s · %.1f %%".format(it.label, 100 * it.share)) }
    ImageIO.write(screen(overlay, legend), "png", File(output, "screen.png"))
}

private class MeasuredText(
    private val metrics: FontMetrics,
) : TextSize {
    override val height = metrics.height.toFloat()

    override fun widthOf(text: String) = metrics.stringWidth(text).toFloat()
}

/** Draws a detection like the app's DetectionView. */
private fun draw(
    canvas: Graphics2D,
    one: DrawnDetection,
) {
    for ((color, width) in listOf(Color(0, 0, 0, 128) to 4f, Color(one.color) to 2f)) {
        canvas.color = color
        canvas.stroke = BasicStroke(width)
        canvas.draw(one.outline.run { Rectangle2D.Float(left, top, this.width, height) })
    }
    canvas.color = Color(one.color)
    canvas.fill(one.plate.run { Rectangle2D.Float(left, top, width, height) })
    canvas.color = Color(one.textColor)
    canvas.drawString(one.text, one.textLeft, one.plate.top + canvas.fontMetrics.ascent)
}

/** Maps a model file, as the app maps it from its APK. */
private fun map(file: File): ByteBuffer =
    FileChannel.open(file.toPath()).use { it.map(FileChannel.MapMode.READ_ONLY, 0, it.size()) }

private fun read(file: File): RgbImage {
    val image = ImageIO.read(file)
    return RgbImage(image.width, image.height, image.getRGB(0, 0, image.width, image.height, null, 0, image.width))
}

private fun image(pixels: RgbImage): BufferedImage {
    val image = BufferedImage(pixels.width, pixels.height, BufferedImage.TYPE_INT_RGB)
    image.setRGB(0, 0, pixels.width, pixels.height, pixels.pixels, 0, pixels.width)
    return image
}

/** The overlay with the legend next to it. */
private fun screen(
    overlay: BufferedImage,
    legend: List<Pair<Color, String>>,
): BufferedImage {
    val row = 28
    val height = maxOf(overlay.height, row * legend.size + row)
    val screen = BufferedImage(overlay.width + 200, height, BufferedImage.TYPE_INT_RGB)
    val canvas = canvasOf(screen)
    canvas.color = Color(0x18, 0x1A, 0x1F)
    canvas.fillRect(0, 0, screen.width, screen.height)
    canvas.drawImage(overlay, 0, 0, null)
    legend.forEachIndexed { index, (color, text) ->
        val top = row / 2 + row * index
        canvas.color = color
        canvas.fillRect(overlay.width + 16, top, 18, 18)
        canvas.color = Color.WHITE
        canvas.drawString(text, overlay.width + 46, top + 15)
    }
    canvas.dispose()
    return screen
}

private fun canvasOf(image: BufferedImage): Graphics2D =
    image.createGraphics().apply {
        font = Font(Font.SANS_SERIF, Font.PLAIN, 15)
        setRenderingHint(RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON)
    }
