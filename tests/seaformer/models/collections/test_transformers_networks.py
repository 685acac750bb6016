"""`--model transformers:NAME`: presets and folders, compared with the library itself."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from other_libraries import created
from safetensors.torch import load_file, save_file
from transformers import (
    MobileViTConfig,
    MobileViTForSemanticSegmentation,
    SegformerConfig,
    SegformerForImageClassification,
    SegformerForSemanticSegmentation,
)

from seaformer.errors import SeaformerError, UnknownNameError, UsageError
from seaformer.imaging.images import read_image, sample_photograph
from seaformer.imaging.preprocessing import normalize, prepare
from seaformer.models.collections.transformers_presets import PRESETS
from seaformer.models.contract import Contract, contract_of
from seaformer.models.create import create
from seaformer.models.resolve import find_model, resolve
from seaformer.tasks import get_task
from seaformer.tasks.statement import NOTHING

ADE20K = get_task("ade20k")
SEGFORMER = "nvidia/segformer-b0-finetuned-ade-512-512"
MOBILEVIT = "apple/deeplabv3-mobilevit-xx-small"
SIZE = (64, 96)


def made(name: str, weights: Path | None = None) -> tuple[torch.nn.Module, Contract]:
    return created(f"transformers:{name}", weights, SIZE)


@pytest.fixture(scope="module")
def segformer() -> tuple[torch.nn.Module, Contract]:
    return made(SEGFORMER)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small classifier as `save_pretrained` writes it, without an image processor."""
    config = SegformerConfig(
        num_encoder_blocks=1,
        depths=[1],
        sr_ratios=[1],
        hidden_sizes=[8],
        num_attention_heads=[1],
        id2label={0: "cat", 1: "dog"},
    )
    SegformerForImageClassification(config).save_pretrained(tmp_path)
    return tmp_path


def test_a_preset_has_the_classes_and_the_preprocessing_of_its_data_set(
    segformer: tuple[torch.nn.Module, Contract],
) -> None:
    _, contract = segformer
    assert contract.labels == ADE20K.labels
    assert contract.task.palette == ADE20K.palette
    assert contract.task.preprocessing == ADE20K.preprocessing
    assert contract.names_classes
    assert contract.knows_normalization
    assert str(contract.meaning) == "logits"


def test_weights_as_they_are_published_are_loaded(tmp_path: Path) -> None:
    config = SegformerConfig(**PRESETS[SEGFORMER][0])
    theirs = SegformerForSemanticSegmentation(config).eval()
    theirs.save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    published = load_file(file)
    # The names in the checkpoints on the Hub, which no longer match the modules.
    assert "segformer.encoder.block.0.0.attention.self.query.weight" in published
    assert published.keys() != theirs.state_dict().keys()
    ours, _ = made(SEGFORMER, file)
    x = torch.from_numpy(np.random.RandomState(0).standard_normal((1, 3, *SIZE))).float()
    with torch.no_grad():
        assert torch.equal(ours(x), theirs(x).logits)
    assert [name for name, _ in ours.named_modules()] == [
        name for name, _ in theirs.named_modules()
    ]
    published["decode_head.classifier.weight"] = torch.zeros((3, 256, 1, 1))
    published["extra.weight"] = torch.zeros(1)
    del published["segformer.encoder.block.0.0.attention.self.query.weight"]
    save_file(published, file)
    with pytest.raises(SeaformerError, match=rf"does not fit {SEGFORMER} of Hugging Face") as found:
        made(SEGFORMER, file)
    for problem in (
        "1 missing tensor (segformer.stages.0.blocks.0.attention.q_proj.weight)",
        "1 unexpected tensor (extra.weight)",
        "1 misshapen tensor (decode_head.classifier.weight [3, 256, 1, 1] instead of [150, ",
    ):
        assert problem in str(found.value)


def test_random_weights_are_the_same_each_time_and_leave_other_buffers(
    segformer: tuple[torch.nn.Module, Contract],
) -> None:
    ours, again = segformer[0].state_dict(), made(SEGFORMER)[0].state_dict()
    assert all(torch.equal(ours[name], again[name]) for name in ours)
    variances = [value for name, value in ours.items() if name.endswith("running_var")]
    assert variances
    assert all(bool((value > 0).all()) for value in variances)


def test_mobilevit_takes_bgr_and_classes_of_pascal_voc() -> None:
    model, contract = made(MOBILEVIT)
    config = MobileViTConfig(**PRESETS[MOBILEVIT][0])
    theirs = MobileViTForSemanticSegmentation(config)
    assert model.state_dict().keys() == theirs.state_dict().keys()
    assert (contract.task.name, len(contract.labels)) == ("voc", 21)
    rule = contract.task.preprocessing
    assert (rule.color_order, rule.resize, rule.input_size) == ("BGR", "center-crop", (512, 512))
    assert (rule.mean, rule.std) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("name", [SEGFORMER, MOBILEVIT])
def test_preprocessing_of_a_photo_matches_the_image_processor(name: str) -> None:
    from transformers import MobileViTImageProcessorPil, SegformerImageProcessorPil

    photo = read_image(sample_photograph())
    kinds = {SEGFORMER: SegformerImageProcessorPil, MOBILEVIT: MobileViTImageProcessorPil}
    theirs = kinds[name](**PRESETS[name][1])(images=photo, return_tensors="np")["pixel_values"][0]
    rule = made(name)[1].task.preprocessing
    ours = normalize(prepare(photo, rule), rule).transpose(2, 0, 1)
    assert ours.shape == theirs.shape
    # One step of 8-bit values: the library's resize to the short side differs by a pixel at most.
    assert np.abs(ours - theirs).mean() < 0.02


def test_a_folder_declares_the_contents_of_its_configuration(folder: Path) -> None:
    network = find_model(f"transformers:{folder}")
    assert not isinstance(network, Path)
    model, _ = create(network, ADE20K)
    contract = contract_of(network, model, ADE20K, NOTHING)
    assert contract.labels == ("cat", "dog")
    assert not contract.knows_normalization
    assert not contract.task.is_segmentation
    stem = network.file_stem(contract.task)
    assert not set(stem) & set("/\\:")


def test_code_in_a_folder_is_not_run(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForImageClassification": "evil.Evil"}
    config["auto_map"]["AutoConfig"] = "evil.EvilConfig"
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "evil"}))
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(SeaformerError, match=r"config.json' cannot be used"):
        made(str(folder))


def test_what_is_not_a_classifier_or_a_segmentation_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["SegformerModel"]}))
    with pytest.raises(UsageError, match=r"is a SegformerModel. Allowed: ...ForSemanticSegm"):
        made(str(folder))
    queries = json.dumps(config | {"architectures": ["Mask2FormerForUniversalSegmentation"]})
    (folder / "config.json").write_text(queries)
    with pytest.raises(UsageError, match=r"a class and a mask for each of its queries.*FILE\.py:"):
        made(str(folder))
    with pytest.raises(UsageError, match=r"no file '.*nowhere/config.json'"):
        made(f"{folder}/nowhere")


def test_a_name_from_a_file_is_a_preset(folder: Path) -> None:
    name = f"transformers:{SEGFORMER}"
    assert resolve(name, allow_factory=False).name == name
    for other in (str(folder), "somebody/else"):
        with pytest.raises(UnknownNameError, match="unknown model"):
            resolve(f"transformers:{other}", allow_factory=False)
