"""Published top-1 on ImageNet, from the authors' own tables, as benchmark/results/imagenet.csv.

PYTHONPATH=tests/support python -m bench.published_top1 TIMM_RESULTS

TIMM_RESULTS is the folder `results` of the repository huggingface/pytorch-image-models at the
commit of `SOURCES`. It needs timm and torchvision, which has its numbers in its own code.
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from seaformer.benchmark.results.imagenet import TABLE, ImagenetScore
from seaformer.models.registry import REGISTRY
from seaformer.weights.released import RELEASED

SCORES = "results-imagenet.csv"
COSTS = "benchmark-infer-amp-nchw-pt291-cu128-4090.csv"
"""The file with the MACs of most networks, which do not depend on the machine that was measured.
Where branches are merged after training, as in RepViT, it has the MACs of the merged network."""

MAX_PARAMS_M = 100.0
"""Larger networks, of more than 400 MB in single precision, are not for phones."""

SEAFORMERS = {"tiny": (1.8, 0.1), "small": (4.1, 0.2), "base": (8.7, 0.3), "large": (14.0, 1.2)}
"""Parameters in millions and MACs in 10^9, in the table of the scores in `weights/released.py`."""


def main() -> None:
    """Write the table: for each network, its default weights come first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("timm_results", type=Path)
    folder = parser.parse_args().timm_results
    rows = [*seaformers(), *of_torchvision(), *of_timm(folder)]
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    print(f"{TABLE}: {len(rows)} rows")


def seaformers() -> Iterator[ImagenetScore]:
    """Released classifiers."""
    for one in RELEASED:
        network = REGISTRY[one.network]
        if one.task == "imagenet" and network.variant is not None and not one.is_backbone:
            params_m, macs_g = SEAFORMERS[network.variant.name]
            (side, _) = one.input_size
            yield ImagenetScore(
                one.network, one.name, side, one.score, params_m, macs_g, "seaformer"
            )


def of_torchvision() -> Iterator[ImagenetScore]:
    """Weights of torchvision's classifiers."""
    from torchvision import models

    for name in models.list_models(models):
        weights = models.get_model_weights(name)
        for one in sorted(weights, key=lambda one: one is not weights.DEFAULT):
            params_m = one.meta["num_params"] / 1e6
            if params_m <= MAX_PARAMS_M:
                yield ImagenetScore(
                    model=f"torchvision:{name}",
                    weights=one.name,
                    side=one.transforms().crop_size[0],
                    top1=one.meta["_metrics"]["ImageNet-1K"]["acc@1"],
                    params_m=round(params_m, 2),
                    macs_g=one.meta["_ops"],
                    source="torchvision",
                )


def of_timm(folder: Path) -> Iterator[ImagenetScore]:
    """Weights that timm evaluates, at the sizes of timm's evaluation."""
    from timm.models import get_pretrained_cfg

    costs = {
        (row["model"], row["infer_img_size"]): float(row["infer_gmacs"].replace(",", ""))
        for row in read(folder / COSTS)
    }
    found = []
    for row in read(folder / SCORES):
        network, _, tag = row["model"].partition(".")
        params_m = float(row["param_count"].replace(",", ""))
        if params_m <= MAX_PARAMS_M:
            side = row["img_size"]
            score = ImagenetScore(
                model=f"timm:{network}",
                weights=tag,
                side=int(side),
                top1=float(row["top1"]),
                params_m=params_m,
                macs_g=costs[network, side],
                source="timm",
            )
            is_default = get_pretrained_cfg(network).tag == tag
            found.append(((network, not is_default, tag, int(side)), score))
    yield from (score for _, score in sorted(found, key=lambda pair: pair[0]))


def read(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a CSV with a heading."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


if __name__ == "__main__":
    main()
