package seaformer.demo

import android.content.ContentResolver
import android.content.res.AssetManager
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.media.ExifInterface
import android.net.Uri
import seaformer.core.Orientation
import seaformer.core.RgbImage
import seaformer.core.mostPixels
import seaformer.core.reduction
import seaformer.core.withinMemory
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream

/** Reads an image that the user picked. */
fun readImage(
    resolver: ContentResolver,
    uri: Uri,
): RgbImage = read { resolver.openInputStream(uri) ?: throw FileNotFoundException(uri.toString()) }

/** Reads an image from the app's assets. */
fun readImage(
    assets: AssetManager,
    name: String,
): RgbImage = read { assets.open(name) }

/** Converts the image to a bitmap. */
fun RgbImage.toBitmap(): Bitmap = Bitmap.createBitmap(pixels, width, height, Bitmap.Config.ARGB_8888)

/** Decodes an image; large photos are reduced to 1/2, 1/4, ... of their sides to fit into the heap. */
private fun read(open: () -> InputStream): RgbImage {
    val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
    open().use { BitmapFactory.decodeStream(it, null, bounds) }
    if (bounds.outWidth <= 0) throw IOException("its format is not supported by Android")
    val orientation = Orientation.ofExif(open().use(::exifOrientation))
    val least = reduction(bounds.outWidth, bounds.outHeight, mostPixels(Runtime.getRuntime().maxMemory()))
    return withinMemory(least) { open().use { stream -> decode(stream, it) }.oriented(orientation) }
}

private fun decode(
    stream: InputStream,
    reduction: Int,
): RgbImage {
    val options = BitmapFactory.Options().apply { inSampleSize = reduction }
    val bitmap = BitmapFactory.decodeStream(stream, null, options) ?: throw IOException("the file is damaged")
    try {
        val pixels = IntArray(bitmap.width * bitmap.height)
        bitmap.getPixels(pixels, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
        return RgbImage(bitmap.width, bitmap.height, pixels)
    } finally {
        bitmap.recycle()
    }
}

private fun exifOrientation(stream: InputStream): Int =
    try {
        ExifInterface(stream).getAttributeInt(ExifInterface.TAG_ORIENTATION, Orientation.UPRIGHT.exif)
    } catch (_: IOException) {
        Orientation.UPRIGHT.exif // formats without EXIF
    }
