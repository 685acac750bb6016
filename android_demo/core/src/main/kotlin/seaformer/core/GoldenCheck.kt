package seaformer.core

import org.json.JSONException
import org.json.JSONObject
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Locale
import kotlin.math.abs
import kotlin.math.log10

/**
 * Compares an accelerator's output with the output of the same file on a computer's CPU.
 *
 * @property reference runtime that computed the golden output.
 * @property sqnrDb 10 log10(sum r^2 / sum (r - o)^2); null for class ids.
 * @property maxAbsError largest difference; null for class ids.
 * @property agreement share of positions with the same class, 0..1; null for boxes, whose logits and
 *     offsets are only compared by [sqnrDb].
 */
data class Verdict(
    val reference: String,
    val sqnrDb: Double?,
    val maxAbsError: Double?,
    val agreement: Double?,
    val minSqnrDb: Double,
    val minAgreement: Double,
) {
    val passed: Boolean
        get() = (sqnrDb == null || sqnrDb >= minSqnrDb) && (agreement == null || agreement >= minAgreement)

    /** "36.2 dB, the same class at 99.10 % of positions". */
    val found: String get() = describe(sqnrDb, agreement)

    /** The thresholds, in the same form. */
    val required: String get() = describe(sqnrDb?.let { minSqnrDb }, agreement?.let { minAgreement })

    private fun describe(
        db: Double?,
        share: Double?,
    ): String =
        listOfNotNull(
            db?.let { "%.1f dB".format(Locale.ROOT, it) },
            share?.let { "the same class at %.2f %% of positions".format(Locale.ROOT, 100 * it) },
        ).joinToString()
}

/** An accelerator's output differs from the one computed when the model was bundled. */
class DifferentOutputException(
    val verdict: Verdict,
) : Exception("its output differs from the expected output: ${verdict.found}; required: ${verdict.required}")

/** The check that an accelerator has to pass before it is used. */
interface AcceleratorCheck {
    /** The input to run, as returned by [Preprocessor.prepare]. */
    fun input(): TensorData

    /** Compares an accelerator's output for [input] with the expected one. */
    fun judge(
        output: TensorData,
        accelerator: Accelerator,
    ): Verdict
}

/**
 * Checks an accelerator with the golden input and output that seaformer-bundle wrote for the model.
 *
 * @param metadata metadata of the model.
 * @param description JSON description of the golden output.
 * @param values the golden output at evenly spaced positions, little-endian.
 * @param image the golden input, three bytes per pixel, RGB.
 * @throws MetadataException the arguments do not fit together.
 */
