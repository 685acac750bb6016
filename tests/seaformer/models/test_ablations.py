"""The switches of the paper's ablation studies: their effects, and exact exports."""

import json
import re
from pathlib import Path

import pytest
import torch
from exporting import assert_one_line, run_export
from official_weights import to_official
from once import Once
from torch import nn

from seaformer.errors import SeaformerError, UsageError
from seaformer.export.rewrite import DeploymentForm, deployment_form
from seaformer.models.ablation import SWITCHES, ablated, ablation_of, parse_ablation
from seaformer.models.catalog import count_macs
from seaformer.models.create import create_model
from seaformer.models.seaformer.attention import SqueezeEnhancedAxialAttention
from seaformer.models.seaformer.network import SeaFormer
from seaformer.models.seaformer.spatial_branch import FusionBlock
from seaformer.models.seaformer.variants import get_variant
from seaformer.tasks import get_task

PREPROCESSING = get_task("ade20k").preprocessing
SIZE = (64, 96)
CHANGES = [
    *({name: value} for name, values in SWITCHES.items() for value in values[1:] or ("48,72",)),
    {"detail": "conv", "combine": "add", "fusion": "multiply", "fusion-width": "24,40"},
    {"detail": "upconv", "combine": "add"},
]


def layers(model: nn.Module) -> list[SqueezeEnhancedAxialAttention]:
    return [m for m in model.modules() if isinstance(m, SqueezeEnhancedAxialAttention)]


def deployed(ablation: dict[str, str]) -> tuple[nn.Module, DeploymentForm]:
    model = create_model("tiny", ablation=ablation)
    return model, deployment_form(model, SIZE, PREPROCESSING)


# Effects


def test_without_ablation_the_network_matches_the_paper() -> None:
    for name in ("tiny", "large"):
        assert ablated(get_variant(name), {}) == get_variant(name)
        own = {name: values[0] for name, values in SWITCHES.items() if values}
        assert ablated(get_variant(name), own) == get_variant(name)
        assert ablation_of(get_variant(name)) == {}


@pytest.mark.parametrize("ablation", CHANGES, ids=str)
def test_a_variant_reports_its_ablation(ablation: dict[str, str]) -> None:
    assert ablation_of(ablated(get_variant("tiny"), ablation)) == ablation


FEW = [
    pytest.param(ablation, marks=pytest.mark.slow if 0 < place < len(CHANGES) - 1 else ())
    for place, ablation in enumerate(CHANGES)
]
"""The other switches run the same code with another value."""


@pytest.mark.parametrize("ablation", FEW, ids=str)
def test_an_ablation_changes_the_function(ablation: dict[str, str]) -> None:
    torch.manual_seed(0)
    image = torch.randn(1, 3, *SIZE)
    with torch.no_grad():
        expected = create_model("tiny")(image)
        output = create_model("tiny", ablation=ablation)(image)
    assert (output - expected).abs().max() > 0.01 * expected.std()


def _convolution(in_channels: int, out_channels: int, taps: int = 1) -> int:
    """Return the number of weights of a convolution and its BatchNorm."""
    return in_channels * out_channels * taps + 2 * out_channels


@pytest.mark.parametrize("variant", ["tiny", "large"])
def test_parameters_change_as_expected_from_the_figure(variant: str) -> None:
    spec = get_variant(variant)

    def params(ablation: dict[str, str]) -> int:
        with torch.device("meta"):
            model = SeaFormer(ablated(spec, ablation), classes=150)
        return sum(p.numel() for p in model.parameters())

    saved = {"off": 0, "conv": 0, "upconv": 0}
    for stage in spec.context_stages:
        channels, joint = stage.channels, 4 * stage.key_dim * spec.heads
        kernel = _convolution(1, joint, 9) + _convolution(joint, channels)
        narrow = _convolution(1, channels, 9) + _convolution(channels, channels)
        saved["off"] += stage.depth * kernel
        saved["upconv"] -= stage.depth * _convolution(channels, joint)
        saved["conv"] += stage.depth * (kernel - narrow - _convolution(channels, channels))
    for detail, less in saved.items():
        assert params({}) - params({"detail": detail}) == less
    for switch in ("combine", "fusion"):
        for value in SWITCHES[switch]:
            assert params({switch: value}) == params({})


