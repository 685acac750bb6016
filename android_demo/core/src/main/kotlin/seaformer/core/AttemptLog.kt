package seaformer.core

import java.io.File
import java.io.FileOutputStream
import java.io.IOException

/**
 * Records on disk which accelerator is being tried, in case its driver crashes the process.
 *
 * A crashing driver throws no exception. Therefore a file is written before each attempt and deleted
 * after it, whether it succeeded or not; a file left by an earlier process names the accelerator that
 * was being tried when that process ended. A process must have only one log per folder, or it would
 * mistake a current attempt for a crash.
 *
 * @param folder folder of the files for one model on one version of the system; created when needed.
 */
class AttemptLog(
    private val folder: File,
) {
    /** The accelerator being tried; null outside an attempt. Safe to read from any thread. */
    @Volatile
    var trying: Accelerator? = null
        private set

    private val interruptions = Accelerator.entries.associateWith { file(it).length() }.toMutableMap()

    /**
     * Whether to skip an accelerator. The CPU, the last fallback, is skipped only after two crashes, as a
     * process may also end during an attempt because the user or the system closes it.
     */
    @Synchronized
    fun skips(accelerator: Accelerator): Boolean {
        val allowed = if (accelerator == Accelerator.CPU) 1 else 0
        return interruptions.getValue(accelerator) > allowed
    }

    /** Runs [attempt], recorded on disk until it ends. */
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

    /** Clears the log, so that every accelerator is tried again. */
    @Synchronized
    fun clear() = Accelerator.entries.forEach(::end)

    /** The length of the file in bytes is the number of unfinished attempts, including this one. */
    @Synchronized
    private fun begin(accelerator: Accelerator) {
        try {
            folder.mkdirs()
            FileOutputStream(file(accelerator)).use {
                it.write(ByteArray(interruptions.getValue(accelerator).toInt() + 1))
                it.fd.sync() // a driver can also take the whole system down
            }
        } catch (_: IOException) {
            // For example, the disk is full; the model can still run.
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
 * The logs of all models, a single [AttemptLog] for each.
 *
 * @param folder parent of the logs' folders.
 */
class AttemptLogs(
    private val folder: File,
) {
    private val logs = mutableMapOf<String, AttemptLog>()

    /** The log for [subject]: a model, and everything else that affects whether it runs. */
    @Synchronized
    fun of(subject: String): AttemptLog {
        val name = sha256(TensorData.Int8(subject.toByteArray()))
        return logs.getOrPut(name) { AttemptLog(File(folder, name)) }
    }
}
