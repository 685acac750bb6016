"""Published top-1 of classifiers on ImageNet-1k, in `imagenet.csv`, with its sources.

A score belongs to one set of weights and one size of the input; networks of the same name have
others. `tests/support/bench/published_top1.py` writes the table from the sources.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

TABLE = Path(__file__).with_name("imagenet.csv")

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "seaformer": "fudan-zvg/SeaFormer, seaformer-cls/README.md",
        "timm": "huggingface/pytorch-image-models at aa4b585, results/results-imagenet.csv",
        "torchvision": "torchvision 0.29.1, metadata of its weights",
    }
)
"""Source of a row -> where it is published. MACs of timm come from a file of measurements next to
its scores, see `published_top1.py`."""


@dataclass(frozen=True)
class ImagenetScore:
    """The published score of a network with certain weights, at one size of the input.

    Attributes:
        model: name of the network, as for --model.
        weights: name of the weights in the library.
        side: height and width of the input in pixels.
        top1: on the 50,000 images of the validation set, in percent.
        params_m: parameters, in millions, as published.
        macs_g: multiply-accumulates for one image, in units of 10^9, as published.
        source: key in `SOURCES`.
    """

    model: str
    weights: str
    side: int
    top1: float
    params_m: float
    macs_g: float
    source: str


@cache
def imagenet_scores() -> tuple[ImagenetScore, ...]:
    """Return the table; the default weights of a network come first."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(
            ImagenetScore(
                model=row["model"],
                weights=row["weights"],
                side=int(row["side"]),
                top1=float(row["top1"]),
                params_m=float(row["params_m"]),
                macs_g=float(row["macs_g"]),
                source=row["source"],
            )
            for row in csv.DictReader(file)
        )


def published_for(model: str) -> tuple[ImagenetScore, ...]:
    """Return the scores of a network, or of its weights if `model` is "timm:NETWORK.WEIGHTS"."""
    network, _, weights = model.partition(".")
    return tuple(
        score
        for score in imagenet_scores()
        if score.model == network and weights in ("", score.weights)
    )
