"""`--model torchvision:NAME`, compared with torchvision itself."""

from pathlib import Path

import pytest
import torch
from other_libraries import assert_classifies_alike, created, library

from seaformer.errors import UnknownNameError, UsageError
from seaformer.models.contract import Contract
from seaformer.tasks import get_task

torchvision = library("torchvision")

pytestmark = pytest.mark.slow

ADE20K, IMAGENET = get_task("ade20k"), get_task("imagenet")


def made(name: str, weights: Path | None = None) -> tuple[torch.nn.Module, Contract]:
    return created(f"torchvision:{name}", weights)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "resnet18"])
def test_a_photo_is_classified_as_by_torchvision(name: str, tmp_path: Path) -> None:
    theirs = torchvision.models.get_model(name).eval()
    file = tmp_path / "model.pth"
    torch.save(theirs.state_dict(), file)
    ours, contract = made(name, file)
    assert contract.task.ids == IMAGENET.ids
    assert contract.labels[:2] == ("tench", "goldfish")
    transforms = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    assert_classifies_alike(ours, contract, theirs, transforms)


def test_a_segmentation_is_the_main_output_and_auxiliary_tensors_are_ignored(
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