def test_multiply_accumulates_without_the_detail_kernel() -> None:
    size = (128, 192)
    spec = get_variant("tiny")
    saved = 0
    for stage, stride in zip(spec.context_stages, (16, 32, 64), strict=True):
        joint = 4 * stage.key_dim * spec.heads
        positions = size[0] // stride * (size[1] // stride)
        # Nine taps, the projection, and two for each value of the two BatchNorms.
        per_position = 9 * joint + joint * stage.channels + 2 * (joint + stage.channels)
        saved += stage.depth * positions * per_position
    without = create_model("tiny", ablation={"detail": "off"})
    assert count_macs(create_model("tiny"), size) - count_macs(without, size) == saved


def test_the_fusion_width_applies_to_fusion_blocks_and_head() -> None:
    model = create_model("tiny", ablation={"fusion-width": "48,72"})
    blocks = [m for m in model.modules() if isinstance(m, FusionBlock)]
    assert [block.local_embedding.conv.out_channels for block in blocks] == [48, 72]
    assert model.light_head.classifier.in_channels == 72


def test_each_fusion_matches_its_formula() -> None:
    local, context = torch.randn(1, 6, 8, 8), torch.randn(1, 4, 4, 4)
    block = FusionBlock(6, 4, 5).eval()

    def run(fusion: str) -> torch.Tensor:
        other = FusionBlock(6, 4, 5, fusion).eval()
        other.load_state_dict(block.state_dict())
        with torch.no_grad():
            return other(local, context)

    with torch.no_grad():
        fine, coarse = block.local_embedding(local), block.context_embedding(context)
    up = nn.Upsample(scale_factor=2, mode="bilinear")
    gate = up(((coarse + 3).clamp(0, 6)) / 6)
    torch.testing.assert_close(run("sigmoid-multiply"), fine * gate)
    torch.testing.assert_close(run("sigmoid-add"), fine + gate)
    torch.testing.assert_close(run("multiply"), fine * up(coarse))
    torch.testing.assert_close(run("add"), fine + up(coarse))


# Export


@pytest.mark.parametrize("ablation", FEW, ids=str)
def test_the_deployment_form_is_the_same_function(ablation: dict[str, str]) -> None:
    model, form = deployed(ablation)
    image = torch.randint(0, 256, (1, 3, *SIZE), generator=torch.Generator().manual_seed(0))
    mean, std = (
        torch.tensor(values, dtype=torch.float64).reshape(1, 3, 1, 1)
        for values in (PREPROCESSING.mean, PREPROCESSING.std)
    )
    with torch.no_grad():
        expected = model.double()((image.double() - mean) / std)
        output = form.model.double()(image.double())
    # Its weights are rounded to float32.
    assert (output - expected).abs().max() < 2e-6 * expected.abs().max()


@pytest.mark.parametrize(
    ("ablation", "rewrite", "refused"),
    [
        ({"detail": "off"}, "fold_gate", "attention"),
        ({"combine": "add"}, "fold_gate", "attention"),
        ({"fusion": "multiply"}, "fold_gate", "fusion"),
        ({"fusion": "add"}, "fold_gate", "fusion"),
        ({"fusion": "sigmoid-add"}, "fold_gate", "fusion"),
        ({"fusion": "add"}, "fold_light_head", "head"),
        ({"fusion": "sigmoid-add"}, "fold_light_head", "head"),
    ],
    ids=str,
)
def test_a_rewrite_that_does_not_apply_has_a_reason(
    ablation: dict[str, str], rewrite: str, refused: str
) -> None:
    model, form = deployed(ablation)
    sites = {"attention": len(layers(model)), "fusion": 2, "head": 1}
    report = next(report for report in form.reports if report.name == rewrite)
    assert len(report.refusals) == sites[refused]
    others = sites["attention"] + sites["fusion"] if rewrite == "fold_gate" else 1
    assert report.count == others - sites[refused]


