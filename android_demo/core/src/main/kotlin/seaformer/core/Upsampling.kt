package seaformer.core

/** Makes the mask at the size of an image from a model's logits. For one thread at a time. */
interface Upsampling {
    val maskHeight: Int
    val maskWidth: Int

    /**
     * Makes the mask.
     *
     * @param logits dense, [classes, height, width] or [height, width, classes]; the integers of a
     *     quantised tensor as they are: scale and zero point do not change which one is largest.
     * @throws NotFiniteException a logit is not finite, or larger than 2^127.
     */
    fun run(logits: TensorData): ClassMask
}

/** Makes an [Upsampling] for logits of one shape and masks of one size. */
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
