"""Average precision of detections, as COCO defines it, and its values for resampled images.

pycocotools matches detections with annotated objects and computes the scores. The matches in one
image do not depend on the other images. For a score of resampled images, it is therefore enough to
count each detection and object as often as its image was drawn.

AP is the mean over ten thresholds of the intersection over union, 0.5 to 0.95, and over the classes
that occur; AP50 and AP75 use a single threshold. AP of small, medium and large objects is computed
from objects below 32 x 32, up to 96 x 96 and above 96 x 96 pixels.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seaformer.datasets import Boxes
from seaformer.detection.detections import Detections

MEASURES = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")

_AP50, _AP75 = 0, 5
"""Places of the thresholds 0.5 and 0.75."""

_ALL_SIZES = 0
"""Place of objects of any size in pycocotools' size classes; small, medium and large follow."""

_ELEMENTS_AT_ONCE = 2**22

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Ranking:
    """Detections of one class, highest score first, with the objects of one size class.

    Attributes:
        images: index of the image of each detection, int64 [D].
        scores: score of each detection, [D].
        hits: whether it is matched with an object, for each threshold, bool [T, D].
        counted: whether it counts, for each threshold, bool [T, D]. Detections that
            belong to another size or lie in a group do not count.
        objects: number of objects that count in each image, [images].
    """

    images: npt.NDArray[np.int64]
    scores: Floats
    hits: npt.NDArray[np.bool_]
    counted: npt.NDArray[np.bool_]
    objects: Floats

    def resampled(self, weights: Floats, recalls: Floats) -> Floats:
        """Return the average precision for drawn images at each threshold, [resamples, T].

        `weights` says how often each image is drawn, [resamples, images]. NaN without objects.
        """
        objects = weights @ self.objects
        found = np.full((len(weights), len(self.hits)), np.nan)
        by_image = np.ascontiguousarray(weights.T)
        for threshold, (hits, counted) in enumerate(zip(self.hits, self.counted, strict=True)):
            places = np.flatnonzero(counted)
            of_hits = np.flatnonzero(hits[places])
            if not len(of_hits):
                found[objects > 0, threshold] = 0
                continue
            # Precision is highest at hits, so only their places are needed.
            images = self.images[places[: of_hits[-1] + 1]]
            starts = np.concatenate([[0], of_hits[:-1] + 1])
            columns = max(1, _ELEMENTS_AT_ONCE // len(images))
            for start in range(0, len(weights), columns):
                part = slice(start, start + columns)
                drawn = by_image[images, part]
                found[part, threshold] = _average_precisions(
                    np.cumsum(drawn[of_hits], axis=0).T,
                    np.cumsum(np.add.reduceat(drawn, starts, axis=0), axis=0).T,
                    objects[part],
                    recalls,
                )
        return found


class DetectionScores:
    """The scores of one model's detections in a number of images.

    Attributes:
        values: 0..1, or NaN where no object occurs: the `MEASURES`, then the AP of each class.
        objects: number of annotated objects of each class, without groups.
    """

    def __init__(self, truths: Sequence[Boxes], found: Sequence[Detections], classes: int) -> None:
        """Match the detections of each image with its annotated objects."""
        evaluated = _evaluated(truths, found, classes)
        self._recalls: Floats = np.asarray(evaluated.params.recThrs)
        self._count = len(truths)
        precision = evaluated.eval["precision"][..., -1]  # [T, recalls, classes, sizes]
        by_class = np.where(precision > -1, precision, np.nan).mean(axis=1).transpose(2, 1, 0)
        self._rankings = [
            [self._ranking(evaluated, index, size) for size in range(len(by_class))]
            for index in range(classes)
        ]
        self.values = _measures(by_class[None])[0]
        self.objects = tuple(int(of[_ALL_SIZES].objects.sum()) for of in self._rankings)

    @property
    def ap(self) -> float:
        """The main score."""
        return float(self.values[0])

    def resampled(self, weights: Floats) -> Floats:
        """Return `values` for drawn images, [resamples, measures and classes].

        `weights` says how often each image is drawn, [resamples, images].
        """
        found = [
            [ranking.resampled(weights, self._recalls) for ranking in of_class]
            for of_class in self._rankings
        ]
        return _measures(np.array(found).transpose(2, 1, 0, 3))

    def image_scores(self, least_score: float) -> Floats:
        """Return the F1 score of each image, [images], over detections with at least this score.

        The F1 score is twice the hits at an intersection over union of 0.5, divided by the number
        of detections plus the number of objects; 1 for an image with neither.
        """
        hits, others = np.zeros(self._count), np.zeros(self._count)
        for ranking in (of_class[_ALL_SIZES] for of_class in self._rankings):
            counted = ranking.counted[_AP50] & (ranking.scores >= least_score)
            is_hit = ranking.hits[_AP50]
            hits += np.bincount(ranking.images[counted & is_hit], minlength=self._count)
            others += np.bincount(ranking.images[counted], minlength=self._count)
            others += ranking.objects
        return np.divide(2 * hits, others, out=np.ones(self._count), where=others > 0)

    def _ranking(self, evaluated: Any, class_index: int, size: int) -> _Ranking:
        """Collect pycocotools' matches, which are in the order of classes, sizes and images."""
        params = evaluated.params
        first = (class_index * len(params.areaRng) + size) * self._count
        of_images = evaluated.evalImgs[first : first + self._count]
        thresholds = len(params.iouThrs)
        images, scores = [np.empty(0, np.int64)], [np.empty(0)]
        hits, counted = ([np.empty((thresholds, 0), np.bool_)] for _ in range(2))
        objects = np.zeros(self._count)
        for image, matches in enumerate(of_images):
            if matches is None:  # neither objects nor detections
                continue
            objects[image] = np.count_nonzero(np.asarray(matches["gtIgnore"]) == 0)
            scores.append(np.asarray(matches["dtScores"], np.float64))
            images.append(np.full(len(scores[-1]), image))
            hits.append(np.asarray(matches["dtMatches"]) > 0)
            counted.append(~np.asarray(matches["dtIgnore"], np.bool_))
        every = np.concatenate(scores)
        order = np.argsort(-every, kind="stable")
        return _Ranking(
            np.concatenate(images)[order],
            every[order],
            np.concatenate(hits, axis=1)[:, order],
            np.concatenate(counted, axis=1)[:, order],
            objects,
        )


def _average_precisions(
    hits: Floats, detections: Floats, objects: Floats, recalls: Floats
) -> Floats:
    """Return the average precision of each row, [rows].

    `hits` and `detections` are the numbers of hits and detections up to and including each hit,
    [rows, hits].
    """
    precision = np.divide(hits, detections, out=np.zeros(hits.shape), where=detections > 0)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # Above the highest recall that is reached, precision is 0.
    precision = np.pad(precision, ((0, 0), (0, 1)))
    places = _first_places(hits, _needed_hits(objects, recalls))
    found = np.take_along_axis(precision, places, axis=1).mean(axis=1)
    return np.where(objects > 0, found, np.nan)


def _needed_hits(objects: Floats, recalls: Floats) -> Floats:
    """Return the smallest number of hits that reaches each recall, [rows, recalls]."""
    whole = np.maximum(objects, 1)[:, None]
    needed = np.ceil(recalls * whole)
    # Rounding may move the product to the other side of a whole number.
    needed -= (needed - 1) / whole >= recalls
    needed += needed / whole < recalls
    return needed


def _first_places(values: Floats, least: Floats) -> npt.NDArray[np.int64]:
    """Return, for each row of ascending whole numbers, the first places that reach `least`.

    A place is the number of columns if no value reaches it.
    """
    rows, columns = values.shape
    # With an offset for each row, all rows together are ascending whole numbers.
    largest = max(values.max(initial=0), least.max(initial=0))
    offsets = (largest + 1) * np.arange(rows)[:, None]
    places = np.searchsorted((values + offsets).ravel(), (least + offsets).ravel())
    return places.reshape(least.shape) - columns * np.arange(rows)[:, None]


def _measures(values: Floats) -> Floats:
    """Return measures and classes, [rows, .], from [rows, sizes, classes, thresholds]."""
    whole = values[:, _ALL_SIZES]
    columns = [
        _mean(whole, (1, 2)),
        _mean(whole[..., _AP50], 1),
        _mean(whole[..., _AP75], 1),
        *(_mean(values[:, size], (1, 2)) for size in range(1, values.shape[1])),
    ]
    return np.concatenate([np.stack(columns, axis=1), whole.mean(axis=2)], axis=1)


def _mean(values: Floats, axes: int | tuple[int, ...]) -> Floats:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    is_value = ~np.isnan(values)
    count = is_value.sum(axis=axes)
    total = np.where(is_value, values, 0.0).sum(axis=axes)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def _evaluated(truths: Sequence[Boxes], found: Sequence[Detections], classes: int) -> Any:
    """Return pycocotools' `COCOeval` after its evaluation."""
    from pycocotools.cocoeval import COCOeval

    with redirect_stdout(io.StringIO()):  # its progress
        evaluated = COCOeval(
            _as_coco(list(_objects(truths)), len(truths), classes),
            _as_coco(list(_results(found)), len(truths), classes),
            "bbox",
        )
        evaluated.evaluate()
        evaluated.accumulate()
    return evaluated


def _as_coco(annotations: list[dict[str, Any]], images: int, classes: int) -> Any:
    """Return pycocotools' `COCO`; its ids begin with 1, because 0 means that there is no match."""
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = {
        "images": [{"id": image + 1} for image in range(images)],
        "categories": [{"id": index + 1} for index in range(classes)],
        "annotations": [row | {"id": place} for place, row in enumerate(annotations, start=1)],
    }
    coco.createIndex()
    return coco


def _objects(truths: Sequence[Boxes]) -> Iterator[dict[str, Any]]:
    for image, truth in enumerate(truths, start=1):
        for box in truth.boxes:
            yield {
                "image_id": image,
                "category_id": box.class_index + 1,
                "bbox": [box.left, box.top, box.right - box.left, box.bottom - box.top],
                "area": box.area,
                "iscrowd": int(box.is_crowd),
            }


def _results(found: Sequence[Detections]) -> Iterator[dict[str, Any]]:
    for image, detections in enumerate(found, start=1):
        for corners, score, index in detections:
            left, top, right, bottom = map(float, corners)
            yield {
                "image_id": image,
                "category_id": index + 1,
                "bbox": [left, top, right - left, bottom - top],
                "area": (right - left) * (bottom - top),
                "score": score,
                "iscrowd": 0,
            }