def test_modules_unaffected_by_an_ablation_are_rewritten() -> None:
    _, plain = deployed({})
    for ablation in ({"detail": "conv"}, {"detail": "upconv"}, {"fusion-width": "48,72"}):
        _, form = deployed(ablation)
        for report, expected in zip(form.reports, plain.reports, strict=True):
            assert report.refusals == expected.refusals
            more = len(layers(create_model("tiny"))) if "conv" in str(ablation) else 0
            assert report.count == expected.count + (
                more if report.name == "fold_batch_norm" else 0
            )


@pytest.fixture(scope="module")
def folder(once: Once) -> Path:
    def fill(folder: Path) -> None:
        done = run_export(
            *("--variant", "tiny", "--ablation", "detail=upconv", "--ablation", "fusion=add"),
            *("--format", "onnx", "--format", "tflite", "--input-size", "64x96"),
            *("--output", "."),
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr

    return once("ablation", fill)


@pytest.mark.slow
def test_an_ablation_is_exported_verified_and_described(folder: Path) -> None:
    stem = "seaformer_tiny_detail-upconv_fusion-add_ade20k_64x96_fp32"
    assert {path.name for path in folder.iterdir()} == {
        f"{stem}.onnx",
        f"{stem}.tflite",
        f"{stem}.onnx.json",
        f"{stem}.tflite.json",
    }
    data = json.loads((folder / f"{stem}.tflite.json").read_text())
    assert data["variant"] == "tiny"
    assert data["ablation"] == {"detail": "upconv", "fusion": "add"}
    assert data["parity"]["passed"]
    modules = {operator["module"] for operator in data["operators"]}
    assert "context_branch.stage4.blocks.0.attention.detail.input" in modules


@pytest.mark.slow
def test_self_check_of_an_ablation(folder: Path) -> None:
    (file,) = folder.glob("*.onnx")
    done = run_export("--self-check", file, cwd=folder)
    assert done.returncode == 0, done.stderr


# Weights


def test_trained_weights_fit_an_ablation_without_weights(tmp_path: Path) -> None:
    state = create_model("tiny").state_dict()
    path = tmp_path / "tiny.pth"
    torch.save({"state_dict": to_official(state, get_variant("tiny"))}, path)
    model = create_model("tiny", weights=path, ablation={"combine": "add", "fusion": "add"})
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())
    with pytest.raises(SeaformerError, match=r"detail=off\).*unexpected tensor"):
        create_model("tiny", weights=path, ablation={"detail": "off"})
    with pytest.raises(SeaformerError, match=r"missing tensor.*detail_input"):
        create_model("tiny", weights=path, ablation={"detail": "conv"})


# Bad input


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["detail"], "not of the form SWITCH=VALUE"),
        (["detial=off"], "unknown ablation switch 'detial'. Did you mean 'detail'"),
        (["detail=of"], "unknown value of ablation switch detail 'of'. Did you mean 'off'"),
        (["detail=off", "detail=conv"], "given twice"),
    ],
)
def test_switches_that_do_not_exist(texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        parse_ablation(texts)


@pytest.mark.parametrize("width", ["48", "48,64,96", "48,0", "48,-2", "a,b", ""])
def test_widths_that_do_not_fit(width: str) -> None:
    with pytest.raises(UsageError, match="2 positive, comma-separated numbers"):
        create_model("tiny", ablation={"fusion-width": width})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--ablation", "fusion=ad"), "unknown value of ablation switch fusion 'ad'"),
        (("--ablation", "fusion=add", "--task", "imagenet"), "networks have no fusion blocks"),
    ],
)
def test_invalid_requests(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    assert_one_line(run_export("--variant", "tiny", *arguments, cwd=tmp_path), 2, message)


def test_help_names_every_switch_and_value(tmp_path: Path) -> None:
    text = re.sub(r"\s+", "", run_export("--help", cwd=tmp_path).stdout)
    for name, values in SWITCHES.items():
        assert f"{name}=" in text
        assert all(value in text for value in values)
