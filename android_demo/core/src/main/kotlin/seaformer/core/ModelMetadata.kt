package seaformer.core

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** The JSON of a model cannot be used; [message] says why, in one sentence. */
class MetadataException(
    message: String,
    cause: Throwable? = null,
) : Exception(message, cause)

/** Element types of input and output, by their names in the JSON. */
enum class DataType(
    val bytes: Int,
) {
    FLOAT32(4),
    INT8(1),
    UINT8(1),
    INT32(4),
    INT64(8),
}

/** What a model does with an image. */
enum class Kind { SEGMENTATION, CLASSIFICATION }

/**
 * What the output tensor holds: values to take the arg-max of, one channel with a threshold, or ids
 * at the network's own or at full size.
 */
enum class Content { LOGITS, PROBABILITIES, BINARY, CLASSES, MASK }

/** real = (stored - [zeroPoint]) * [scale]. */
data class Quantization(
    val scale: Float,
    val zeroPoint: Int,
)

/**
 * The input tensor and how a photograph becomes it.
 *
 * @property shape of one image, [1, height, width, 3] or [1, 3, height, width] by [channelsFirst].
 * @property channels 3, or 1 of a gray image.
 * @property bgr whether blue is the first channel.
 * @property normalizes whether (value - mean) / std is ours to do; else the model takes 0..255.
 * @property mean on the scale 0..255, in the order of the channels; [std] likewise.
 * @property cropFraction null to stretch the image; else it is scaled to cover the input divided
 *     by this fraction, and the middle is cut out.
 */
data class InputTensor(
    val name: String,
    val shape: List<Int>,
    val type: DataType,
    val channelsFirst: Boolean,
    val channels: Int,
    val bgr: Boolean,
    val normalizes: Boolean,
    val mean: List<Float>,
    val std: List<Float>,
    val filter: ResampleFilter,
    val cropFraction: Double?,
    val quantization: Quantization?,
) {
    val height: Int get() = if (channelsFirst) shape[2] else shape[1]
    val width: Int get() = if (channelsFirst) shape[3] else shape[2]
}

/**
 * The output tensor; [channelsFirst] is of meaning for logits with a grid only.
 *
 * @property threshold of [Content.BINARY]: class 1 is above it; else null.
 */
data class OutputTensor(
    val name: String,
    val shape: List<Int>,
    val type: DataType,
    val channelsFirst: Boolean,
    val content: Content,
    val threshold: Float?,
    val quantization: Quantization?,
) {
    val givesIds: Boolean get() = content == Content.CLASSES || content == Content.MASK
    val size: Int get() = shape.fold(1, Int::times)
}

/** PyTorch against the exported file on one input, as the exporter measured it. */
data class Comparison(
    val input: String,
    val sqnrDb: Double?,
    val argmaxAgreement: Double?,
)

/** The exporter's proof that the file computes what PyTorch computes. */
data class ParityReport(
    val reference: String,
    val runtime: String,
    val passed: Boolean,
    val comparisons: List<Comparison>,
)

/** Name and SHA-256 of the model file itself. */
data class ModelFile(
    val name: String,
    val bytes: Long,
    val sha256: String,
)

/**
 * What an export says about itself: schema version 2 of seaformer-export, whose JSON Schema is
 * seaformer/artifact/metadata.schema.json.
 *
 * @property title the model in words.
 * @property palette packed 0xFFRRGGBB per class; null if the data set has no colours.
 */
