"""RetinaNet: a feature pyramid on a backbone, and two convolutional heads shared by its levels.

Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, arXiv 1708.02002, built from
torchvision's parts. The SeaFormer paper has COCO results with RetinaNet in its appendix (31.5 AP
for Tiny), but its configuration was not released. The following was chosen here: the pyramid takes
the features of the classification network at all four output strides, 8 to 64; RetinaNet's fifth
level, at stride 128, is subsampled from the fourth; anchors, widths and box coding are those of
torchvision.
"""

from types import MappingProxyType

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import (
    RetinaNetClassificationHead,
    RetinaNetHead,
    RetinaNetRegressionHead,
)
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

from seaformer.artifact.detection_output import AnchorLevel, DetectionOutput
from seaformer.models.seaformer.network import SeaFormerBackbone
from seaformer.models.seaformer.variants import Variant

STRIDES = (8, 16, 32, 64, 128)
WIDTH = 256
"""Channels of the pyramid and of the heads."""

SCALES = tuple(4 * 2 ** (third / 3) for third in range(3))
"""Sizes of the anchors of a level in multiples of the level's stride: three per octave."""

ASPECT_RATIOS = (0.5, 1.0, 2.0)
SCORE_THRESHOLD = 0.05
CANDIDATES_PER_LEVEL = 1000
IOU_THRESHOLD = 0.5
MAX_DETECTIONS = 100
"""COCO's evaluation counts at most this many per image."""


class ClassSubnet(RetinaNetClassificationHead):
    """Torchvision's class subnet, without its rearrangement of the outputs.

    The rearrangement uses tensors with five axes, which mobile accelerators do not support;
    `JoinedOutputs` rearranges the outputs with four.

    Forward: features of every level -> logits [N, anchors * classes, H, W] of every level.
    """

    paper_title = "class subnet"
    paper_parts = MappingProxyType({"conv": "convolutions", "cls_logits": "logits"})

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        """Apply the same layers to every level."""
        return [self.cls_logits(self.conv(level)) for level in x]


class BoxSubnet(RetinaNetRegressionHead):
    """Torchvision's box subnet, without its rearrangement of the outputs, as in `ClassSubnet`.

    Forward: features of every level -> offsets [N, anchors * 4, H, W] of every level.
    """

    paper_title = "box subnet"
    paper_parts = MappingProxyType({"conv": "convolutions", "bbox_reg": "offsets"})

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        """Apply the same layers to every level."""
        return [self.bbox_reg(self.conv(level)) for level in x]


class Heads(RetinaNetHead):
    """Both subnets, with torchvision's losses.

    Forward: features of every level -> {"cls_logits": logits, "bbox_regression": offsets} of every
    level.
    """

    paper_title = "heads"

    def __init__(self, width: int, anchors: int, classes: int) -> None:
        super().__init__(width, anchors, classes)
        self.classification_head = ClassSubnet(width, anchors, classes)
        self.regression_head = BoxSubnet(width, anchors)


class JoinedOutputs(nn.Module):
    """The outputs of all levels as one tensor.

    Forward: logits [N, anchors * classes, H, W] and offsets [N, anchors * 4, H, W] of every level
    -> [N, anchors of all levels, classes + 4].
    """

    paper_title = "joined outputs"

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, logits: list[Tensor], offsets: list[Tensor]) -> Tensor:
        """Order the anchors by level, row, column and shape."""
        return torch.cat([_by_anchor(logits, self.classes), _by_anchor(offsets, 4)], 2)


def _by_anchor(maps: list[Tensor], values: int) -> Tensor:
    """Rearrange [N, anchors * values, H, W] of all levels to [N, anchors of all levels, values]."""
    return torch.cat([one.permute(0, 2, 3, 1).reshape(len(one), -1, values) for one in maps], 1)


