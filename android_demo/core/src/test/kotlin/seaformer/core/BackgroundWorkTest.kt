package seaformer.core

import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit

class BackgroundWorkTest {
    private val posted = LinkedBlockingQueue<() -> Unit>()
    private val work = BackgroundWork<String> { posted.add(it) }

    @After
    fun close() = work.close()

    /** Runs posted functions, as the main thread would, until [isWanted] accepts the state. */
    private fun await(isWanted: (WorkState<String>) -> Boolean) {
        while (!isWanted(work.state)) {
            val next = posted.poll(20, TimeUnit.SECONDS) ?: throw AssertionError("it stays ${work.state}")
            next()
        }
    }

    @Test
    fun `work that starts after other work was stopped is completed`() {
        val isInside = CountDownLatch(1)
        val mayContinue = CountDownLatch(1)
        val answers = LinkedBlockingQueue<Boolean>()
        work.start(2) { onStep ->
            isInside.countDown()
            mayContinue.await()
            onStep(1).also(answers::add)
            null
        }
        isInside.await()
        work.stop(byUser = true)
        assertEquals(WorkState.Stopped(byUser = true), work.state)
        work.start(3) { onStep -> if (onStep(1)) "second" else null }
        mayContinue.countDown()
        await { it is WorkState.Finished }
        assertEquals(WorkState.Finished("second"), work.state)
        assertFalse(answers.take())
    }

    @Test
    fun `work continues while there is no listener`() {
        val mayContinue = CountDownLatch(1)
        val first = mutableListOf<WorkState<String>>()
        work.listener = { first += it }
        work.start(5) { onStep ->
            mayContinue.await()
            if (onStep(5)) "done" else null
        }
        work.listener = null
        mayContinue.countDown()
        await { it is WorkState.Finished }
        val second = mutableListOf<WorkState<String>>()
        work.listener = { second += it }
        assertEquals(listOf(WorkState.None, WorkState.Running(0, 5)), first)
        assertEquals(listOf<WorkState<String>>(WorkState.Finished("done")), second)
    }

    @Test
    fun `the result of stopped work is ignored`() {
        val isInside = CountDownLatch(1)
        val mayContinue = CountDownLatch(1)
        work.start(1) {
            isInside.countDown()
            mayContinue.await()
            "too late"
        }
        isInside.await()
        work.stop(byUser = false)
        mayContinue.countDown()
        posted.poll(20, TimeUnit.SECONDS)!!()
        assertEquals(WorkState.Stopped(byUser = false), work.state)
    }

    @Test
    fun `an exception or OutOfMemoryError is a state, and the next work is run`() {
        work.start(1) { throw IllegalStateException("no driver") }
        await { it is WorkState.Failed }
        assertEquals("no driver", (work.state as WorkState.Failed).error.message)
        work.start(1) { throw OutOfMemoryError() }
        await { it is WorkState.Failed && it.error is OutOfMemoryError }
        work.start(1) { "next" }
        await { it is WorkState.Finished }
        assertTrue(posted.isEmpty())
    }

    @Test
    fun `finished work cannot be stopped`() {
        work.stop(byUser = true)
        assertEquals(WorkState.None, work.state)
        work.start(1) { "done" }
        await { it is WorkState.Finished }
        work.stop(byUser = false)
        assertEquals(WorkState.Finished("done"), work.state)
    }
}
