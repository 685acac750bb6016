package seaformer.core

import java.util.concurrent.Executors

/** What became of a job; [Stopped.byUser] is false if the app was left meanwhile. */
sealed class JobState<out T> {
    object None : JobState<Nothing>()

    data class Running(
        val done: Int,
        val total: Int,
    ) : JobState<Nothing>()

    data class Stopped(
        val byUser: Boolean,
    ) : JobState<Nothing>()

    data class Finished<T>(
        val value: T,
    ) : JobState<T>()

    data class Failed(
        val error: Throwable,
    ) : JobState<Nothing>()
}

/**
 * Runs long jobs on a thread of its own, one after the other; the state is that of the newest.
 *
 * It outlives the screen that shows it, which is made anew when the phone is turned. A job that was
 * stopped ends at its next step; until then a new one waits, and each has its own order to stop.
 * Everything but the jobs is for one thread.
 *
 * @param state what is known before the first job.
 * @param post runs a function on that thread, later.
 */
class LatestJob<T>(
    state: JobState<T> = JobState.None,
    private val post: (() -> Unit) -> Unit,
) : AutoCloseable {
    private class Order {
        @Volatile var isStopped = false
    }

    private val worker = Executors.newSingleThreadExecutor()
    private var newest: Order? = null

    var state: JobState<T> = state
        private set(value) {
            field = value
            listener?.invoke(value)
        }

    /** Receives the state, now and whenever it changes. */
    var listener: ((JobState<T>) -> Unit)? = null
        set(value) {
            field = value
            value?.invoke(state)
        }

    /**
     * Starts a job; one that runs is stopped.
     *
     * @param total number of its steps.
     * @param work gets a function to call after each step, which returns whether to go on; its own
     *     result is null if it was ended before its last step.
     */
    fun start(
        total: Int,
        work: (onStep: (done: Int) -> Boolean) -> T?,
    ) {
        newest?.isStopped = true
        val order = Order()
        newest = order
        state = JobState.Running(0, total)
        worker.execute {
            if (order.isStopped) return@execute
            guarded({ report(order, JobState.Failed(it)) }) {
                val value =
                    work { done ->
                        report(order, JobState.Running(done, total))
                        !order.isStopped
                    }
                if (value != null) report(order, JobState.Finished(value))
            }
        }
    }

    /** Stops the job that runs, if there is one. */
    fun stop(byUser: Boolean) {
        val order = newest ?: return
        if (state !is JobState.Running) return
        order.isStopped = true
        state = JobState.Stopped(byUser)
    }

    override fun close() {
        listener = null
        stop(byUser = false)
        worker.shutdown()
    }

    private fun report(
        order: Order,
        now: JobState<T>,
    ) = post { if (order === newest && !order.isStopped) state = now }
}
