package seaformer.core

import org.json.JSONArray
import org.json.JSONObject
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The files written by tests/support/android_golden.py, in the folder of the system property seaformer.golden. */
object Golden {
    private val folder: File by lazy {
        val path =
            System.getProperty("seaformer.golden")
                ?: error("set the system property seaformer.golden to a folder of: python -m android_golden FOLDER")
        File(path)
    }
    private val cases: JSONObject by lazy { JSONObject(File(folder, "cases.json").readText()) }

    fun cases(kind: String): List<JSONObject> = cases.getJSONArray(kind).objects()

    fun case(kind: String): JSONObject = cases.getJSONObject(kind)

    fun bytes(name: String): ByteArray = File(folder, name).readBytes()

    fun buffer(name: String): ByteBuffer = ByteBuffer.wrap(bytes(name)).order(ByteOrder.LITTLE_ENDIAN)

    fun floats(name: String): FloatArray = buffer(name).asFloatBuffer().let { FloatArray(it.remaining()).also(it::get) }

    fun data(
        name: String,
        type: String,
    ): TensorData =
        when (type) {
            "float32" -> TensorData.Floats(floats(name))
            "int8" -> TensorData.Int8(bytes(name))
            "int32" -> buffer(name).asIntBuffer().let { TensorData.Int32(IntArray(it.remaining()).also(it::get)) }
            else -> TensorData.Uint8(bytes(name))
        }

    fun image(stored: JSONObject): RgbImage {
        val bytes = bytes(stored.getString("file")).map { it.toInt() and 0xFF }
        val pixels = IntArray(bytes.size / 3) { rgb(bytes[3 * it], bytes[3 * it + 1], bytes[3 * it + 2]) }
        return RgbImage(stored.getInt("width"), stored.getInt("height"), pixels)
    }

    fun mask(
        name: String,
        width: Int,
        height: Int,
    ): ClassMask {
        val ids = buffer(name).asShortBuffer()
        return ClassMask(width, height, ShortArray(ids.remaining()).also(ids::get))
    }
}

fun JSONArray.color(): Int = rgb(getInt(0), getInt(1), getInt(2))

fun ids(mask: ClassMask): List<Int> = (0 until mask.size).map(mask::get)
