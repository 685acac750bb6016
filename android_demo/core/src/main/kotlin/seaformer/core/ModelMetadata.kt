package seaformer.core

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** The JSON of a model cannot be used; [message] is the reason. */
class MetadataException(
    message: String,
    cause: Throwable? = null,
) : Exception(message, cause)

/** Element types of input and output, named as in the JSON. */
enum class DataType(
    val bytes: Int,
) {
    FLOAT32(4),
    INT8(1),
    UINT8(1),
    INT32(4),
    INT64(8),
}

/** The task type of a model. */
enum class Kind { SEGMENTATION, CLASSIFICATION, DETECTION }

/**
 * The content of the output tensor: scores whose arg-max is the class (LOGITS, PROBABILITIES), one
 * channel with a threshold (BINARY), class ids at the resolution of the network (CLASSES) or of the
 * input (MASK), or logits and box offsets of every anchor (BOXES), see [DetectionOutput].
 */
enum class Content { LOGITS, PROBABILITIES, BINARY, CLASSES, MASK, BOXES }

/** real = (stored - [zeroPoint]) * [scale]. */
data class Quantization(
    val scale: Float,
    val zeroPoint: Int,
)

/**
 * The input tensor and its preprocessing.
 *
 * @property shape [1, channels, height, width] with [channelsFirst], else [1, height, width, channels].
 * @property channels 3, or 1 for gray images.
 * @property bgr whether blue is the first channel.
 * @property normalizes whether the app computes (value - mean) / std; else the model takes 0..255.
 * @property mean on the scale 0..255, in channel order, as is [std].
 * @property cropFraction null to stretch the image; else it is scaled to cover the input size divided
 *     by this fraction, and its center is cropped.
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
 * The output tensor; [channelsFirst] applies only to outputs with spatial axes.
 *
 * @property threshold for [Content.BINARY]: values above it are class 1; else null.
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

/** Agreement of the exported file with PyTorch on one input, measured at export. */
data class Comparison(
    val input: String,
    val sqnrDb: Double?,
    val argmaxAgreement: Double?,
)

/** The exporter's verification that the file matches PyTorch. */
data class ParityReport(
    val reference: String,
    val runtime: String,
    val passed: Boolean,
    val comparisons: List<Comparison>,
)

/** Name, size and SHA-256 of the model file. */
data class ModelFile(
    val name: String,
    val bytes: Long,
    val sha256: String,
)

