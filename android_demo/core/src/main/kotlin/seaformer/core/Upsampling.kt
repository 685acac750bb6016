package seaformer.core

/** Computes the mask at the size of an image from a model's logits. Not thread-safe. */
interface Upsampling {
    val maskHeight: Int
    val maskWidth: Int

    /**
     * Computes the mask.
     *
     * @param logits dense, [classes, height, width] or [height, width, classes]. Quantized values are
     *     used directly: scale and zero point do not affect which one is largest.
     * @throws NotFiniteException a logit is not finite, or its magnitude exceeds 2^127.
     */
    fun run(logits: TensorData): ClassMask
}

/** Creates an [Upsampling] for one logit shape and one mask size. */
fun interface UpsamplingFactory {
    fun create(
        classes: Int,
        height: Int,
        width: Int,
        channelsFirst: Boolean,
        maskHeight: Int,
        maskWidth: Int,
    ): Upsampling
}
