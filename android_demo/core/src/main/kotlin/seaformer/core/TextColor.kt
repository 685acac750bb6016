package seaformer.core

import kotlin.math.pow

private val DARK = rgb(16, 18, 22)
private val LIGHT = rgb(255, 255, 255)

/** A dark or a light color for text, whichever has the higher contrast on a background. */
fun textColorOn(background: Int): Int = if (contrast(DARK, background) > contrast(LIGHT, background)) DARK else LIGHT

/** The contrast ratio of WCAG 2, 1..21. */
private fun contrast(
    one: Int,
    other: Int,
): Double {
    val (darker, lighter) = listOf(one, other).map(::luminance).sorted()
    return (lighter + 0.05) / (darker + 0.05)
}

/** The relative luminance of WCAG 2, 0..1. */
private fun luminance(color: Int): Double =
    0.2126 * linear(red(color)) + 0.7152 * linear(green(color)) + 0.0722 * linear(blue(color))

private fun linear(level: Int): Double {
    val part = level / 255.0
    return if (part <= 0.04045) part / 12.92 else ((part + 0.055) / 1.055).pow(2.4)
}
