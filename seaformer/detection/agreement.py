"""How many detections two models have in common.

A detection is confident if its score is at least 0.5. Boxes without area, which result from
clipping boxes outside the image, are not counted. A confident detection is in common if the other
model has a detection of the same class, with any score, whose box overlaps with an intersection
over union of at least 0.5. A small difference between two scores near 0.5 therefore does not make
the models disagree.
"""

from dataclasses import dataclass

from seaformer.detection.detections import Detections
from seaformer.detection.suppression import intersection_over_union

CONFIDENT = 0.5
SAME_IOU = 0.5


@dataclass
class DetectionAgreement:
    """Counts over images: confident detections of both models, and how many are in common."""

    confident: int = 0
    common: int = 0

    def add(self, one: Detections, other: Detections) -> None:
        """Add the detections of both models on an image."""
        for found, among in ((one, other), (other, one)):
            for box, _, index in found.above(CONFIDENT):
                if (box[:2] == box[2:]).any():
                    continue
                same_class = among.boxes[among.classes == index]
                self.confident += 1
                self.common += bool((intersection_over_union(box, same_class) >= SAME_IOU).any())

    @property
    def share(self) -> float | None:
        """The share of detections in common, 0..1; None if there are no confident detections."""
        return self.common / self.confident if self.confident else None
