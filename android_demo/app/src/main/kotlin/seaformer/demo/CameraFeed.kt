package seaformer.demo

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.ImageFormat
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureRequest
import android.media.Image
import android.media.ImageReader
import android.os.Handler
import android.os.HandlerThread
import seaformer.core.Orientation
import seaformer.core.RgbImage
import seaformer.core.YuvFrame
import seaformer.core.YuvPlane
import seaformer.core.guarded
import kotlin.math.abs

/**
 * Live frames of the back camera, or of the first camera if there is no back camera.
 *
 * Each frame is passed to [onFrame] once, as a function that converts it to RGB. The reader keeps only
 * the newest frame, so the frames passed on are always recent.
 *
 * @param displayDegrees rotation of the display from its natural orientation.
 * @param onFrame called with each frame, on the feed's thread.
 * @param onFailure called with the reason when the camera stops, on the same thread.
 */
class CameraFeed(
    context: Context,
    private val displayDegrees: Int,
    private val onFrame: (convert: () -> RgbImage) -> Unit,
    private val onFailure: (reason: String) -> Unit,
) : AutoCloseable {
    private val manager = context.getSystemService(Context.CAMERA_SERVICE) as CameraManager
    private val worker = HandlerThread("camera").apply { start() }
    private val handler = Handler(worker.looper)
    private var device: CameraDevice? = null
    private var reader: ImageReader? = null
    private var isClosed = false

    /** Opens the camera; the app must hold the camera permission. Returns whether there is a camera. */
    @SuppressLint("MissingPermission")
    fun open(): Boolean {
        guarded({ onFailure(it.reason()) }) {
            val ids = manager.cameraIdList
            val id = ids.firstOrNull { facing(it) == CameraCharacteristics.LENS_FACING_BACK } ?: ids.firstOrNull()
            if (id == null) return false
            val characteristics = manager.getCameraCharacteristics(id)
            val orientation = Orientation.ofRotation(clockwiseDegrees(characteristics))
            val size = size(characteristics) ?: return false
            reader =
                ImageReader.newInstance(size.width, size.height, ImageFormat.YUV_420_888, BUFFERS).apply {
                    setOnImageAvailableListener({ take(it, orientation) }, handler)
                }
            manager.openCamera(id, DeviceCallback(), handler)
        }
        return true
    }

    private fun facing(id: String): Int? = manager.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING)

    /** The clockwise rotation that makes frames upright on the display. */
    private fun clockwiseDegrees(characteristics: CameraCharacteristics): Int {
        val sensor = characteristics.get(CameraCharacteristics.SENSOR_ORIENTATION) ?: 0
        val isFront = characteristics.get(CameraCharacteristics.LENS_FACING) == CameraCharacteristics.LENS_FACING_FRONT
        return if (isFront) sensor + displayDegrees else sensor - displayDegrees
    }

    private fun size(characteristics: CameraCharacteristics) =
        characteristics
            .get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP)
            ?.getOutputSizes(ImageFormat.YUV_420_888)
            ?.minByOrNull { abs(it.width * it.height - PIXELS) }

    private fun take(
        reader: ImageReader,
        orientation: Orientation,
    ) = onFeed {
        reader.acquireLatestImage()?.use { image ->
            onFrame { frame(image).toImage().oriented(orientation) }
        }
    }

    /** Runs [work] and reports its failure, unless the feed has been closed. */
    private inline fun onFeed(work: () -> Unit) = guarded({ if (!isClosed) onFailure(it.reason()) }, work)

    private fun frame(image: Image): YuvFrame {
        val (luma, blue, red) = image.planes.map { YuvPlane(it.buffer, it.rowStride, it.pixelStride) }
        return YuvFrame(image.width, image.height, luma, blue, red)
    }

    override fun close() {
        handler.post {
            isClosed = true
            onFeed {
                device?.close()
                reader?.close()
            }
        }
        worker.quitSafely()
    }

    private inner class DeviceCallback : CameraDevice.StateCallback() {
        override fun onOpened(camera: CameraDevice) {
            if (isClosed) return camera.close()
            device = camera
            val surface = reader?.surface ?: return
            onFeed {
                @Suppress("DEPRECATION") // its successor needs Android 9
                camera.createCaptureSession(listOf(surface), SessionCallback(camera), handler)
            }
        }

        override fun onDisconnected(camera: CameraDevice) {
            camera.close()
            if (!isClosed) onFailure("disconnected")
        }

        override fun onError(
            camera: CameraDevice,
            error: Int,
        ) {
            camera.close()
            if (!isClosed) onFailure("error $error")
        }
    }

    private inner class SessionCallback(
        private val camera: CameraDevice,
    ) : CameraCaptureSession.StateCallback() {
        override fun onConfigured(session: CameraCaptureSession) {
            val surface = reader?.surface
            if (isClosed || surface == null) return
            onFeed {
                val request = camera.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW)
                request.addTarget(surface)
                request.set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE)
                session.setRepeatingRequest(request.build(), null, handler)
            }
        }

        override fun onConfigureFailed(session: CameraCaptureSession) = onFailure("the camera cannot be configured")
    }

    private companion object {
        const val PIXELS = 640 * 480
        const val BUFFERS = 2
    }
}
