"""How LiteRT's GPU accelerator assigns the axes of a tensor to batch, height, width and channels.

The accelerator represents every tensor with four axes. For a computed tensor, the first axis is the
batch and the others are aligned at the end; for a floating-point constant, all axes are aligned at
the end. The two agree for rank 4, and for lower ranks only if the misplaced axis has one element.

Source: ml_drift_delegate/tflite/model_builder.cc and model_builder_helper.cc of LiteRT.
"""

Shape = tuple[int, ...]
Axes = tuple[int, ...]

BATCH = 0


def padded(shape: Shape, rank: int) -> Shape:
    """Prepend axes of one element, as in broadcasting."""
    return (1,) * (rank - len(shape)) + shape


def as_activation(shape: Shape) -> Axes:
    """Axes of an input or computed tensor: (b), (b, c), (b, w, c), (b, h, w, c)."""
    return (*shape[:1], *padded(shape[1:], 4 - len(shape[:1])))


def as_constant(shape: Shape) -> Axes:
    """Axes of a floating-point constant of an element-wise operator: (c), (w, c), (h, w, c)."""
    return padded(shape, 4)


def keeps_place(shape: Shape, rank: int) -> bool:
    """Whether a computed tensor's axes are assigned as after padding its shape to `rank`."""
    return as_activation(shape) == as_activation(padded(shape, rank))
