package seaformer.core

/**
 * Does [work], and hands on what prevents it: any exception, or a heap that is full.
 *
 * What is called here belongs to others, such as providers of images, cameras and drivers, and
 * throws more kinds of exceptions than it documents. Other errors are mistakes of this app.
 */
inline fun guarded(
    onFailure: (Throwable) -> Unit,
    work: () -> Unit,
) {
    try {
        work()
    } catch (error: Exception) {
        onFailure(error)
    } catch (error: OutOfMemoryError) {
        onFailure(error)
    }
}
