package seaformer.core

import org.json.JSONArray
import org.json.JSONObject
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone
import kotlin.math.abs

/** Properties of a phone; null where it does not report them. [coreMaxKhz] has an entry per core. */
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

/** The state of a phone at one time; [thermalStatus] is Android's, from 0 (none) to 6 (shutdown). */
class DeviceConditions(
    val takenAtMs: Long,
    val batteryCelsius: Double?,
    val thermalStatus: Int?,
    val batteryPercent: Int?,
    val isCharging: Boolean?,
    val coreKhz: Map<Int, Int>,
    val freeBytes: Long?,
)

/** The library that ran the model; [backend] is its name in seaformer-benchmark. */
class RuntimeFacts(
    val backend: String,
    val name: String,
    val version: String?,
    val file: String,
    val sha256: String,
)

/** The backend name in seaformer-benchmark of a runtime on an accelerator. */
fun backend(
    isTflite: Boolean,
    accelerator: Accelerator,
): String =
    when (accelerator) {
        Accelerator.NPU -> if (isTflite) "litert-npu" else "onnxruntime-qnn"
        Accelerator.GPU -> if (isTflite) "litert-gpu" else "onnxruntime-webgpu"
        Accelerator.CPU -> if (isTflite) "litert" else "onnxruntime"
    }

/**
 * A benchmark in the app, as a results.json of seaformer-benchmark (schema version 1), which makes the
 * app and the command-line benchmark comparable.
 *
 * All runs share a process and form one round. Members that the app cannot measure are null. The
 * backend's name includes the accelerator, parity is the verdict on the accelerator's output, and
 * coverage states whether it ran the whole model.
 */
