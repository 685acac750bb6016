package seaformer.core

import org.json.JSONArray
import org.json.JSONObject
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone
import kotlin.math.abs

/** What a phone is; what it does not say is null. [coreMaxKhz] has one entry per core. */
class DeviceFacts(
    val manufacturer: String?,
    val model: String?,
    val soc: String?,
    val os: String,
    val sdk: Int,
    val abi: String,
    val coreMaxKhz: List<Int?>,
    val memoryBytes: Long?,
    val isEmulated: Boolean,
)

/** The state of a phone at a moment; [thermalStatus] is Android's, 0 none to 6 shutdown. */
class DeviceConditions(
    val takenAtMs: Long,
    val batteryCelsius: Double?,
    val thermalStatus: Int?,
    val batteryPercent: Int?,
    val isCharging: Boolean?,
    val coreKhz: Map<Int, Int>,
    val freeBytes: Long?,
)

/** The library that ran the model; [backend] as seaformer-benchmark calls it. */
class RuntimeFacts(
    val backend: String,
    val name: String,
    val version: String?,
    val file: String,
    val sha256: String,
)

/**
 * A benchmark of the app as a results.json of seaformer-benchmark, schema version 1, so that app and
 * harness can be compared.
 *
 * All runs are one round: they share a process. What only the harness knows is null.
 */
