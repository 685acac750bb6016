"""The network compared with the official code: outputs, parameters and published MACs."""

import json
import math

import numpy as np
import official_recipe as recipe
import pytest
import torch
from locations import GOLDEN
from official_weights import build_network, from_official
from torch import nn

from seaformer.models.catalog import count_macs
from seaformer.models.seaformer.variants import VARIANTS, get_variant
from seaformer.tasks import get_task

OFFICIAL = json.loads((GOLDEN / "official.json").read_text())
TASKS = {"seg": "ade20k", "cls": "imagenet"}
RUNS = [(entry, index) for entry in OFFICIAL for index in range(len(OFFICIAL[entry]["runs"]))]

# Parameters in M and multiply-accumulates in G, as printed by the official repository or, with
# more digits, as counted by fvcore on the official code.
PUBLISHED = [
    ("tiny", "ade20k", (512, 512), "1.667318", "0.597"),
    ("small", "ade20k", (512, 512), "3.990118", "1.075"),
    ("base", "ade20k", (512, 512), "8.605654", "1.812"),
    ("large", "ade20k", (512, 512), "13.951510", "6.482"),
    ("tiny", "imagenet", (224, 224), "1.781096", "0.099"),
    ("small", "imagenet", (224, 224), "4.105656", "0.185"),
    ("base", "imagenet", (224, 224), "8.742664", "0.324"),
    ("large", "imagenet", (224, 224), "14.046504", "1.186"),
    ("small", "cityscapes", (512, 1024), "3.973", "2.01"),
    ("base", "cityscapes", (512, 1024), "8.585", "3.44"),
    ("tiny", "cityscapes", (512, 1024), "1.655", None),
    ("large", "cityscapes", (512, 1024), "13.926", None),
    ("small", "cityscapes", (1024, 2048), "3.973", "8.01"),
    ("base", "cityscapes", (1024, 2048), "8.585", "13.72"),
]


def with_recipe(entry: str) -> nn.Module:
    """Build the network of an entry with the weights of the golden recipe."""
    kind, name, task = entry.split("-")
    assert TASKS[kind] == task
    variant = get_variant(name)
    model = build_network(variant, get_task(task)).eval()
    state = {
        key: torch.tensor(0)
        if key.endswith("num_batches_tracked")
        else torch.from_numpy(recipe.fill(key, shape))
        for key, shape in OFFICIAL[entry]["keys"].items()
    }
    model.load_state_dict(from_official(state, variant))
    return model


@pytest.mark.parametrize(("entry", "index"), RUNS)
def test_outputs_match_the_official_code(entry: str, index: int) -> None:
    run = OFFICIAL[entry]["runs"][index]
    _, channels, height, width = run["input"]
    assert channels == 3
    with torch.no_grad():
        output = with_recipe(entry)(torch.from_numpy(recipe.image(height, width)))
    assert list(output.shape) == run["shape"]
    values = output.double().numpy().ravel()
    tolerance = 1e-4 * run["std"]
    assert len(run["index"]) >= 32
    np.testing.assert_allclose(values[run["index"]], run["value"], rtol=0, atol=tolerance)
    assert values.mean() == pytest.approx(run["mean"], abs=tolerance)
    assert values.std() == pytest.approx(run["std"], abs=tolerance)


@pytest.mark.parametrize("entry", OFFICIAL)
def test_parameters_match_the_official_code(entry: str) -> None:
    parameters = with_recipe(entry).parameters()
    assert sum(p.numel() for p in parameters) == OFFICIAL[entry]["params"]


def as_printed(number: float, published: str) -> str:
    """Format a number with as many decimals as the published one."""
    return f"{number:.{len(published.partition('.')[2])}f}"


@pytest.mark.parametrize(("variant", "task", "size", "params", "macs"), PUBLISHED)
def test_parameters_and_macs_match_the_published_numbers(
    variant: str, task: str, size: tuple[int, int], params: str, macs: str | None
) -> None:
    model = build_network(get_variant(variant), get_task(task)).eval()
    assert as_printed(sum(p.numel() for p in model.parameters()) / 1e6, params) == params
    if macs is not None:
        assert as_printed(count_macs(model, size) / 1e9, macs) == macs


@pytest.mark.parametrize("size", [(500, 333), (65, 127), (64, 64)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_sides_that_are_not_multiples_are_rounded_up(variant: str, size: tuple[int, int]) -> None:
    model = build_network(get_variant(variant), get_task("ade20k")).eval()
    with torch.no_grad():
        logits = model(torch.ones(1, 3, *size))
    assert logits.shape == (1, 150, math.ceil(size[0] / 8), math.ceil(size[1] / 8))
    assert bool(logits.isfinite().all())
