package example

import android.app.Activity
import android.graphics.Bitmap
import android.os.Bundle
import android.widget.TextView
import kotlin.concurrent.thread

/** Shows the result of the model for an empty image, with the example of the module's README. */
class MainActivity : Activity() {
    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val text = TextView(this)
        setContentView(text)
        thread {
            val (classes, _) = describe(this, Bitmap.createBitmap(64, 64, Bitmap.Config.ARGB_8888))
            runOnUiThread { text.text = classes.joinToString() }
        }
    }
}
