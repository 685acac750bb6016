package seaformer.core

import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit

class LatestJobTest {
    private val posted = LinkedBlockingQueue<() -> Unit>()
    private val job = LatestJob<String> { posted.add(it) }

    @After
    fun close() = job.close()

    /** Does what was posted, as the main thread would, until the state is as wanted. */
    private fun await(isWanted: (JobState<String>) -> Boolean) {
        while (!isWanted(job.state)) {
            val next = posted.poll(20, TimeUnit.SECONDS) ?: throw AssertionError("it stays ${job.state}")
            next()
        }
    }

    @Test
    fun `a job that is started after another was stopped is run to its end`() {
        val isInside = CountDownLatch(1)
        val mayGoOn = CountDownLatch(1)
        val answers = LinkedBlockingQueue<Boolean>()
        job.start(2) { onStep ->
            isInside.countDown()
            mayGoOn.await()
            onStep(1).also(answers::add)
            null
        }
        isInside.await()
        job.stop(byUser = true)
        assertEquals(JobState.Stopped(byUser = true), job.state)
        job.start(3) { onStep -> if (onStep(1)) "second" else null }
        mayGoOn.countDown()
        await { it is JobState.Finished }
        assertEquals(JobState.Finished("second"), job.state)
        assertFalse(answers.take())
    }

    @Test
    fun `a job goes on while no screen shows it`() {
        val mayGoOn = CountDownLatch(1)
        val first = mutableListOf<JobState<String>>()
        job.listener = { first += it }
        job.start(5) { onStep ->
            mayGoOn.await()
            if (onStep(5)) "done" else null
        }
        job.listener = null
        mayGoOn.countDown()
        await { it is JobState.Finished }
        val second = mutableListOf<JobState<String>>()
        job.listener = { second += it }
        assertEquals(listOf(JobState.None, JobState.Running(0, 5)), first)
        assertEquals(listOf<JobState<String>>(JobState.Finished("done")), second)
    }

    @Test
    fun `what a stopped job still does is not shown`() {
        val isInside = CountDownLatch(1)
        val mayGoOn = CountDownLatch(1)
        job.start(1) {
            isInside.countDown()
            mayGoOn.await()
            "too late"
        }
        isInside.await()
        job.stop(byUser = false)
        mayGoOn.countDown()
        posted.poll(20, TimeUnit.SECONDS)!!()
        assertEquals(JobState.Stopped(byUser = false), job.state)
    }

    @Test
    fun `a failure is a state, a full heap too, and the next job is run`() {
        job.start(1) { throw IllegalStateException("no driver") }
        await { it is JobState.Failed }
        assertEquals("no driver", (job.state as JobState.Failed).error.message)
        job.start(1) { throw OutOfMemoryError() }
        await { it is JobState.Failed && it.error is OutOfMemoryError }
        job.start(1) { "next" }
        await { it is JobState.Finished }
        assertTrue(posted.isEmpty())
    }

    @Test
    fun `what has ended cannot be stopped`() {
        job.stop(byUser = true)
        assertEquals(JobState.None, job.state)
        job.start(1) { "done" }
        await { it is JobState.Finished }
        job.stop(byUser = false)
        assertEquals(JobState.Finished("done"), job.state)
    }
}
