package seaformer.core

import org.junit.Assert.assertEquals
import org.junit.Test

class BundledModelsTest {
    @Test
    fun `descriptions of models are sorted by number`() {
        val assets =
            listOf("images", "model_10.json", "a.onnx", "model_2.json", "model.json", "model_x.json", "samples")
        assertEquals(listOf("model.json", "model_2.json", "model_10.json"), descriptionsOf(assets))
        assertEquals(listOf<String>(), descriptionsOf(listOf("samples")))
    }

    @Test
    fun `models with the same title are distinguished by their files`() {
        val case = Golden.cases("preprocessing").first { it.getString("name") == "ade20k, photograph" }
        val metadata = ModelMetadata.parse(case.getJSONObject("metadata").toString())

        fun model(
            title: String,
            file: String,
        ) = metadata.copy(title = title, file = metadata.file.copy(name = file))
        assertEquals(
            listOf("Tiny (a.onnx)", "Base", "Tiny (b.onnx)"),
            namesOf(listOf(model("Tiny", "a.onnx"), model("Base", "c.onnx"), model("Tiny", "b.onnx"))),
        )
    }
}
