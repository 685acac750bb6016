"""Where LiteRT's GPU accelerator puts the axes of a tensor: batch, height, width, channels.

Everything there has four axes. A tensor that is computed has its first axis on the batch and the
others at the end; a constant of real numbers beside it has all of its axes at the end. The two
agree in rank 4 alone, and below it only where the axis that is misplaced has one element.

Source: ml_drift_delegate/tflite/model_builder.cc and model_builder_helper.cc of LiteRT.
"""

Shape = tuple[int, ...]
Axes = tuple[int, ...]

BATCH = 0


def padded(shape: Shape, rank: int) -> Shape:
    """Put axes of one element in front, as broadcasting does."""
    return (1,) * (rank - len(shape)) + shape


def as_activation(shape: Shape) -> Axes:
    """Axes of a tensor that is computed or given: (b), (b, c), (b, w, c), (b, h, w, c)."""
    return (*shape[:1], *padded(shape[1:], 4 - len(shape[:1])))


def as_constant(shape: Shape) -> Axes:
    """Axes of a constant of real numbers of an element-wise operator: (c), (w, c), (h, w, c)."""
    return padded(shape, 4)


def keeps_place(shape: Shape, rank: int) -> bool:
    """Whether a tensor that is computed has its axes where one of a higher rank has them."""
    return as_activation(shape) == as_activation(padded(shape, rank))