class BenchmarkReport(
    private val app: String,
    private val metadata: ModelMetadata,
    private val times: BenchmarkTimes,
    private val accelerator: Accelerator,
    private val rejections: List<Rejection>,
    private val runtime: RuntimeFacts,
    private val threads: Int,
    private val device: DeviceFacts,
    private val before: DeviceConditions,
    private val after: DeviceConditions,
) {
    private val runs = times.inference.durationsNs

    /** The whole object as text. */
    fun json(): String =
        JSONObject()
            .put("schema_version", 1)
            .put("created_at", time(before.takenAtMs))
            .put("command", "$app, benchmark screen, ${accelerator.name}")
            .put("complete", true)
            .put("stopped_by", "runs")
            .put("problem", JSONObject.NULL)
            .put("emulated", device.isEmulated)
            .put("device", deviceJson())
            .put("backend", runtime.backend)
            .put("runtime", runtimeJson())
            .put("threads", threads)
            .put("cores", coresJson())
            .put("protocol", protocolJson())
            .put("conditions_before", conditionsJson(before))
            .put("conditions_after", conditionsJson(after))
            .put("unknown", JSONArray(UNKNOWN))
            .put("versions", JSONObject().put("app", app))
            .put("warnings", JSONArray(rejections.map { "${it.accelerator} was not used: ${it.reason}" }))
            .put("models", JSONArray().put(modelJson()))
            .put("ratios", JSONArray())
            .put("rounds", JSONArray().put(roundJson()))
            .toString(1)

    private fun deviceJson() =
        JSONObject()
            .put("serial", "app")
            .put("manufacturer", device.manufacturer.orNull())
            .put("model", device.model.orNull())
            .put("soc", device.soc.orNull())
            .put("os", device.os)
            .put("sdk", device.sdk)
            .put("abi", device.abi)
            .put(
                "cores",
                JSONArray(
                    device.coreMaxKhz.mapIndexed { index, khz ->
                        JSONObject().put("index", index).put("max_khz", khz.orNull())
                    },
                ),
            ).put("memory_bytes", device.memoryBytes.orNull())
            .put("is_emulated", device.isEmulated)

    private fun runtimeJson() =
        JSONObject()
            .put("name", runtime.name)
            .put("version", runtime.version.orNull())
            .put("file", runtime.file)
            .put("sha256", runtime.sha256)

    private fun coresJson(): JSONObject {
        val known = JSONObject()
        device.coreMaxKhz.forEachIndexed { index, khz -> if (khz != null) known.put("$index", khz) }
        return JSONObject()
            .put("name", "all")
            .put("cores", JSONArray(device.coreMaxKhz.indices.toList()))
            .put("mask", "%x".format((1L shl device.coreMaxKhz.size) - 1))
            .put("max_khz", known)
    }

    private fun protocolJson() =
        JSONObject()
            .put("runs", runs.size)
            .put("until", JSONObject.NULL)
            .put("runs_per_round", runs.size)
            .put("warmup_runs", times.inference.warmupNs.size)
            .put("time_limit_s", NO_LIMIT_S)
            .put("cool_below_c", JSONObject.NULL)
            .put("keep_throttled", true)
            .put("seed", 0)

    private fun conditionsJson(conditions: DeviceConditions): JSONObject {
        val temperatures = JSONArray()
        if (conditions.batteryCelsius != null) {
            temperatures.put(
                JSONObject()
                    .put("name", "battery")
                    .put("kind", "battery")
                    .put("celsius", conditions.batteryCelsius)
                    .put("status", JSONObject.NULL),
            )
        }
        return JSONObject()
            .put("taken_at", time(conditions.takenAtMs))
            .put("temperatures", temperatures)
            .put("thermal_status", conditions.thermalStatus.orNull())
            .put("battery_percent", conditions.batteryPercent.orNull())
            .put("is_charging", conditions.isCharging.orNull())
            .put("core_khz", JSONObject(conditions.coreKhz.mapKeys { "${it.key}" }))
            .put("free_bytes", conditions.freeBytes.orNull())
    }

    private fun modelJson() =
        JSONObject()
            .put("id", MODEL)
            .put("file", metadata.file.name)
            .put("bytes", metadata.file.bytes)
            .put("sha256", metadata.file.sha256)
            .put("title", metadata.title)
            .put("precision", metadata.precision)
            .put("facts", factsJson())
            .put("input", inputJson())
            .put("note", note())
            .put("parity", JSONObject.NULL)
            .put("latency", if (device.isEmulated) JSONObject.NULL else timesJson())
            .put("emulated", if (device.isEmulated) timesJson() else JSONObject.NULL)
            .put("peak_memory_bytes", JSONObject.NULL)

    private fun note(): String {
        val (pre, post) =
            listOf(
                times.preprocessing,
                times.postprocessing,
            ).map { "%.2f".format(Locale.ROOT, it.medianMs) }
        return "On ${accelerator.name}. Measured by the app, which does not compare the output; its load_ms has one " +
            "inference in it. Medians of its other stages: preprocessing $pre ms, postprocessing $post ms."
    }

    private fun factsJson() =
        JSONObject()
            .put("name", metadata.name)
            .put("variant", metadata.variant.orNull())
            .put("model", metadata.model.orNull())
            .put("task", metadata.task)
            .put("kind", metadata.kind.name.lowercase())
            .put("precision", metadata.precision)
            .put("head", metadata.head)
            .put("normalization", if (metadata.input.normalizes) "outside" else "inside")
            .put("params", metadata.parameters)
            .put("macs", metadata.macs)
            .put("weights", metadata.weights)
            .put("is_random", metadata.weightsAreRandom)
            .put("content_sha256", metadata.contentSha256)

    private fun inputJson() =
        JSONObject()
            .put("source", "photograph")
            .put("name", metadata.input.name)
            .put("dtype", dtype(metadata.input.type))
            .put("shape", JSONArray(metadata.input.shape))
            .put("sha256", times.inputSha256)

    private fun timesJson() =
        JSONObject()
            .put("run", summaryJson())
            .put("tool", JSONObject.NULL)
            .put("load_ms", times.loadNs / 1e6)
            .put("first_inference_ms", times.inference.warmupNs[0] / 1e6)
            .put("classes", JSONObject.NULL)
            .put("mask", JSONObject.NULL)

    private fun summaryJson(): JSONObject {
        val mean = runs.average() / 1e6
        val median = times.inference.quantileMs(0.5)!!
        val deviations = LatencyMeter(0)
        for (ns in runs) deviations.add(abs(ns - (median * 1e6).toLong()))
        return JSONObject()
            .put("runs", runs.size)
            .put("rounds", 1)
            .put("median_ms", median)
            .put("interval_ms", JSONObject.NULL)
            .put("p10_ms", times.inference.quantileMs(0.1))
            .put("p90_ms", times.inference.quantileMs(0.9))
            .put("mean_ms", mean)
            .put("mad_ms", deviations.medianMs)
            .put("min_ms", runs.min() / 1e6)
            .put("max_ms", runs.max() / 1e6)
            .put("throughput_per_s", 1000 / mean)
    }

    private fun roundJson() =
        JSONObject()
            .put("index", 0)
            .put("purpose", "measure")
            .put("used", true)
            .put("throttled", JSONObject.NULL)
            .put("complete", true)
            .put("header", JSONObject.NULL)
            .put("loaded", JSONArray().put(loadedJson()))
            .put("blocks", JSONArray().put(blockJson()))
            .put("tails", JSONArray())
            .put("peak_memory_bytes", JSONObject.NULL)
            .put("conditions_after", conditionsJson(after))

    private fun loadedJson() =
        JSONObject()
            .put("id", MODEL)
            .put("load_ms", times.loadNs / 1e6)
            .put("first_inference_ms", times.inference.warmupNs[0] / 1e6)
            .put("warmup_ns", JSONArray(times.inference.warmupNs))
            .put("input", with(metadata.input) { tensorJson(name, type, shape, quantization) })
            .put("outputs", JSONArray().put(with(metadata.output) { tensorJson(name, type, shape, quantization) }))
            .put("fully_delegated", JSONObject.NULL)
            .put("resident_bytes", JSONObject.NULL)

    private fun tensorJson(
        name: String,
        type: DataType,
        shape: List<Int>,
        quantization: Quantization?,
    ) = JSONObject()
        .put("name", name)
        .put("dtype", dtype(type))
        .put("shape", JSONArray(shape))
        .put("bytes", shape.fold(type.bytes, Int::times))
        .put("scale", quantization?.scale?.toDouble().orNull())
        .put("zero_point", quantization?.zeroPoint.orNull())

    private fun blockJson() =
        JSONObject()
            .put("model", MODEL)
            .put("index", 0)
            .put("round", 0)
            .put("settling_ns", JSONObject.NULL)
            .put("durations_ns", JSONArray(runs))
            .put("cpus", JSONArray())
            .put("frequency_khz_before", JSONObject.NULL)
            .put("frequency_khz_after", JSONObject.NULL)
            .put("temperature_c_before", JSONObject.NULL)
            .put("temperature_c_after", JSONObject.NULL)
            .put("started_ns", times.startedNs)
            .put("page_faults", 0)
            .put("context_switches", 0)

    private fun dtype(type: DataType) = type.name.lowercase()

    private fun Any?.orNull(): Any = this ?: JSONObject.NULL

    private fun time(ms: Long): String {
        val format = SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", Locale.ROOT)
        format.timeZone = TimeZone.getTimeZone("UTC")
        return format.format(Date(ms))
    }

    private companion object {
        const val MODEL = "m0"

        val UNKNOWN =
            listOf(
                "the core that a run was on",
                "memory of the process",
                "page faults and context switches, which are written as 0",
            )
        const val NO_LIMIT_S = 86400.0
    }
}