data class ModelMetadata(
    val title: String,
    val name: String,
    val variant: String?,
    val model: String?,
    val task: String,
    val kind: Kind,
    val format: String,
    val precision: String,
    val head: String,
    val input: InputTensor,
    val output: OutputTensor,
    val labels: List<String>,
    val palette: List<Int>?,
    val weights: String,
    val weightsAreRandom: Boolean,
    val parameters: Long,
    val macs: Long,
    val parity: ParityReport,
    val file: ModelFile,
    val contentSha256: String,
) {
    companion object {
        private const val SCHEMA_VERSION = 2

        /** Reads the JSON that stands beside an export. */
        fun parse(text: String): ModelMetadata =
            try {
                read(JSONObject(text))
            } catch (error: JSONException) {
                throw MetadataException("the model's JSON is not complete: ${error.message}", error)
            }

        private fun read(json: JSONObject): ModelMetadata {
            val version = json.getInt("schema_version")
            demand(version == SCHEMA_VERSION) {
                "the model's JSON has schema version $version; this app reads $SCHEMA_VERSION"
            }
            val labels = json.getJSONArray("labels").texts()
            val metadata =
                ModelMetadata(
                    title = json.getString("title"),
                    name = json.getString("name"),
                    variant = json.textOrNull("variant"),
                    model = json.textOrNull("model"),
                    task = json.getString("task"),
                    kind = json.choice("kind", enumValues<Kind>()),
                    format = json.getString("format"),
                    precision = json.getString("precision"),
                    head = json.getString("head"),
                    input = inputTensor(json.getJSONObject("input")),
                    output = outputTensor(json.getJSONObject("output")),
                    labels = labels,
                    palette = json.arrayOrNull("palette")?.let(::colors),
                    weights = json.getJSONObject("weights").getString("name"),
                    weightsAreRandom = json.getJSONObject("weights").getBoolean("is_random"),
                    parameters = json.getLong("params"),
                    macs = json.getLong("macs"),
                    parity = parityReport(json.getJSONObject("parity")),
                    file = modelFile(json.getJSONObject("file")),
                    contentSha256 = json.getString("content_sha256"),
                )
            checkOutput(metadata)
            return metadata
        }

        private fun inputTensor(json: JSONObject): InputTensor {
            val layout = json.oneOf("layout", "NHWC", "NCHW")
            val resize = json.oneOf("resize", "stretch", "center-crop")
            val cropFraction = if (resize == "stretch") null else json.getDouble("crop_fraction")
            demand(cropFraction == null || (cropFraction > 0 && cropFraction <= 1)) {
                "crop_fraction is $cropFraction; it has to be above 0 and up to 1"
            }
            val type = json.choice("dtype", arrayOf(DataType.FLOAT32, DataType.INT8, DataType.UINT8))
            val order = json.oneOf("color_order", "RGB", "BGR", "GRAY")
            val channels = if (order == "GRAY") 1 else 3
            val input =
                InputTensor(
                    name = json.getString("name"),
                    shape = json.getJSONArray("shape").integers(),
                    type = type,
                    channelsFirst = layout == "NCHW",
                    channels = channels,
                    bgr = order == "BGR",
                    normalizes = json.oneOf("normalization", "inside", "outside") == "outside",
                    mean = json.getJSONArray("mean").floats(),
                    std = json.getJSONArray("std").floats(),
                    filter = json.choice("interpolation", enumValues<ResampleFilter>()),
                    cropFraction = cropFraction,
                    quantization = quantization(json, type),
                )
            demand(input.shape.size == 4 && input.shape.all { it > 0 } && input.shape[0] == 1) {
                "the input's shape is ${input.shape}; one image of a fixed size is needed"
            }
            demand(input.shape[if (input.channelsFirst) 1 else 3] == channels) {
                "the input's shape is ${input.shape}, which is not of $channels channels"
            }
            demand(input.mean.size == channels && input.std.size == channels && input.std.all { it > 0 }) {
                "mean and std have to be $channels numbers each, std above 0"
            }
            return input
        }

        private fun outputTensor(json: JSONObject): OutputTensor {
            val type = json.choice("dtype", enumValues<DataType>())
            val output =
                OutputTensor(
                    name = json.getString("name"),
                    shape = json.getJSONArray("shape").integers(),
                    type = type,
                    channelsFirst = json.getString("layout") == "NCHW",
                    content = json.choice("content", enumValues<Content>()),
                    threshold = json.doubleOrNull("threshold")?.toFloat(),
                    quantization = quantization(json, type),
                )
            demand(output.shape.isNotEmpty() && output.shape.all { it > 0 } && output.shape[0] == 1) {
                "the output's shape is ${output.shape}; the output of one image of a fixed size is needed"
            }
            demand((output.content == Content.BINARY) == (output.threshold != null)) {
                "the output is ${output.content.name.lowercase()} with the threshold ${output.threshold}"
            }
            return output
        }

        private fun checkOutput(metadata: ModelMetadata) {
            val shape = metadata.output.shape
            val classes = metadata.labels.size
            val isBinary = metadata.output.content == Content.BINARY
            val channels = if (isBinary) 1 else classes
            val fits =
                when {
                    isBinary && classes != 2 -> false
                    metadata.kind == Kind.CLASSIFICATION -> !metadata.output.givesIds && shape == listOf(1, channels)
                    metadata.output.givesIds -> shape.size == 3
                    isBinary && shape.size == 3 -> true
                    else -> shape.size == 4 && shape[if (metadata.output.channelsFirst) 1 else 3] == channels
                }
            demand(fits) { "the output's shape is $shape, which does not fit $classes classes" }
        }

        /** Integers without a scale are what class ids are, and they are no input. */
        private fun quantization(
            json: JSONObject,
            type: DataType,
        ): Quantization? {
            val quantization = json.objectOrNull("quantization") ?: return null
            val scale = quantization.getDouble("scale").toFloat()
            demand(scale > 0) { "a scale of $scale is not possible" }
            demand(type != DataType.FLOAT32) { "a float32 tensor has no scale" }
            return Quantization(scale, quantization.getInt("zero_point"))
        }

        private fun parityReport(json: JSONObject): ParityReport {
            val comparisons = json.getJSONArray("comparisons").objects()
            return ParityReport(
                reference = json.getString("reference"),
                runtime = json.getString("runtime"),
                passed = json.getBoolean("passed"),
                comparisons =
                    comparisons.map {
                        Comparison(
                            input = it.getString("input"),
                            sqnrDb = it.doubleOrNull("sqnr_db"),
                            argmaxAgreement = it.doubleOrNull("argmax_agreement"),
                        )
                    },
            )
        }

        private fun modelFile(json: JSONObject) =
            ModelFile(json.getString("name"), json.getLong("bytes"), json.getString("sha256"))

        private fun colors(rows: JSONArray) =
            (0 until rows.length()).map { index ->
                val (red, green, blue) = rows.getJSONArray(index).integers()
                rgb(red, green, blue)
            }
    }
}

private inline fun demand(
    holds: Boolean,
    message: () -> String,
) {
    if (!holds) throw MetadataException(message())
}

private fun JSONObject.oneOf(
    key: String,
    vararg choices: String,
): String {
    val name = getString(key)
    demand(name in choices) { "$key is '$name'; this app knows ${choices.joinToString()}" }
    return name
}

private fun <T : Enum<T>> JSONObject.choice(
    key: String,
    choices: Array<T>,
): T {
    val name = oneOf(key, *choices.map { it.name.lowercase() }.toTypedArray())
    return choices.first { it.name.lowercase() == name }
}
