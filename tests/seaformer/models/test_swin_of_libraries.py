"""Swin-T compared with timm and torchvision, with their checkpoints."""

from pathlib import Path

import pytest
import torch
from other_libraries import library
from torch import nn

from seaformer.models.create import create
from seaformer.models.registry import REGISTRY
from seaformer.tasks import get_task

timm, torchvision = library("timm"), library("torchvision")

SWIN, IMAGENET = REGISTRY["swin-tiny"], get_task("imagenet")


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name == "timm":
        model = timm.create_model("swin_tiny_patch4_window7_224")
    else:
        model = torchvision.models.swin_t()
    with torch.no_grad():  # so that norms are not identities, and position biases not zero
        for tensor in model.parameters():
            tensor.add_(0.05 * torch.randn_like(tensor))
    return model.eval()


@pytest.mark.parametrize("name", ["timm", "torchvision"])
def test_swin_is_the_network_of_the_library(name: str, tmp_path: Path) -> None:
    theirs = made(name)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    ours, record = create(SWIN, IMAGENET, tmp_path / "theirs.pth")
    assert not record.is_random
    image = torch.randn(1, 3, 224, 224, dtype=torch.float64)
    with torch.no_grad():
        expected, logits = theirs.double()(image), ours.double()(image)
    assert expected.std() > 0.1
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-11 * float(expected.abs().max()))


@pytest.mark.parametrize("size", [(128, 96), (260, 292), (224, 448)])
def test_other_sizes_match_torchvision(size: tuple[int, int], tmp_path: Path) -> None:
    """Maps that are padded to windows, maps smaller than a window, and odd sides to merge."""
    theirs = made("torchvision")
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    ours = create(SWIN, IMAGENET, tmp_path / "theirs.pth")[0]
    image = torch.randn(2, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        expected, logits = theirs.double()(image), ours.double()(image)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-11 * float(expected.abs().max()))
