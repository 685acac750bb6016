package seaformer.core

import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicLong

/**
 * Lets one camera frame in at a time. Those that come meanwhile are dropped and counted, so that
 * frames never pile up and the one that is shown is never old.
 */
class FrameGate {
    private val busy = AtomicBoolean(false)
    private val passedFrames = AtomicLong()
    private val droppedFrames = AtomicLong()

    val passed: Long get() = passedFrames.get()
    val dropped: Long get() = droppedFrames.get()

    /** Whether a frame may be worked on; if so, [leave] has to follow. */
    fun enter(): Boolean {
        val enters = busy.compareAndSet(false, true)
        (if (enters) passedFrames else droppedFrames).incrementAndGet()
        return enters
    }

    fun leave() = busy.set(false)
}