/**
 * The metadata of an exported model: schema version 2 of seaformer-export, whose JSON Schema is
 * seaformer/artifact/metadata.schema.json.
 *
 * @property title display name of the model.
 * @property palette packed 0xFFRRGGBB per class; null if the data set has no colors.
 * @property detection how boxes are decoded from the output; null unless the model detects objects.
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
    val detection: DetectionOutput?,
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

        /** Parses the JSON that seaformer-export writes beside a model. */
        fun parse(text: String): ModelMetadata =
            try {
                read(JSONObject(text))
            } catch (error: JSONException) {
                throw MetadataException("the model's JSON is incomplete: ${error.message}", error)
            }

        private fun read(json: JSONObject): ModelMetadata {
            val version = json.getInt("schema_version")
            ensure(version == SCHEMA_VERSION) {
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
                    detection = json.objectOrNull("detection")?.let(::detectionOutput),
                    weights = json.getJSONObject("weights").getString("name"),
                    weightsAreRandom = json.getJSONObject("weights").getBoolean("is_random"),
                    parameters = json.getLong("params"),
                    macs = json.getLong("macs"),
                    parity = parityReport(json.getJSONObject("parity")),
                    file = modelFile(json.getJSONObject("file")),
                    contentSha256 = json.getString("content_sha256"),
                )
            checkDetection(metadata)
            checkOutput(metadata)
            return metadata
        }

        private fun inputTensor(json: JSONObject): InputTensor {
            val layout = json.oneOf("layout", "NHWC", "NCHW")
            val resize = json.oneOf("resize", "stretch", "center-crop")
            val cropFraction = if (resize == "stretch") null else json.getDouble("crop_fraction")
            ensure(cropFraction == null || (cropFraction > 0 && cropFraction <= 1)) {
                "crop_fraction is $cropFraction; it must be above 0 and at most 1"
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
            ensure(input.shape.size == 4 && input.shape.all { it > 0 } && input.shape[0] == 1) {
                "the input's shape is ${input.shape}; it must be [1, ...] with fixed sizes"
            }
            ensure(input.shape[if (input.channelsFirst) 1 else 3] == channels) {
                "the input's shape is ${input.shape}; it must have $channels channels"
            }
            ensure(input.mean.size == channels && input.std.size == channels && input.std.all { it > 0 }) {
                "mean and std must have $channels numbers each, and std must be above 0"
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
            ensure(output.shape.isNotEmpty() && output.shape.all { it > 0 } && output.shape[0] == 1) {
                "the output's shape is ${output.shape}; it must be [1, ...] with fixed sizes"
            }
            ensure((output.content == Content.BINARY) == (output.threshold != null)) {
                "the output is ${output.content.name.lowercase()} and its threshold ${output.threshold}; " +
                    "only a binary output has a threshold"
            }
            return output
        }

        private fun checkDetection(metadata: ModelMetadata) {
            val isDetection = metadata.kind == Kind.DETECTION
            ensure((metadata.detection != null) == isDetection) {
                "kind is ${metadata.kind.name.lowercase()}, and detection is " +
                    "${if (isDetection) "missing" else "given"}; only a detection model has it"
            }
            ensure((metadata.output.content == Content.BOXES) == isDetection) {
                "kind is ${metadata.kind.name.lowercase()}, and content is " +
                    "${metadata.output.content.name.lowercase()}; only the output of a detection model is boxes"
            }
            ensure(!isDetection || metadata.input.cropFraction == null) {
                "resize is center-crop; images of a detection model must be stretched"
            }
        }

        private fun checkOutput(metadata: ModelMetadata) {
            val shape = metadata.output.shape
            val anchors = metadata.detection?.anchors
            val classes = metadata.labels.size
            val isBinary = metadata.output.content == Content.BINARY
            val channels = if (isBinary) 1 else classes
            val fits =
                when {
                    anchors != null -> shape.map(Int::toLong) == listOf(1L, anchors, classes + 4L)
                    isBinary && classes != 2 -> false
                    metadata.kind == Kind.CLASSIFICATION -> !metadata.output.givesIds && shape == listOf(1, channels)
                    metadata.output.givesIds -> shape.size == 3
                    isBinary && shape.size == 3 -> true
                    else -> shape.size == 4 && shape[if (metadata.output.channelsFirst) 1 else 3] == channels
                }
            ensure(fits) {
                "the output's shape is $shape, which does not fit $classes classes" +
                    if (anchors == null) "" else " and $anchors anchors"
            }
        }

        /** Null for floats and for class ids, which have no scale. */
        private fun quantization(
            json: JSONObject,
            type: DataType,
        ): Quantization? {
            val quantization = json.objectOrNull("quantization") ?: return null
            val scale = quantization.getDouble("scale").toFloat()
            ensure(scale > 0) { "the scale is $scale; it must be above 0" }
            ensure(type != DataType.FLOAT32) { "a float32 tensor cannot have a scale" }
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

internal inline fun ensure(
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
    ensure(name in choices) { "$key is '$name'; this app supports ${choices.joinToString()}" }
    return name
}

private fun <T : Enum<T>> JSONObject.choice(
    key: String,
    choices: Array<T>,
): T {
    val name = oneOf(key, *choices.map { it.name.lowercase() }.toTypedArray())
    return choices.first { it.name.lowercase() == name }
}
