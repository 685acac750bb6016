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

/** Simulates a driver that ends the process during an attempt: the later steps of the log are undone. */
private class ProcessEnded : Error()

class AttemptLogTest {
    @get:Rule
    val temporary = TemporaryFolder()
    private val check = AgreementCheck()
    private val folder: File get() = File(temporary.root, "log")

    /** Starts the app; the driver of [crashing] ends the process. Returns null if nothing can run the model. */
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
    fun `a driver that crashed the app is skipped at the next start and reported`() {
        start(Accelerator.entries, crashing = Accelerator.NPU)
        val next = start(Accelerator.entries, crashing = Accelerator.NPU)!!
        assertEquals(Accelerator.GPU, next.accelerator)
        val (skipped) = next.rejections
        assertEquals(Accelerator.NPU, skipped.accelerator)
        assertTrue(skipped.wasSkipped)
        assertTrue(skipped.reason.startsWith("skipped because the app crashed"))
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
    fun `a finished attempt leaves no record, whether it fails or not`() {
        val log = AttemptLog(folder)
        assertEquals(Accelerator.GPU, log.record(Accelerator.GPU) { log.trying })
        assertThrows(IllegalStateException::class.java) { log.record(Accelerator.NPU) { error("no driver") } }
        for (accelerator in Accelerator.entries) assertFalse(AttemptLog(folder).skips(accelerator))
        assertNull(log.trying)
    }

    @Test
    fun `a current attempt is not taken for an earlier crash`() {
        val logs = AttemptLogs(folder)
        logs.of("model").record(Accelerator.GPU) {
            assertFalse(logs.of("model").skips(Accelerator.GPU))
            assertTrue(AttemptLogs(folder).of("model").skips(Accelerator.GPU))
            assertFalse(AttemptLogs(folder).of("another model").skips(Accelerator.GPU))
        }
    }

    @Test
    fun `a crash on an image is recorded too`() {
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
    fun `skipped accelerators can be tried again`() {
        start(Accelerator.entries, crashing = Accelerator.NPU)
        val log = AttemptLog(folder)
        assertTrue(log.skips(Accelerator.NPU))
        log.clear()
        assertFalse(log.skips(Accelerator.NPU))
        assertFalse(AttemptLog(folder).skips(Accelerator.NPU))
    }

    @Test
    fun `the model runs even if the log cannot be written`() {
        folder.writeText("a file where the folder should be")
        assertEquals(7, AttemptLog(folder).record(Accelerator.GPU) { 7 })
    }
}
