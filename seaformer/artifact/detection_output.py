"""How boxes are decoded from the output of a detection network: anchors, coding, post-processing.

The output is [1, anchors, classes + 4]: for every anchor, the raw logits of the classes, then the
offsets of its box. Anchors are ordered by level, row, column, aspect ratio and size.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from seaformer.artifact.member import Member

MAX_ANCHORS = 2**22
"""Maximum number of anchors in a file; RetinaNet has 190,000 at 1024 x 1024."""

OFFSETS = ("x offset", "y offset", "width offset", "height offset")
"""The last channels of the output, after the classes."""

_GridSide = Annotated[int, Field(ge=1, le=4096)]
_Stride = Annotated[int, Field(ge=1, le=4096)]
_Size = Annotated[float, Field(gt=0, le=65536)]
_AspectRatio = Annotated[float, Field(ge=1 / 64, le=64)]
_Weight = Annotated[float, Field(gt=0, le=1000)]
_Share = Annotated[float, Field(ge=0, le=1)]


class AnchorLevel(Member):
    """The anchors of one level of the feature pyramid.

    The anchors at row r and column c of the grid are centered at (c * stride[1], r * stride[0]).
    Their height is size * sqrt(aspect ratio) and their width is size / sqrt(aspect ratio); halves
    of both are rounded to whole pixels, half to even.

    Attributes:
        grid: rows and columns.
        stride: pixels of the input between rows, and between columns.
        sizes: square root of the area of each anchor, in pixels of the input.
        aspect_ratios: height / width of each anchor.
    """

    grid: tuple[_GridSide, _GridSide]
    stride: tuple[_Stride, _Stride]
    sizes: Annotated[tuple[_Size, ...], Field(min_length=1, max_length=64)]
    aspect_ratios: Annotated[tuple[_AspectRatio, ...], Field(min_length=1, max_length=64)]

    @property
    def count(self) -> int:
        """Number of anchors."""
        rows, columns = self.grid
        return rows * columns * len(self.sizes) * len(self.aspect_ratios)


class DetectionOutput(Member):
    """Anchors, coding of the boxes, and the defaults of the post-processing.

    The offsets of a box are (x - xa) / wa, (y - ya) / ha, log(w / wa) and log(h / ha), each
    multiplied by its weight. (x, y) is the center of the box; xa, ya, wa and ha belong to the
    anchor.

    Attributes:
        levels: levels of the feature pyramid, finest first.
        box_weights: weights of the four offsets.
        max_log_scale: upper limit of log(w / wa) and log(h / ha).
        score_threshold: only boxes with a higher score, the sigmoid of a logit, are candidates.
        candidates_per_level: maximum number of candidates of each level; the best are kept.
        iou_threshold: if two boxes of a class have a higher intersection over union, only the box
            with the higher score is kept.
        max_detections: maximum number of detections in an image; the best are kept.
    """

    levels: Annotated[tuple[AnchorLevel, ...], Field(min_length=1, max_length=16)]
    box_weights: tuple[_Weight, _Weight, _Weight, _Weight]
    max_log_scale: Annotated[float, Field(gt=0, le=16)]
    score_threshold: _Share
    candidates_per_level: Annotated[int, Field(ge=1, le=10_000)]
    iou_threshold: _Share
    max_detections: Annotated[int, Field(ge=1, le=1000)]

    @property
    def anchors(self) -> int:
        """Number of anchors of all levels."""
        return sum(level.count for level in self.levels)

    @model_validator(mode="after")
    def _check_anchors(self) -> Self:
        if self.anchors > MAX_ANCHORS:
            raise ValueError(f"there are {self.anchors} anchors. Allowed: at most {MAX_ANCHORS}")
        return self
