package seaformer.core

import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicLong

/**
 * Admits one camera frame at a time. Frames that arrive meanwhile are dropped and counted, so frames
 * never queue up and the displayed frame is always recent.
 */
class FrameGate {
    private val busy = AtomicBoolean(false)
    private val passedFrames = AtomicLong()
    private val droppedFrames = AtomicLong()

    val passed: Long get() = passedFrames.get()
    val dropped: Long get() = droppedFrames.get()

    /** Whether a frame is admitted; if so, the caller must call [leave] afterwards. */
    fun enter(): Boolean {
        val enters = busy.compareAndSet(false, true)
        (if (enters) passedFrames else droppedFrames).incrementAndGet()
        return enters
    }

    fun leave() = busy.set(false)
}
