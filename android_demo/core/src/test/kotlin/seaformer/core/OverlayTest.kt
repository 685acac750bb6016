package seaformer.core

import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class OverlayTest {
    private val cases = Golden.cases("blending")

    @Test
    fun `blended colors match seaformer-predict`() {
        for (case in cases) {
            val photograph = Golden.image(case.getJSONObject("image"))
            val blended = blend(photograph, mask(case), colors(case), case.getDouble("opacity"))
            val expected = Golden.image(case.getJSONObject("expected"))
            assertArrayEquals(case.getString("name"), expected.pixels, blended.pixels)
        }
    }

    @Test
    fun `classes have colors of the data set or generated ones`() {
        for (case in cases) {
            val colors = colors(case)
            val expected = case.getJSONArray("colors")
            for (id in 0 until expected.length()) {
                assertEquals("${case.getString("name")}, class $id", expected.getJSONArray(id).color(), colors[id])
            }
        }
    }

    @Test
    fun `shares are sorted largest first`() {
        for (case in cases) {
            val shares = classShares(mask(case), case.getJSONArray("labels").texts(), colors(case))
            val expected = case.getJSONArray("shares").objects()
            assertEquals(expected.map { it.getInt("index") }, shares.map { it.id })
            assertEquals(expected.map { it.getString("name") }, shares.map { it.label })
            assertEquals(expected.map { it.getJSONArray("color").color() }, shares.map { it.color })
            for ((share, entry) in shares.zip(expected)) assertEquals(entry.getDouble("share"), share.share, 1e-12)
        }
    }

    @Test
    fun `an isolated class leaves the other pixels unchanged`() {
        val case = cases.first { it.getDouble("opacity") == 0.5 }
        val photograph = Golden.image(case.getJSONObject("image"))
        val mask = mask(case)
        val id = mask[0]
        val all = blend(photograph, mask, colors(case), 0.5)
        val alone = blend(photograph, mask, colors(case), 0.5, only = id)
        for (i in photograph.pixels.indices) {
            assertEquals(if (mask[i] == id) all.pixels[i] else photograph.pixels[i], alone.pixels[i])
        }
    }

    @Test
    fun `a mask of another size and an invalid opacity are refused`() {
        val photograph = RgbImage(2, 1, intArrayOf(0, 0))
        val colors = ClassColors(null)
        assertThrows(IllegalArgumentException::class.java) { blend(photograph, ClassMask(1, 2), colors, 0.5) }
        assertThrows(IllegalArgumentException::class.java) { blend(photograph, ClassMask(2, 1), colors, 1.5) }
    }

    private fun mask(case: JSONObject): ClassMask {
        val image = case.getJSONObject("image")
        return Golden.mask(case.getString("mask"), image.getInt("width"), image.getInt("height"))
    }

    private fun colors(case: JSONObject): ClassColors {
        val palette = if (case.isNull("palette")) null else case.getJSONArray("palette")
        return ClassColors(palette?.let { rows -> (0 until rows.length()).map { rows.getJSONArray(it).color() } })
    }
}
