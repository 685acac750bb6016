"""`--model timm:NAME`, compared with timm itself."""

from pathlib import Path

import numpy as np
import pytest
import torch
from other_libraries import assert_classifies_alike, created, library

from seaformer.errors import SeaformerError, UnknownNameError
from seaformer.models.contract import Contract
from seaformer.models.create import create
from seaformer.models.resolve import resolve
from seaformer.tasks import get_task

timm = library("timm")

pytestmark = pytest.mark.slow

ADE20K, IMAGENET = get_task("ade20k"), get_task("imagenet")


def made(name: str, weights: Path | None = None) -> tuple[torch.nn.Module, Contract]:
    return created(f"timm:{name}", weights)


@pytest.mark.parametrize("name", ["mobilevit_xxs", "mobilenetv3_small_100", "efficientvit_b0"])
def test_a_photo_is_classified_as_by_timm(name: str, tmp_path: Path) -> None:
    theirs = timm.create_model(name).eval()
    file = tmp_path / "model.pth"
    torch.save(theirs.state_dict(), file)
    ours, contract = made(name, file)
    assert [name for name, _ in ours.named_modules()] == [
        name for name, _ in theirs.named_modules()
    ]
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=theirs))
    assert_classifies_alike(ours, contract, theirs, transform)


def test_the_classes_match_imagenet() -> None:
    _, contract = made("mobilenetv3_small_100")
    assert contract.task.name == "imagenet"
    assert contract.task.ids == IMAGENET.ids
    assert contract.labels[0] == "tench, Tinca tinca"
    assert contract.names_classes


def test_classes_that_timm_does_not_name_stay_unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm.data, "infer_imagenet_subset", lambda _: None)
    _, contract = made("mobilenetv3_small_100")
    assert contract.labels[:2] == ("class 0", "class 1")
    assert not contract.names_classes
    assert contract.knows_normalization


def test_random_weights_keep_the_values_of_every_layer_in_range() -> None:
    for name in ("swin_tiny_patch4_window7_224", "levit_128s"):
        model, contract = made(name)
        size = contract.task.preprocessing.input_size
        x = torch.from_numpy(np.random.RandomState(0).standard_normal((1, 3, *size))).float()
        with torch.no_grad():
            output = model(x)
        assert output.isfinite().all()
        assert 1e-3 < float(output.std()) < 1e3


def test_names_match_timm(tmp_path: Path) -> None:
    assert resolve("timm:mobilevit_s.cvnets_in1k", allow_factory=False)
    for name in ("hf-hub:timm/mobilevit_s", f"local-dir:{tmp_path}", "mobilevit-s"):
        with pytest.raises(UnknownNameError, match=r"Close matches: timm:|For example: timm:"):
            made(name)
        with pytest.raises(UnknownNameError):
            resolve(f"timm:{name}", allow_factory=False)


def test_a_download_that_fails_asks_for_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError("no network\nmore lines")

    monkeypatch.setattr(timm, "create_model", failing)
    with pytest.raises(
        SeaformerError, match=r"weights of 'timm:resnet18' cannot be downloaded: no network. Give a"
    ):
        create(resolve("timm:resnet18"), ADE20K, "pretrained")
