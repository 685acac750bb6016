package seaformer.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** A model that doubles its input, and fails when its accelerator is made to. */
internal class Doubling(
    override val accelerator: Accelerator,
    private val failsAfter: Int = Int.MAX_VALUE,
    private val result: Float? = null,
) : Segmenter {
    override val runtime = "doubling 1.0"
    var isClosed = false
    private var runs = 0

    override fun run(input: TensorData): TensorData {
        check(!isClosed)
        if (runs++ >= failsAfter) throw IllegalStateException("the driver is gone\nat address 0")
        return TensorData.Floats(FloatArray(input.size) { result ?: (2 * input[it]) })
    }

    override fun close() {
        check(!isClosed)
        isClosed = true
    }
}

class FallbackSegmenterTest {
    @get:Rule
    val temporary = TemporaryFolder()
    private val attempts by lazy { AttemptLog(temporary.root) }
    private val probe = TensorData.Floats(FloatArray(3))
    private val all = Accelerator.entries.toList()

    @Test
    fun `the first accelerator that can is taken`() {
        val segmenter = FallbackSegmenter(all, probe, attempts) { Doubling(it) }
        assertEquals(Accelerator.NPU, segmenter.accelerator)
        assertEquals("doubling 1.0", segmenter.runtime)
        assertTrue(segmenter.rejections.isEmpty())
        assertEquals(6f, segmenter.run(TensorData.Floats(floatArrayOf(3f)))[0])
    }

    @Test
    fun `what cannot be opened is named with its reason`() {
        val segmenter =
            FallbackSegmenter(all, probe, attempts) {
                if (it == Accelerator.NPU) throw UnsatisfiedLinkError("no libnpu.so")
                if (it == Accelerator.GPU) throw UnsupportedOperationException("PAD with 5 dimensions")
                Doubling(it)
            }
        assertEquals(Accelerator.CPU, segmenter.accelerator)
        assertEquals(
            listOf(Rejection(Accelerator.NPU, "no libnpu.so"), Rejection(Accelerator.GPU, "PAD with 5 dimensions")),
            segmenter.rejections,
        )
    }

    @Test
    fun `an accelerator that computes nothing finite is not used`() {
        val opened = mutableListOf<Doubling>()
        val segmenter =
            FallbackSegmenter(all, probe, attempts) {
                Doubling(it, result = if (it == Accelerator.CPU) null else Float.NaN).also(opened::add)
            }
        assertEquals(Accelerator.CPU, segmenter.accelerator)
        assertEquals(listOf(Accelerator.NPU, Accelerator.GPU), segmenter.rejections.map { it.accelerator })
        assertEquals(listOf(true, true, false), opened.map { it.isClosed })
    }

    @Test
    fun `a failure in the middle goes on with the next one and loses no image`() {
        val segmenter =
            FallbackSegmenter(all, probe, attempts) {
                Doubling(
                    it,
                    failsAfter =
                        if (it ==
                            Accelerator.NPU
                        ) {
                            2
                        } else {
                            Int.MAX_VALUE
                        },
                )
            }
        val input = TensorData.Floats(floatArrayOf(4f))
        assertEquals(8f, segmenter.run(input)[0])
        assertEquals(Accelerator.NPU, segmenter.accelerator)
        assertEquals(8f, segmenter.run(input)[0])
        assertEquals(Accelerator.GPU, segmenter.accelerator)
        assertEquals(listOf(Rejection(Accelerator.NPU, "the driver is gone")), segmenter.rejections)
    }

    @Test
    fun `one that failed is closed once and never run again`() {
        val opened = mutableListOf<Doubling>()
        val failing = { accelerator: Accelerator -> Doubling(accelerator, failsAfter = 1).also { opened += it } }
        val segmenter = FallbackSegmenter(listOf(Accelerator.GPU), probe, attempts, failing)
        repeat(2) {
            val error = assertThrows(NoAcceleratorException::class.java) { segmenter.run(probe) }
            assertEquals("GPU: the driver is gone", error.message)
        }
        segmenter.close()
        assertEquals(listOf(true), opened.map { it.isClosed })
    }

    @Test
    fun `when none is left the error names them all`() {
        val error =
            assertThrows(NoAcceleratorException::class.java) {
                FallbackSegmenter(all.drop(1), probe, attempts) { throw IllegalStateException("no $it") }
            }
        assertEquals("GPU: no GPU; CPU: no CPU", error.message)
    }

    @Test
    fun `a heap that is too small for one accelerator may do for the next`() {
        val segmenter =
            FallbackSegmenter(all, probe, attempts) {
                if (it == Accelerator.NPU) throw OutOfMemoryError("100 MB")
                Doubling(it)
            }
        assertEquals(Accelerator.GPU, segmenter.accelerator)
        assertEquals(listOf(Rejection(Accelerator.NPU, "100 MB")), segmenter.rejections)
    }
}
