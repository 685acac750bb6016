"""`--model torchvision:NAME`, compared with torchvision itself."""

from pathlib import Path

import pytest
import torch
from other_libraries import library
from PIL import Image

from seaformer.errors import UnknownNameError, UsageError
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.models.contract import Contract, contract_of
from seaformer.models.create import create
from seaformer.models.resolve import resolve
from seaformer.tasks import get_task
from seaformer.tasks.statement import NOTHING

torchvision = library("torchvision")

pytestmark = pytest.mark.slow

ADE20K, IMAGENET = get_task("ade20k"), get_task("imagenet")


def made(name: str, weights: Path | None = None) -> tuple[torch.nn.Module, Contract]:
    network = resolve(f"torchvision:{name}")
    model, _ = create(network, ADE20K, weights)
    return model, contract_of(network, model, ADE20K, NOTHING)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "resnet18"])
def test_a_photo_is_classified_as_by_torchvision(name: str, tmp_path: Path) -> None:
    theirs = torchvision.models.get_model(name).eval()
    file = tmp_path / "model.pth"
    torch.save(theirs.state_dict(), file)
    ours, contract = made(name, file)
    assert contract.task.ids == IMAGENET.ids
    assert contract.labels[:2] == ("tench", "goldfish")
    transforms = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    photo, rule = read_image(sample_photograph()), contract.task.preprocessing
    expected = transforms(Image.fromarray(photo))
    given = torch.from_numpy(normalize(prepare(photo, rule), rule).transpose(2, 0, 1))
    assert given.shape == expected.shape
    # Crops may differ by a pixel, so the images are compared at an eighth of the resolution.
    pooled, expected_pooled = (torch.nn.functional.avg_pool2d(x, 8) for x in (given, expected))
    assert (pooled - expected_pooled).abs().mean() < 0.1
    with torch.no_grad():
        torch.testing.assert_close(ours(expected[None]), theirs(expected[None]))


def test_a_segmentation_is_the_main_output_and_auxiliary_tensors_are_left_out(
    tmp_path: Path,
) -> None:
    name = "deeplabv3_mobilenet_v3_large"
    theirs = torchvision.models.get_model(
        name, weights=None, weights_backbone=None, aux_loss=True
    ).eval()
    file = tmp_path / "model.pth"
    torch.save(theirs.state_dict(), file)
    ours, contract = made(name, file)
    x = torch.randn((1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(ours(x), theirs(x)["out"])
    assert not any("aux" in key for key in ours.state_dict())
    assert contract.task.is_segmentation
    assert contract.labels[0] == "__background__"
    assert contract.task.preprocessing.resize == "stretch"


def test_what_is_neither_for_classes_nor_for_segmentation_is_refused() -> None:
    with pytest.raises(UsageError, match="neither for classification nor for semantic segm"):
        made("fasterrcnn_resnet50_fpn")
    with pytest.raises(UnknownNameError, match=r"Close matches: torchvision:resnet18, "):
        made("resnet_18")