class BenchmarkReport(
    private val app: String,
    private val metadata: ModelMetadata,
    private val times: BenchmarkTimes,
    private val accelerator: Accelerator,
    private val isFullyAccelerated: Boolean?,
    private val verdict: Verdict,
    private val rejections: List<Rejection>,
    private val runtime: RuntimeFacts,
    private val threads: Int,
    private val device: DeviceFacts,
    private val before: DeviceConditions,
    private val after: DeviceConditions,
) {
    private val runs = times.inference.durationsNs

    /** The report as JSON text. */
    fun json(): String =
        jsonOf(
            "schema_version" to 1,
            "created_at" to time(before.takenAtMs),
            "command" to "$app, benchmark screen, ${accelerator.name}",
            "complete" to true,
            "stopped_by" to "runs",
            "problem" to null,
            "emulated" to device.isEmulated,
            "device" to deviceJson(),
            "backend" to runtime.backend,
            "runtime" to runtimeJson(),
            "threads" to threads,
            "cores" to coresJson(),
            "protocol" to protocolJson(),
            "conditions_before" to conditionsJson(before),
            "conditions_after" to conditionsJson(after),
            "unknown" to JSONArray(UNKNOWN),
            "versions" to jsonOf("app" to app),
            "warnings" to JSONArray(rejections.map { "${it.accelerator} was not used: ${it.reason}" }),
            "models" to JSONArray().put(modelJson()),
            "ratios" to JSONArray(),
            "rounds" to JSONArray().put(roundJson()),
        ).toString(1)

    private fun deviceJson(): JSONObject {
        val cores = device.coreMaxKhz.mapIndexed { index, khz -> jsonOf("index" to index, "max_khz" to khz) }
        return jsonOf(
            "serial" to "app",
            "manufacturer" to device.manufacturer,
            "model" to device.model,
            "soc" to device.soc,
            "os" to device.os,
            "sdk" to device.sdk,
            "abi" to device.abi,
            "cores" to JSONArray(cores),
            "memory_bytes" to device.memoryBytes,
            "is_emulated" to device.isEmulated,
        )
    }

    private fun runtimeJson() =
        with(runtime) { jsonOf("name" to name, "version" to version, "file" to file, "sha256" to sha256) }

    private fun coresJson(): JSONObject {
        val known = JSONObject()
        device.coreMaxKhz.forEachIndexed { index, khz -> if (khz != null) known.put("$index", khz) }
        return jsonOf(
            "name" to "all",
            "cores" to JSONArray(device.coreMaxKhz.indices.toList()),
            "mask" to "%x".format((1L shl device.coreMaxKhz.size) - 1),
            "max_khz" to known,
        )
    }

    private fun protocolJson() =
        jsonOf(
            "runs" to runs.size,
            "until" to null,
            "runs_per_round" to runs.size,
            "warmup_runs" to times.inference.warmupNs.size,
            "time_limit_s" to NO_LIMIT_S,
            "cool_below_c" to null,
            "keep_throttled" to true,
            "seed" to 0,
            "half" to (accelerator != Accelerator.CPU),
            "requires_full_acceleration" to (accelerator != Accelerator.CPU),
        )

    private fun conditionsJson(conditions: DeviceConditions): JSONObject {
        val temperatures = JSONArray()
        conditions.batteryCelsius?.let {
            temperatures.put(jsonOf("name" to "battery", "kind" to "battery", "celsius" to it, "status" to null))
        }
        return jsonOf(
            "taken_at" to time(conditions.takenAtMs),
            "temperatures" to temperatures,
            "thermal_status" to conditions.thermalStatus,
            "battery_percent" to conditions.batteryPercent,
            "is_charging" to conditions.isCharging,
            "core_khz" to JSONObject(conditions.coreKhz.mapKeys { "${it.key}" }),
            "free_bytes" to conditions.freeBytes,
        )
    }

    private fun modelJson() =
        jsonOf(
            "id" to MODEL,
            "file" to metadata.file.name,
            "bytes" to metadata.file.bytes,
            "sha256" to metadata.file.sha256,
            "title" to metadata.title,
            "precision" to metadata.precision,
            "facts" to factsJson(),
            "input" to inputJson(),
            "note" to note(),
            "parity" to parityJson(),
            "coverage" to isFullyAccelerated?.let { jsonOf("full" to it) },
            "latency" to if (device.isEmulated || !verdict.passed) null else timesJson(),
            "emulated" to if (device.isEmulated && verdict.passed) timesJson() else null,
            "peak_memory_bytes" to null,
        )

    private fun parityJson() =
        with(verdict) {
            jsonOf(
                "reference" to reference,
                "sqnr_db" to sqnrDb,
                "max_abs_error" to maxAbsError?.takeIf(Double::isFinite),
                "agreement" to agreement,
                "min_sqnr_db" to minSqnrDb,
                "min_agreement" to minAgreement,
                "passed" to passed,
            )
        }

    private fun note(): String {
        val stages = listOf(times.preprocessing, times.postprocessing)
        val (pre, post) = stages.map { "%.2f".format(Locale.ROOT, it.medianMs) }
        return "On ${accelerator.name}. Measured by the app; load_ms includes the check of the output. " +
            "Median latency of the other stages: preprocessing $pre ms, postprocessing $post ms."
    }

    private fun factsJson() =
        jsonOf(
            "name" to metadata.name,
            "variant" to metadata.variant,
            "model" to metadata.model,
            "task" to metadata.task,
            "kind" to metadata.kind.name.lowercase(),
            "precision" to metadata.precision,
            "head" to metadata.head,
            "normalization" to if (metadata.input.normalizes) "outside" else "inside",
            "params" to metadata.parameters,
            "macs" to metadata.macs,
            "weights" to metadata.weights,
            "is_random" to metadata.weightsAreRandom,
            "content_sha256" to metadata.contentSha256,
        )

    private fun inputJson() =
        jsonOf(
            "source" to "photograph",
            "name" to metadata.input.name,
            "dtype" to dtype(metadata.input.type),
            "shape" to JSONArray(metadata.input.shape),
            "sha256" to times.inputSha256,
        )

    private fun timesJson() =
        jsonOf(
            "run" to summaryJson(),
            "tool" to null,
            "load_ms" to times.loadNs / 1e6,
            "first_inference_ms" to times.inference.warmupNs[0] / 1e6,
            "classes" to null,
            "mask" to null,
        )

    private fun summaryJson(): JSONObject {
        val mean = runs.average() / 1e6
        val median = times.inference.quantileMs(0.5)!!
        val deviations = LatencyMeter(0)
        for (ns in runs) deviations.add(abs(ns - (median * 1e6).toLong()))
        return jsonOf(
            "runs" to runs.size,
            "rounds" to 1,
            "median_ms" to median,
            "interval_ms" to null,
            "p10_ms" to times.inference.quantileMs(0.1),
            "p90_ms" to times.inference.quantileMs(0.9),
            "mean_ms" to mean,
            "mad_ms" to deviations.medianMs,
            "min_ms" to runs.min() / 1e6,
            "max_ms" to runs.max() / 1e6,
            "throughput_per_s" to 1000 / mean,
        )
    }

    private fun roundJson() =
        jsonOf(
            "index" to 0,
            "purpose" to "measure",
            "used" to true,
            "throttled" to null,
            "complete" to true,
            "header" to null,
            "loaded" to JSONArray().put(loadedJson()),
            "blocks" to JSONArray().put(blockJson()),
            "tails" to JSONArray(),
            "peak_memory_bytes" to null,
            "conditions_after" to conditionsJson(after),
        )

    private fun loadedJson() =
        jsonOf(
            "id" to MODEL,
            "load_ms" to times.loadNs / 1e6,
            "first_inference_ms" to times.inference.warmupNs[0] / 1e6,
            "warmup_ns" to JSONArray(times.inference.warmupNs),
            "input" to with(metadata.input) { tensorJson(name, type, shape, quantization) },
            "outputs" to JSONArray().put(with(metadata.output) { tensorJson(name, type, shape, quantization) }),
            "fully_delegated" to isFullyAccelerated,
            "resident_bytes" to null,
        )

    private fun tensorJson(
        name: String,
        type: DataType,
        shape: List<Int>,
        quantization: Quantization?,
    ) = jsonOf(
        "name" to name,
        "dtype" to dtype(type),
        "shape" to JSONArray(shape),
        "bytes" to shape.fold(type.bytes, Int::times),
        "scale" to quantization?.scale?.toDouble(),
        "zero_point" to quantization?.zeroPoint,
    )

    private fun blockJson() =
        jsonOf(
            "model" to MODEL,
            "index" to 0,
            "round" to 0,
            "settling_ns" to null,
            "durations_ns" to JSONArray(runs),
            "cpus" to JSONArray(),
            "frequency_khz_before" to null,
            "frequency_khz_after" to null,
            "temperature_c_before" to null,
            "temperature_c_after" to null,
            "started_ns" to times.startedNs,
            "page_faults" to 0,
            "context_switches" to 0,
        )

    private fun jsonOf(vararg members: Pair<String, Any?>) =
        JSONObject().apply { for ((name, value) in members) put(name, value ?: JSONObject.NULL) }

    private fun dtype(type: DataType) = type.name.lowercase()

    private fun time(ms: Long): String {
        val format = SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", Locale.ROOT)
        format.timeZone = TimeZone.getTimeZone("UTC")
        return format.format(Date(ms))
    }

    private companion object {
        const val MODEL = "m0"

        val UNKNOWN =
            listOf(
                "the core of each run",
                "the memory of the process",
                "page faults and context switches (recorded as 0)",
            )
        const val NO_LIMIT_S = 86400.0
    }
}
