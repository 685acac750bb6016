package seaformer.demo

import android.app.Activity
import android.os.Bundle
import android.widget.TextView
import seaformer.core.Comparison
import seaformer.core.InputTensor
import seaformer.core.ModelMetadata
import seaformer.core.OutputTensor
import java.util.concurrent.Executors

/** Shows the metadata of the model: its title, input, output, and the exporter's verification. */
class AboutActivity : Activity() {
    private val reading = Executors.newSingleThreadExecutor()

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        actionBar?.setDisplayHomeAsUpEnabled(true)
        setContentView(R.layout.about)
        reading.execute {
            val text =
                try {
                    describe(BundledModel.readAll(assets).chosen(Settings(this).choice).metadata)
                } catch (error: Exception) {
                    Problem.of(error).message(this)
                }
            runOnUiThread { findViewById<TextView>(R.id.text).text = text }
        }
    }

    override fun onDestroy() {
        reading.shutdown()
        super.onDestroy()
    }

    private fun describe(metadata: ModelMetadata): String {
        val size =
            getString(R.string.about_size_value, metadata.parameters, metadata.macs, metadata.file.bytes)
        val parity = metadata.parity
        val verified = listOf("${parity.reference} · ${parity.runtime}") + parity.comparisons.map(::line)
        val weights =
            listOf(metadata.weights) +
                if (metadata.weightsAreRandom) listOf(getString(R.string.random_weights)) else listOf()
        return listOf(
            R.string.about_title to "${metadata.title}\n${metadata.file.name}",
            R.string.about_input to metadata.input.description(),
            R.string.about_output to metadata.output.description(),
            R.string.about_classes to metadata.labels.size.toString(),
            R.string.about_weights to weights.joinToString("\n"),
            R.string.about_size to size,
            R.string.about_parity to verified.joinToString("\n"),
            R.string.about_hash to metadata.file.sha256,
            R.string.about_app to "$packageName ${appVersion(this)}",
        ).joinToString("\n\n") { (title, text) -> "${getString(title)}\n$text" }
    }

    private fun line(comparison: Comparison): String {
        val sqnr = comparison.sqnrDb?.let { getString(R.string.about_sqnr, it) } ?: getString(R.string.about_no_sqnr)
        val agreement = comparison.argmaxAgreement ?: return "${comparison.input}: $sqnr"
        return getString(R.string.about_parity_line, comparison.input, sqnr, 100 * agreement)
    }

    private fun InputTensor.description(): String =
        "$name, ${type.name.lowercase()} ${shape.joinToString("×")}, ${if (bgr) "BGR" else "RGB"}, " +
            if (normalizes) "(x - $mean) / $std" else "0..255"

    private fun OutputTensor.description(): String =
        "$name, ${type.name.lowercase()} ${shape.joinToString("×")}, ${content.name.lowercase()}"
}
