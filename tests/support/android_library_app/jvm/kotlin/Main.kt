package example

import android.content.Context
import android.content.res.AssetManager
import android.graphics.Bitmap
import seaformer.core.TensorData
import seaformer.core.littleEndian
import seaformer.library.ImageModel
import seaformer.library.NativeUpsampling
import java.io.File
import javax.imageio.ImageIO

/**
 * Runs on a computer what the second app does on a phone: the example in the module's README, and the
 * same steps one by one.
 *
 * Usage: Main APK INDEX IMAGE.png OUTPUT, see AssetManager for INDEX. Written to the folder OUTPUT:
 * example.txt, the result of the example; overlay.bin, its overlay as 32-bit colors, if it has one; for
 * the first model mask.bin (32-bit class ids) or detections.txt (a class, its score and the edges of its
 * box per line), and facts.txt (the runtime, and whether C computed the mask).
 */
fun main(arguments: Array<String>) {
    val (apk, index, photograph, output) = arguments.map(::File)
    val context = Context(AssetManager(apk, index), File(output, "files"))
    try {
        run(context, bitmap(photograph), output)
    } catch (error: Exception) {
        println("${error.javaClass.simpleName}: ${error.message}")
    }
}

private fun run(
    context: Context,
    photo: Bitmap,
    output: File,
) {
    val (classes, overlay) = describe(context, photo)
    File(output, "example.txt").writeText(classes.joinToString("\n"))
    overlay?.let { write(pixels(it), File(output, "overlay.bin")) }
    ImageModel.open(context, threads = 1).use { model ->
        val found = model.analyze(photo)
        found.mask?.let { write(IntArray(it.size, it::get), File(output, "mask.bin")) }
        found.detections?.let { all ->
            val lines = all.map { it.run { "$id $score ${box.left} ${box.top} ${box.right} ${box.bottom}" } }
            File(output, "detections.txt").writeText(lines.joinToString("\n"))
        }
        val facts =
            listOf(
                "models: ${ImageModel.list(context).joinToString { it.file.name }}",
                "running: ${model.runtime}, ${model.accelerator}",
                "mask in C: ${NativeUpsampling.isAvailable}",
            )
        File(output, "facts.txt").writeText(facts.joinToString("\n"))
    }
}

/** A hardware bitmap, the default of ImageDecoder. */
private fun bitmap(file: File): Bitmap {
    val image = ImageIO.read(file)
    val pixels = image.getRGB(0, 0, image.width, image.height, null, 0, image.width)
    return Bitmap.createBitmap(pixels, image.width, image.height, Bitmap.Config.HARDWARE)
}

private fun pixels(bitmap: Bitmap): IntArray {
    val pixels = IntArray(bitmap.width * bitmap.height)
    bitmap.getPixels(pixels, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
    return pixels
}

private fun write(
    values: IntArray,
    file: File,
) = file.writeBytes(littleEndian(TensorData.Int32(values)))
