package seaformer.demo

import android.app.ActivityManager
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import seaformer.core.AttemptLogs
import seaformer.core.DeviceConditions
import seaformer.core.DeviceFacts
import java.io.File
import java.io.IOException

/** Version of the app. */
fun appVersion(context: Context): String {
    val version: String? = context.packageManager.getPackageInfo(context.packageName, 0).versionName
    return version ?: "?"
}

/** Versions of the app and of the system with its drivers, which affect what accelerators can run. */
fun systemVersion(context: Context): String = "${appVersion(context)} ${Build.FINGERPRINT}"

/** The attempt logs of this process; there is only one instance. */
fun attemptLogs(context: Context): AttemptLogs =
    synchronized(AttemptLogs::class) {
        logs ?: AttemptLogs(File(context.filesDir, "attempts")).also { logs = it }
    }

private var logs: AttemptLogs? = null

/** The ABI of the app's process. */
val abi: String get() = Build.SUPPORTED_ABIS.first()

/** Reads the properties of the phone. */
fun deviceFacts(context: Context): DeviceFacts {
    val memory = ActivityManager.MemoryInfo()
    (context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager).getMemoryInfo(memory)
    return DeviceFacts(
        manufacturer = Build.MANUFACTURER,
        model = Build.MODEL,
        soc = if (Build.VERSION.SDK_INT >= SDK_SOC_MODEL) Build.SOC_MODEL else null,
        os = "Android ${Build.VERSION.RELEASE}",
        sdk = Build.VERSION.SDK_INT,
        abi = abi,
        coreMaxKhz = List(Runtime.getRuntime().availableProcessors()) { coreKhz(it, "cpuinfo_max_freq") },
        memoryBytes = memory.totalMem,
        isEmulated = Build.HARDWARE in EMULATORS,
    )
}

/** Reads the current state of the phone. */
fun deviceConditions(context: Context): DeviceConditions {
    val battery: Intent? = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
    val level = battery.reading(BatteryManager.EXTRA_LEVEL)
    val scale = battery.reading(BatteryManager.EXTRA_SCALE)
    val power = context.getSystemService(Context.POWER_SERVICE) as PowerManager
    val cores = Runtime.getRuntime().availableProcessors()
    return DeviceConditions(
        takenAtMs = System.currentTimeMillis(),
        batteryCelsius = battery.reading(BatteryManager.EXTRA_TEMPERATURE)?.let { it / 10.0 },
        thermalStatus = if (Build.VERSION.SDK_INT >= SDK_THERMAL_STATUS) power.currentThermalStatus else null,
        batteryPercent = if (level == null || scale == null || scale == 0) null else 100 * level / scale,
        isCharging = battery.reading(BatteryManager.EXTRA_PLUGGED)?.let { it != 0 },
        coreKhz = (0 until cores).mapNotNull { core -> coreKhz(core, "scaling_cur_freq")?.let { core to it } }.toMap(),
        freeBytes = context.filesDir.usableSpace,
    )
}

private fun Intent?.reading(name: String): Int? = this?.getIntExtra(name, MISSING)?.takeIf { it != MISSING }

/** Null if apps may not read it, as on many phones. */
private fun coreKhz(
    core: Int,
    file: String,
): Int? =
    try {
        File("/sys/devices/system/cpu/cpu$core/cpufreq/$file").readText().trim().toIntOrNull()
    } catch (_: IOException) {
        null
    }

private const val MISSING = Int.MIN_VALUE
private const val SDK_THERMAL_STATUS = 29
private const val SDK_SOC_MODEL = 31
private val EMULATORS = setOf("goldfish", "ranchu", "cutf_cvm")
