package seaformer.core

import java.io.File
import java.io.FileOutputStream
import java.io.IOException

/**
 * Remembers on disk which accelerator is being tried, for the case that it ends the process.
 *
 * A driver that crashes throws no exception. So a file is written before an attempt and deleted
 * after it, whatever came of it; one that an earlier process has left names what it was trying when
 * it ended. There has to be one log for a folder in a process: what is being tried now is not taken
 * for what ended an earlier one.
 *
 * @param folder of the files, made when needed; of one model on one version of the system.
 */
class AttemptLog(
    private val folder: File,
) {
    /** What is being tried now; null outside of an attempt. For any thread, as the attempt may hang. */
    @Volatile
    var trying: Accelerator? = null
        private set

    private val interruptions = Accelerator.entries.associateWith { file(it).length() }.toMutableMap()

    /**
     * Whether an accelerator is not to be tried. The CPU, on which everything falls back, is tried twice:
     * a process also ends in an attempt because the user or the system closes it.
     */
    @Synchronized
    fun skips(accelerator: Accelerator): Boolean {
        val most = if (accelerator == Accelerator.CPU) 2 else 1
        return interruptions.getValue(accelerator) >= most
    }

    /** Does [attempt], and remembers it meanwhile. */
    fun <T> record(
        accelerator: Accelerator,
        attempt: () -> T,
    ): T {
        begin(accelerator)
        trying = accelerator
        try {
            return attempt()
        } finally {
            trying = null
            end(accelerator)
        }
    }

    /** Lets every accelerator be tried again. */
    @Synchronized
    fun forget() = Accelerator.entries.forEach(::end)

    /** The file is as many bytes long as there were attempts without an end, this one included. */
    @Synchronized
    private fun begin(accelerator: Accelerator) {
        try {
            folder.mkdirs()
            FileOutputStream(file(accelerator)).use {
                it.write(ByteArray(interruptions.getValue(accelerator).toInt() + 1))
                it.fd.sync() // a driver can also take the whole system down
            }
        } catch (_: IOException) {
            // The model runs with a full disk as well.
        }
    }

    @Synchronized
    private fun end(accelerator: Accelerator) {
        file(accelerator).delete()
        interruptions[accelerator] = 0
    }

    private fun file(accelerator: Accelerator) = File(folder, accelerator.name)
}

/**
 * The logs of all models, one for each [AttemptLog] folder.
 *
 * @param folder that has the folder of each.
 */
class AttemptLogs(
    private val folder: File,
) {
    private val logs = mutableMapOf<String, AttemptLog>()

    /** The log of what is tried with [subject]: a model, and all else that decides whether it runs. */
    @Synchronized
    fun of(subject: String): AttemptLog {
        val name = sha256(TensorData.Int8(subject.toByteArray()))
        return logs.getOrPut(name) { AttemptLog(File(folder, name)) }
    }
}
