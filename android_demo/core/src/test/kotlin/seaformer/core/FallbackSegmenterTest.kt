package seaformer.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** A model that doubles its input, and fails after a given number of runs. */
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

/** A check that reports [agreement] for each accelerator; 0.9 is required. */
internal class AgreementCheck(
    private val agreement: (Accelerator) -> Double = { 1.0 },
) : AcceleratorCheck {
    override fun input() = TensorData.Floats(FloatArray(3))

    override fun judge(
        output: TensorData,
        accelerator: Accelerator,
    ) = Verdict("a computer", null, null, agreement(accelerator), 30.0, 0.9)
}

class FallbackSegmenterTest {
    @get:Rule
    val temporary = TemporaryFolder()
    private val attempts by lazy { AttemptLog(temporary.root) }
    private val input = TensorData.Floats(FloatArray(3))
    private val check = AgreementCheck()
    private val all = Accelerator.entries.toList()

    @Test
    fun `the first accelerator that works is used`() {
        val segmenter = FallbackSegmenter(all, check, attempts) { Doubling(it) }
        assertEquals(Accelerator.NPU, segmenter.accelerator)
        assertEquals("doubling 1.0", segmenter.runtime)
        assertTrue(segmenter.rejections.isEmpty())
        assertEquals(6f, segmenter.run(TensorData.Floats(floatArrayOf(3f)))[0])
    }

    @Test
    fun `accelerators that cannot be opened are reported with the reason`() {
        val segmenter =
            FallbackSegmenter(all, check, attempts) {
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
    fun `an accelerator with a non-finite output is not used`() {
        val opened = mutableListOf<Doubling>()
        val segmenter =
            FallbackSegmenter(all, check, attempts) {
                Doubling(it, result = if (it == Accelerator.CPU) null else Float.NaN).also(opened::add)
            }
        assertEquals(Accelerator.CPU, segmenter.accelerator)
        assertEquals(listOf(Accelerator.NPU, Accelerator.GPU), segmenter.rejections.map { it.accelerator })
        assertEquals(listOf(true, true, false), opened.map { it.isClosed })
    }

    @Test
    fun `an accelerator with a different output is closed and reported with its values`() {
        val opened = mutableListOf<Doubling>()
        val wrongOnGpu = AgreementCheck { if (it == Accelerator.GPU) 0.5 else 0.95 }
        val order = Accelerator.order(Accelerator.GPU)
        val segmenter = FallbackSegmenter(order, wrongOnGpu, attempts) { Doubling(it).also(opened::add) }
        assertEquals(Accelerator.CPU, segmenter.accelerator)
        assertEquals(listOf(true, false), opened.map { it.isClosed })
        val reason =
            "its output differs from the expected output: the same class at 50.00 % of positions; " +
                "required: the same class at 90.00 % of positions"
        assertEquals(listOf(Rejection(Accelerator.GPU, reason)), segmenter.rejections)
        assertEquals(0.95, segmenter.verdict.agreement!!, 0.0)
        assertTrue(segmenter.verdict.passed)
    }

    @Test
    fun `the CPU is used even if its output differs, which the verdict reports`() {
        val segmenter = FallbackSegmenter(all, AgreementCheck { 0.5 }, attempts) { Doubling(it) }
        assertEquals(Accelerator.CPU, segmenter.accelerator)
        assertEquals(listOf(Accelerator.NPU, Accelerator.GPU), segmenter.rejections.map { it.accelerator })
        assertFalse(segmenter.verdict.passed)
    }

    @Test
    fun `a chosen accelerator falls back to the CPU`() {
        assertEquals(listOf(Accelerator.NPU, Accelerator.GPU, Accelerator.CPU), Accelerator.order(null))
        assertEquals(listOf(Accelerator.NPU, Accelerator.CPU), Accelerator.order(Accelerator.NPU))
        assertEquals(listOf(Accelerator.CPU), Accelerator.order(Accelerator.CPU))
    }

    @Test
    fun `a later failure falls back to the next accelerator and loses no image`() {
        val segmenter =
            FallbackSegmenter(all, check, attempts) {
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
    fun `a failed accelerator is closed once and never run again`() {
        val opened = mutableListOf<Doubling>()
        val failing = { accelerator: Accelerator -> Doubling(accelerator, failsAfter = 1).also { opened += it } }
        val segmenter = FallbackSegmenter(listOf(Accelerator.GPU), check, attempts, failing)
        repeat(2) {
            val error = assertThrows(NoAcceleratorException::class.java) { segmenter.run(input) }
            assertEquals("GPU: the driver is gone", error.message)
        }
        segmenter.close()
        assertEquals(listOf(true), opened.map { it.isClosed })
    }

    @Test
    fun `if all accelerators fail the error names them all`() {
        val error =
            assertThrows(NoAcceleratorException::class.java) {
                FallbackSegmenter(all.drop(1), check, attempts) { throw IllegalStateException("no $it") }
            }
        assertEquals("GPU: no GPU; CPU: no CPU", error.message)
    }

    @Test
    fun `an accelerator that runs out of memory is followed by the next`() {
        val segmenter =
            FallbackSegmenter(all, check, attempts) {
                if (it == Accelerator.NPU) throw OutOfMemoryError("100 MB")
                Doubling(it)
            }
        assertEquals(Accelerator.GPU, segmenter.accelerator)
        assertEquals(listOf(Rejection(Accelerator.NPU, "100 MB")), segmenter.rejections)
    }
}
