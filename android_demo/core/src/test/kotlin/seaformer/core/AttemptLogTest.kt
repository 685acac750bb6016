package seaformer.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File

/** Stands for a process that a driver ends in an attempt: what the log does after it never happens. */
private class ProcessEnded : Error()

class AttemptLogTest {
    @get:Rule
    val temporary = TemporaryFolder()
    private val check = AgreementCheck()
    private val folder: File get() = File(temporary.root, "log")

    /** Starts the app anew, on which the driver of [crashing] ends the process. Returns what is left. */
    private fun start(
        order: List<Accelerator>,
        crashing: Accelerator?,
    ): FallbackSegmenter? {
        val saved = File(temporary.root, "saved")
        try {
            return FallbackSegmenter(order, check, AttemptLog(folder)) {
                if (it == crashing) {
                    saved.deleteRecursively()
                    folder.copyRecursively(saved)
                    throw ProcessEnded()
                }
                Doubling(it)
            }
        } catch (_: NoAcceleratorException) {
            return null
        } finally {
            if (saved.isDirectory) {
                folder.deleteRecursively()
                saved.renameTo(folder)
            }
        }
    }

    @Test
    fun `a driver that ended the app is skipped at the next start, and named`() {
        start(Accelerator.entries, crashing = Accelerator.NPU)
        val next = start(Accelerator.entries, crashing = Accelerator.NPU)!!
        assertEquals(Accelerator.GPU, next.accelerator)
        val (skipped) = next.rejections
        assertEquals(Accelerator.NPU, skipped.accelerator)
        assertTrue(skipped.wasSkipped)
        assertTrue(skipped.reason.startsWith("the app ended while it was tried"))
    }

    @Test
    fun `an accelerator that the user chose is skipped as well, for the CPU`() {
        val order = Accelerator.order(Accelerator.GPU)
        start(order, crashing = Accelerator.GPU)
        val next = start(order, crashing = Accelerator.GPU)!!
        assertEquals(Accelerator.CPU, next.accelerator)
        assertTrue(next.rejections.single().wasSkipped)
    }

    @Test
    fun `the CPU is tried twice`() {
        start(Accelerator.entries.takeLast(1), crashing = Accelerator.CPU)
        assertFalse(AttemptLog(folder).skips(Accelerator.CPU))
        start(Accelerator.entries.takeLast(1), crashing = Accelerator.CPU)
        assertTrue(AttemptLog(folder).skips(Accelerator.CPU))
    }

    @Test
    fun `an attempt that ends leaves nothing, whether it fails or not`() {
        val log = AttemptLog(folder)
        assertEquals(Accelerator.GPU, log.record(Accelerator.GPU) { log.trying })
        assertThrows(IllegalStateException::class.java) { log.record(Accelerator.NPU) { error("no driver") } }
        for (accelerator in Accelerator.entries) assertFalse(AttemptLog(folder).skips(accelerator))
        assertNull(log.trying)
    }

    @Test
    fun `what runs now is not taken for what ended an earlier process`() {
        val logs = AttemptLogs(folder)
        logs.of("model").record(Accelerator.GPU) {
            assertFalse(logs.of("model").skips(Accelerator.GPU))
            assertTrue(AttemptLogs(folder).of("model").skips(Accelerator.GPU))
            assertFalse(AttemptLogs(folder).of("another model").skips(Accelerator.GPU))
        }
    }

    @Test
    fun `an image with which a driver ended the app is remembered as well`() {
        val inTheRun = mutableListOf<Boolean>()
        val segmenter =
            FallbackSegmenter(Accelerator.entries, check, AttemptLog(folder)) {
                object : Segmenter by Doubling(it) {
                    override fun run(input: TensorData): TensorData {
                        inTheRun += AttemptLog(folder).skips(Accelerator.NPU)
                        return input
                    }
                }
            }
        repeat(4) { segmenter.run(check.input()) }
        assertEquals(listOf(true, true, true, true, false), inTheRun) // the check, then images
        assertFalse(AttemptLog(folder).skips(Accelerator.NPU))
    }

    @Test
    fun `what is skipped can be tried again`() {
        start(Accelerator.entries, crashing = Accelerator.NPU)
        val log = AttemptLog(folder)
        assertTrue(log.skips(Accelerator.NPU))
        log.forget()
        assertFalse(log.skips(Accelerator.NPU))
        assertFalse(AttemptLog(folder).skips(Accelerator.NPU))
    }

    @Test
    fun `a log that cannot be written does not keep the model from running`() {
        folder.writeText("a file where the folder should be")
        assertEquals(7, AttemptLog(folder).record(Accelerator.GPU) { 7 })
    }
}
