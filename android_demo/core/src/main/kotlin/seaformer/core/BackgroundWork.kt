package seaformer.core

import java.util.concurrent.Executors

/** The state of background work; [Stopped.byUser] is false if it stopped because the user left the app. */
sealed class WorkState<out T> {
    object None : WorkState<Nothing>()

    data class Running(
        val done: Int,
        val total: Int,
    ) : WorkState<Nothing>()

    data class Stopped(
        val byUser: Boolean,
    ) : WorkState<Nothing>()

    data class Finished<T>(
        val value: T,
    ) : WorkState<T>()

    data class Failed(
        val error: Throwable,
    ) : WorkState<Nothing>()
}

/**
 * Runs long work on a background thread; starting new work stops the previous one.
 *
 * It outlives the activity that shows it, which is recreated when the phone is rotated. Stopped work
 * ends after its current step; new work waits until then. All members must be used from one thread,
 * the caller's.
 *
 * @param state initial state.
 * @param post runs a function later on the caller's thread.
 */
class BackgroundWork<T>(
    state: WorkState<T> = WorkState.None,
    private val post: (() -> Unit) -> Unit,
) : AutoCloseable {
    private class StopFlag {
        @Volatile var isStopped = false
    }

    private val worker = Executors.newSingleThreadExecutor()
    private var newest: StopFlag? = null

    var state: WorkState<T> = state
        private set(value) {
            field = value
            listener?.invoke(value)
        }

    /** Called with the current state when set, and with each new state. */
    var listener: ((WorkState<T>) -> Unit)? = null
        set(value) {
            field = value
            value?.invoke(state)
        }

    /**
     * Starts new work, and stops the current one.
     *
     * @param total number of steps.
     * @param work calls its argument after each step, and stops if that returns false; returns null if
     *     it was stopped before its last step.
     */
    fun start(
        total: Int,
        work: (onStep: (done: Int) -> Boolean) -> T?,
    ) {
        newest?.isStopped = true
        val flag = StopFlag()
        newest = flag
        state = WorkState.Running(0, total)
        worker.execute {
            if (flag.isStopped) return@execute
            guarded({ report(flag, WorkState.Failed(it)) }) {
                val value =
                    work { done ->
                        report(flag, WorkState.Running(done, total))
                        !flag.isStopped
                    }
                if (value != null) report(flag, WorkState.Finished(value))
            }
        }
    }

    /** Stops the current work, if any. */
    fun stop(byUser: Boolean) {
        val flag = newest ?: return
        if (state !is WorkState.Running) return
        flag.isStopped = true
        state = WorkState.Stopped(byUser)
    }

    override fun close() {
        listener = null
        stop(byUser = false)
        worker.shutdown()
    }

    private fun report(
        flag: StopFlag,
        now: WorkState<T>,
    ) = post { if (flag === newest && !flag.isStopped) state = now }
}
