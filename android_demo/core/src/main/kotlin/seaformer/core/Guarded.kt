package seaformer.core

/**
 * Runs [work], and passes any exception or OutOfMemoryError to [onFailure].
 *
 * The callers use third-party code, such as image providers, cameras and drivers, which throws
 * undocumented exceptions. Other errors are bugs of this app and are not caught.
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