class RetinaNet(nn.Module):
    """RetinaNet for object detection.

    Forward: float32 [N, 3, H, W], normalized RGB -> float32 [N, anchors, classes + 4]: for every
    anchor, the logits of the classes, then the offsets of the box; see `detection_output`.

    Args:
        backbone: returns the features at output strides 8 to 64, finest first.
        channels: number of channels of each feature.
        classes: number of classes.
        width: channels of the pyramid and of the heads.
    """

    paper_section = "appendix, object detection"
    paper_parts = MappingProxyType({"backbone": "backbone", "fpn": "feature pyramid (FPN)"})

    unequal_ranges = ("joined_outputs",)
    """Modules whose tensors combine values of different ranges, see `seaformer.export.quantize`: if
    logits and offsets had one common 8-bit step, the offsets would be lost."""

    stem_takes_image = True
    """Whether the input of the SeaFormer's stem, if there is one, is the input of the network."""

    def __init__(
        self, backbone: nn.Module, channels: tuple[int, ...], classes: int, width: int = WIDTH
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.fpn = FeaturePyramidNetwork(list(channels), width, LastLevelMaxPool())
        self.anchor_generator = AnchorGenerator(
            tuple(tuple(int(stride * scale) for scale in SCALES) for stride in STRIDES),
            (ASPECT_RATIOS,) * len(STRIDES),
        )
        self.head = Heads(width, len(SCALES) * len(ASPECT_RATIOS), classes)
        self.joined_outputs = JoinedOutputs(classes)
        # Titles of torchvision's modules, see export/module_titles.py.
        levels = {str(place): f"stride {stride}" for place, stride in enumerate(STRIDES)}
        self.fpn.paper_parts = {"inner_blocks": "lateral", "layer_blocks": "output"}
        self.fpn.inner_blocks.paper_parts = self.fpn.layer_blocks.paper_parts = levels

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits and offsets of all anchors."""
        features = self.backbone(image)
        pyramid = self.fpn({str(level): feature for level, feature in enumerate(features)})
        outputs = self.head(list(pyramid.values()))
        return self.joined_outputs(outputs["cls_logits"], outputs["bbox_regression"])

    def anchors(self, size: tuple[int, int]) -> Tensor:
        """Return the anchors for an input of this height and width.

        Returns:
            float32 [anchors, 4]; x0, y0, x1, y1 in pixels of the input.
        """
        image = torch.empty((1, 3, *size), device="meta")
        maps = [torch.empty((1, 1, *_grid(size, stride))) for stride in STRIDES]
        anchors: list[Tensor] = self.anchor_generator(ImageList(image, [size]), maps)
        return anchors[0]

    def detection_output(self, size: tuple[int, int]) -> DetectionOutput:
        """Describe the output for an input of this height and width."""
        height, width = size
        grids = [_grid(size, stride) for stride in STRIDES]
        coder = self.head.regression_head.box_coder
        return DetectionOutput(
            levels=tuple(
                AnchorLevel(
                    grid=(rows, columns),
                    stride=(height // rows, width // columns),  # as in torchvision
                    sizes=tuple(map(float, sizes)),
                    aspect_ratios=tuple(ratios),
                )
                for (rows, columns), sizes, ratios in zip(
                    grids,
                    self.anchor_generator.sizes,
                    self.anchor_generator.aspect_ratios,
                    strict=True,
                )
            ),
            box_weights=coder.weights,
            max_log_scale=coder.bbox_xform_clip,
            score_threshold=SCORE_THRESHOLD,
            candidates_per_level=CANDIDATES_PER_LEVEL,
            iou_threshold=IOU_THRESHOLD,
            max_detections=MAX_DETECTIONS,
        )


def _grid(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Return the numbers of rows and columns of the feature at an output stride."""
    rows, columns = (-(-side // stride) for side in size)
    return rows, columns


def seaformer_retinanet(variant: Variant, width: int, classes: int) -> RetinaNet:
    """Build RetinaNet on a SeaFormer."""
    channels = (variant.spatial_channels, *(stage.channels for stage in variant.context_stages))
    return RetinaNet(SeaFormerBackbone(variant), channels, classes, width)