class GoldenCheck(
    private val metadata: ModelMetadata,
    description: String,
    private val values: ByteArray,
    private val image: ByteArray,
) : AcceleratorCheck {
    private val json =
        try {
            JSONObject(description)
        } catch (error: JSONException) {
            throw damaged("${error.message}", error)
        }
    private val width = read { getInt("width") }
    private val height = read { getInt("height") }
    private val reference = read { getString("reference") }
    private val step = read { getInt("step") }
    private val positions = read { getInt("positions") }
    private val channels = read { getInt("channels") }
    private val thresholds = read { getJSONObject("thresholds") }
    private val output = metadata.output

    /** Number of values per position in the output. The golden output of a binary model has two. */
    private val outputChannels =
        when (output.content) {
            Content.BINARY, Content.CLASSES, Content.MASK -> 1
            Content.BOXES -> output.shape.last()
            Content.LOGITS, Content.PROBABILITIES -> metadata.labels.size
        }

    /** Number of positions of the whole output. */
    private val allPositions = output.size / outputChannels

    init {
        val version = read { getInt("schema_version") }
        if (version != SCHEMA_VERSION) throw damaged("its schema version is $version, not $SCHEMA_VERSION")
        if (read { getString("model_sha256") } != metadata.file.sha256) throw damaged("it belongs to another model")
        if (width < 1 || height < 1 || image.size != 3 * width * height) {
            throw damaged("the image has ${image.size} bytes, which does not fit $width x $height pixels")
        }
        val expected = if (output.content == Content.BINARY) metadata.labels.size else outputChannels
        if (channels != expected) throw damaged("it has $channels channels, not $expected")
        if (step < 1 || positions != (allPositions + step - 1) / step || values.size != 4 * positions * channels) {
            throw damaged("it has ${values.size} bytes for $positions of $allPositions positions")
        }
    }

    override fun input(): TensorData {
        val pixels =
            IntArray(width * height) { rgb(level(3 * it), level(3 * it + 1), level(3 * it + 2)) }
        return Preprocessor(metadata.input).prepare(RgbImage(width, height, pixels))
    }

    override fun judge(
        output: TensorData,
        accelerator: Accelerator,
    ): Verdict {
        if (output.size != this.output.size) {
            throw MetadataException("the model returns ${output.size} values, but its JSON states ${this.output.shape}")
        }
        val threshold = thresholds.optJSONObject(accelerator.name.lowercase(Locale.ROOT))
        val minSqnrDb = threshold?.optDouble("min_sqnr_db") ?: Double.NaN
        val minAgreement = threshold?.optDouble("min_agreement") ?: Double.NaN
        if (minSqnrDb.isNaN() || minAgreement.isNaN()) throw damaged("it has no threshold for the $accelerator")
        val golden = ByteBuffer.wrap(values).order(ByteOrder.LITTLE_ENDIAN)
        if (this.output.givesIds) {
            val same = (0 until positions).count { golden.getInt(4 * it) == output[step * it].toInt() }
            return Verdict(reference, null, null, same.toDouble() / positions, minSqnrDb, minAgreement)
        }
        val expected = FloatArray(positions * channels).also(golden.asFloatBuffer()::get)
        val actual = scoresOf(output)
        val signal = expected.sumOf { it.toDouble() * it }
        val errors = DoubleArray(actual.size) { abs(expected[it].toDouble() - actual[it]) }
        val noise = errors.sumOf { it * it }
        val agreement = if (this.output.content == Content.BOXES) null else agreementOf(expected, actual)
        return Verdict(reference, sqnrDb(signal, noise), errors.max(), agreement, minSqnrDb, minAgreement)
    }

    /** The share of positions at which both outputs predict the same class. */
    private fun agreementOf(
        expected: FloatArray,
        actual: FloatArray,
    ): Double {
        val same = (0 until positions).count { classAt(expected, it) == classAt(actual, it) }
        return same.toDouble() / positions
    }

    /** The dequantized values at the sampled positions, [positions, channels]. */
    private fun scoresOf(data: TensorData): FloatArray {
        val scores = classScores(data, output)
        val isReal = scores !== data
        val (scale, zeroPoint) = output.quantization.takeUnless { isReal } ?: Quantization(1f, 0)
        return FloatArray(positions * channels) { i ->
            val position = step * (i / channels)
            val k = i % channels
            val index = if (output.channelsFirst) k * allPositions + position else position * channels + k
            (scores[index] - zeroPoint) * scale
        }
    }

    /** The class with the largest score; of several with the same score, the one with the lowest index. */
    private fun classAt(
        scores: FloatArray,
        position: Int,
    ): Int = (0 until channels).maxByOrNull { scores[position * channels + it] }!!

    private fun level(index: Int): Int = image[index].toInt() and 0xFF

    private fun <T> read(member: JSONObject.() -> T): T =
        try {
            json.member()
        } catch (error: JSONException) {
            throw damaged("${error.message}", error)
        }

    private fun damaged(
        reason: String,
        cause: Throwable? = null,
    ) = MetadataException("the golden output of ${metadata.file.name} cannot be used: $reason", cause)

    private companion object {
        const val SCHEMA_VERSION = 2
        const val MAX_DB = 300.0

        /** Same as sqnr_db in seaformer.evaluation.metrics. */
        fun sqnrDb(
            signal: Double,
            noise: Double,
        ): Double =
            when {
                !noise.isFinite() -> -MAX_DB
                noise == 0.0 -> MAX_DB
                else -> (10 * log10(maxOf(signal, 1e-300) / noise)).coerceIn(-MAX_DB, MAX_DB)
            }
    }
}
