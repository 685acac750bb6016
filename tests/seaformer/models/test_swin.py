"""Swin-T with its own attention, compared with transformers, and with every other layer."""

import math
import re
from itertools import product
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from exporting import read_metadata, run_export
from once import Once
from PIL import Image
from sampling import sampled
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from seaformer.cli.evaluate import main as evaluate
from seaformer.cli.predict import main as predict
from seaformer.cli.train import main as train
from seaformer.errors import UnknownNameError, UsageError
from seaformer.models.attention.shifted_window import SHIFT, ShiftedWindowAttention
from seaformer.models.attention.window import WINDOW
from seaformer.models.catalog import count_macs
from seaformer.models.create import create
from seaformer.models.entry import Network
from seaformer.models.identity import identify
from seaformer.models.registry import ATTENTIONS, LAYERS, OWN_ATTENTION, REGISTRY
from seaformer.models.resolve import chosen, with_attention
from seaformer.models.swin import DEPTHS, HEADS, official_names
from seaformer.tasks import get_task
from seaformer.weights.checkpoint import Checkpoint, read_checkpoint
from seaformer.weights.random_weights import fill_random

IMAGENET, SHAPES = get_task("imagenet"), get_task("shapes")
SWIN = REGISTRY["swin-tiny"]
ROWS = ATTENTIONS["swin-tiny"]


# The attention

CHANNELS, TOKENS = 12, WINDOW * WINDOW


def layer_of(heads: int, is_shifted: bool) -> ShiftedWindowAttention:
    torch.manual_seed(0)
    layer = ShiftedWindowAttention(CHANNELS, heads, is_shifted=is_shifted).double()
    nn.init.normal_(layer.position.table)
    return layer.requires_grad_(False)


def plainly(layer: ShiftedWindowAttention, x: Tensor) -> Tensor:
    """Attend position by position, without rolling: windows are offset, and cut at the borders."""
    height, width = x.shape[2:]
    padded = [math.ceil(side / WINDOW) * WINDOW for side in (height, width)]
    offsets = [SHIFT if layer.is_shifted and side > WINDOW else 0 for side in padded]
    canvas = torch.zeros(CHANNELS, *padded, dtype=x.dtype)
    canvas[:, :height, :width] = x[0]
    qkv = nn.functional.linear(
        canvas.flatten(1).T, layer.query_key_value.weight, layer.query_key_value.bias
    )
    q, k, v = qkv.reshape(-1, 3, layer.heads, CHANNELS // layer.heads).permute(1, 2, 0, 3)
    places = list(product(range(padded[0]), range(padded[1])))
    windows = [tuple((s - o) // WINDOW for s, o in zip(p, offsets, strict=True)) for p in places]
    bias = torch.full((layer.heads, len(places), len(places)), -torch.inf, dtype=x.dtype)
    for (i, (y, across)), (j, (v_, u)) in product(enumerate(places), enumerate(places)):
        if windows[i] == windows[j]:
            row = (y - v_ + WINDOW - 1) * (2 * WINDOW - 1) + across - u + WINDOW - 1
            bias[:, i, j] = layer.position.table[row]
    out = nn.functional.scaled_dot_product_attention(q, k, v, bias)
    out = out.transpose(0, 1).reshape(len(places), CHANNELS)
    out = nn.functional.linear(out, layer.projection.weight, layer.projection.bias)
    return out.T.reshape(1, CHANNELS, *padded)[:, :, :height, :width]


@pytest.mark.parametrize("is_shifted", [False, True])
@pytest.mark.parametrize("size", [(14, 21), (9, 15), (5, 16), (7, 7)])
def test_attention_is_within_shifted_windows(size: tuple[int, int], is_shifted: bool) -> None:
    layer = layer_of(3, is_shifted)
    x = torch.randn(1, CHANNELS, *size, dtype=torch.float64)
    torch.testing.assert_close(layer(x), plainly(layer, x), rtol=1e-10, atol=1e-10)


def test_images_of_a_batch_are_separate() -> None:
    layer, x = layer_of(2, is_shifted=True), torch.randn(3, CHANNELS, 14, 9, dtype=torch.float64)
    torch.testing.assert_close(layer(x)[1:2], layer(x[1:2]), rtol=1e-10, atol=1e-10)


class Ranks(TorchDispatchMode):
    """Records how many axes the results of operators have."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[int] = set()

    def __torch_dispatch__(self, operator, _types, args=(), kwargs=None):
        out = operator(*args, **(kwargs or {}))
        self.found |= {one.dim() for one in tree_leaves(out) if isinstance(one, Tensor)}
        return out


def test_no_tensor_has_more_than_four_axes() -> None:
    """GPUs of phones take no more."""
    layer = layer_of(2, is_shifted=True)
    with Ranks() as ranks:
        layer(torch.zeros(1, CHANNELS, 14, 14, dtype=torch.float64))
    assert max(ranks.found) == 4


# The network


def transformers_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return our tensors by the names of transformers, which separates query, key and value."""
    found = {}
    for key, tensor in state.items():
        name = official_names([key])[key]
        for pattern, new in (
            (r"^patch_embed\.proj\.", "swin.embeddings.patch_embeddings.projection."),
            (r"^patch_embed\.norm\.", "swin.embeddings.norm."),
            (r"^layers\.", "swin.encoder.layers."),
            (r"^norm\.", "swin.layernorm."),
            (r"^head\.", "classifier."),
            (r"\.norm1\.", ".layernorm_before."),
            (r"\.norm2\.", ".layernorm_after."),
            (r"\.attn\.proj\.", ".attention.o_proj."),
            (r"\.attn\.relative", ".attention.relative_position_bias.relative"),
        ):
            name = re.sub(pattern, new, name)
        if ".attn.qkv." in name:
            for part, third in zip("qkv", tensor.chunk(3), strict=True):
                found[name.replace(".attn.qkv.", f".attention.{part}_proj.")] = third
        else:
            found[name] = tensor
    return found


def test_swin_is_the_network_of_transformers() -> None:
    from transformers import SwinConfig, SwinForImageClassification

    config = SwinConfig(num_labels=1000, depths=list(DEPTHS), num_heads=list(HEADS))
    theirs = SwinForImageClassification(config).eval()
    ours = SWIN.build("classification", 1000).eval()
    fill_random(ours)
    theirs.load_state_dict(transformers_names(ours.state_dict()))
    image = torch.randn(1, 3, 224, 224, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs.double()(image).logits
        logits = ours.double()(image)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-11 * float(expected.abs().max()))


def test_the_sizes_are_the_published_ones() -> None:
    """torchvision/models/swin_transformer.py, Swin_T_Weights: parameters, and 4.491 G."""
    published = SWIN.published_top1
    with torch.device("meta"):
        model = SWIN.build("classification", 1000).eval()
        macs = count_macs(model, (224, 224))
    params = sum(p.numel() for p in model.parameters())
    assert params == 28_288_354
    assert f"{macs / 1e9:.3f}" == "4.491"
    assert published is not None
    assert (f"{params / 1e6:.0f}", f"{macs / 1e9:.1f}") == (published.params_m, published.macs_g)


CASES = [(kind, task) for task in ("classification", "segmentation") for kind in ROWS]


@pytest.mark.parametrize(("kind", "task"), sampled(CASES[1:] + CASES[:1], 2))
@torch.no_grad()
def test_every_layer_can_replace_the_attention(kind: str, task: str) -> None:
    model = ROWS[kind].build(task, 7).eval()
    blocks = [module.attention for stage in model.stages for module in stage.blocks]
    assert len(blocks) == sum(DEPTHS)
    alone = SWIN.build(task, 7) if kind == OWN_ATTENTION else LAYERS[kind].build("features", 0)
    expected = alone.stages[0].blocks[0].attention if kind == OWN_ATTENTION else alone.attention
    assert {type(block) for block in blocks} == {type(expected)}
    # Everything else is the same.
    plain = SWIN.build(task, 7).state_dict()
    state = model.state_dict()
    outside = [key for key in plain if ".attention." not in key]
    assert outside == [key for key in state if ".attention." not in key]
    assert all(plain[key].shape == state[key].shape for key in outside)
    fill_random(model)
    side = ROWS[kind].min_side
    logits = model(torch.randn(2, 3, side, side + 30))
    shape = (2, 7) if task == "classification" else (2, 7, side // 4, math.ceil((side + 30) / 4))
    assert logits.shape == shape
    assert logits.std() > 0.1


# Its name


def test_every_layer_of_the_table_is_a_value_of_the_option() -> None:
    assert [*ROWS] == [OWN_ATTENTION, *LAYERS]
    for kind, row in ROWS.items():
        assert chosen("swin-tiny", None, kind) is row
        assert with_attention(row, kind) is row
        assert row.file_stem(IMAGENET) == f"{row.name.replace('-', '_', 1)}_imagenet"
    assert chosen("swin-tiny", None) is SWIN is ROWS[OWN_ATTENTION]
    assert chosen("swin-tiny-axial", None) is ROWS["axial"]


@pytest.mark.parametrize(
    ("network", "kind", "error", "message"),
    [
        (SWIN, "axail", UnknownNameError, "unknown attention 'axail'. Did you mean 'axial'"),
        (None, "axial", UsageError, r"--attention needs --model swin-tiny\."),
        (REGISTRY["segformer-b0"], "axial", UsageError, "'segformer-b0' is another network"),
        (ROWS["axial"], "global", UsageError, "'swin-tiny-axial' is another network"),
    ],
)
def test_an_attention_that_does_not_fit_is_refused(
    network: Network | None, kind: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        with_attention(network, kind)


def test_an_export_that_exceeds_the_memory_is_foreseen() -> None:
    small, large = (ROWS["global"].export_bytes((side, side)) for side in (224, 1024))
    assert small is not None
    assert large is not None
    assert small < 3e9 < 100e9 < large


# Its checkpoints


def checkpoint(row: Network, kind: str, names: object = None) -> Checkpoint:
    with torch.device("meta"):
        state = row.build(kind, 5).state_dict()
    if callable(names):
        state = {names(state)[key]: tensor for key, tensor in state.items()}
    return Checkpoint(Path("x.pth"), "", state, None, {})


@pytest.mark.parametrize("names", [SWIN.official_names, *SWIN.library_names])
def test_checkpoints_are_recognized_by_the_names_of_any_library(names: object) -> None:
    identity = identify(checkpoint(SWIN, "classification", names))
    assert identity is not None
    assert (identity.network, identity.kind, identity.classes) == (SWIN, "classification", 5)


def test_an_official_checkpoint_is_read(tmp_path: Path) -> None:
    """With the tensors that the network computes, under the key of the official code."""
    stored, _ = create(SWIN, IMAGENET)
    names = official_names(stored.state_dict())
    state = {name: stored.state_dict()[key] for key, name in names.items()}
    state["layers.0.blocks.1.attn.relative_position_index"] = torch.zeros(TOKENS, TOKENS)
    state["layers.0.blocks.1.attn_mask"] = torch.zeros(64, TOKENS, TOKENS)
    assert "layers.2.downsample.reduction.weight" in state
    torch.save({"model": state}, tmp_path / "swin_tiny.pth")
    assert read_checkpoint(tmp_path / "swin_tiny.pth").tensors.keys() == state.keys()
    loaded, record = create(SWIN, IMAGENET, tmp_path / "swin_tiny.pth")
    assert not record.is_random
    for key, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, stored.state_dict()[key]), key
    segmenter, _ = create(SWIN, SHAPES, f"backbone:{tmp_path / 'swin_tiny.pth'}")
    key = "stages.3.blocks.1.ffn.expand.weight"
    assert torch.equal(segmenter.state_dict()[key], stored.state_dict()[key])


# Commands


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    noise = np.random.RandomState(0).randint(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save("photo.png")
    return tmp_path


NETWORK = ("--model", "swin-tiny", "--attention")


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (predict, ("photo.png", *NETWORK, "axail"), "unknown attention 'axail'"),
        (predict, ("photo.png", "--model", "x.onnx", "--attention", "axial"), "'x.onnx' is a file"),
        (evaluate, ("swin-tiny", "--data", ".", "--attention", "axail"), "unknown attention"),
        (evaluate, ("x.onnx", "--data", ".", "--attention", "axial"), "--attention needs --model"),
        (train, (*NETWORK, "axail", "--data", "shapes", "-o", "run"), "unknown attention 'axail'"),
        (train, ("--variant", "tiny", "--attention", "axial", "-o", "run"), "another network"),
    ],
)
@pytest.mark.usefixtures("photo")
def test_commands_refuse_an_attention_that_does_not_fit(
    command: click.Command, arguments: tuple[str, ...], message: str
) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert not Path("run").exists()


def test_an_export_refuses_an_unknown_attention(tmp_path: Path) -> None:
    done = run_export(*NETWORK, "axail", "--format", "onnx", cwd=tmp_path)
    assert done.returncode == 2
    assert "unknown attention 'axail'" in done.stderr


@pytest.mark.usefixtures("photo")
def test_a_network_with_another_attention_predicts() -> None:
    arguments = ("photo.png", *NETWORK, "squeeze-enhanced", "--input-size", "64", "--json")
    result = CliRunner().invoke(predict, arguments)
    assert result.exit_code == 0, result.stderr
    assert '"model": "swin-tiny-squeeze-enhanced"' in result.stdout
    assert '"task": "imagenet"' in result.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("photo")
def test_a_network_with_another_attention_is_trained_and_recognized(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from seaformer.datasets import shapes

    monkeypatch.setattr(shapes, "SPLITS", {"train": 2, "val": 2})
    short = ("--data", "shapes", "--device", "cpu", "--iterations", "1", "--batch-size", "2")
    arguments = (*NETWORK, "squeeze", *short, "--crop", "64", "--output", "run")
    result = CliRunner().invoke(train, arguments)
    assert result.exit_code == 0, result.stderr
    best = read_checkpoint(Path("run", "best.safetensors"))
    assert (best.network, best.task) == ("swin-tiny-squeeze", SHAPES)
    identity = identify(best)
    assert identity is not None
    assert identity.network is ROWS["squeeze"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [OWN_ATTENTION, "squeeze-enhanced"])
def test_exported_files_match_and_record_the_attention(once: Once, kind: str) -> None:
    def fill(folder: Path) -> None:
        formats = ("--format", "onnx", "--format", "tflite")
        small = ("--input-size", "64", "--output", ".", "--accelerator", "cpu")
        done = run_export(*NETWORK, kind, *formats, *small, cwd=folder)
        assert done.returncode == 0, done.stderr

    folder = once(f"swin {kind}", fill)
    stem = f"{ROWS[kind].file_stem(IMAGENET)}_64x64_fp32"
    for suffix in (".onnx", ".tflite"):
        metadata = read_metadata(folder / f"{stem}{suffix}")
        assert metadata.model == ROWS[kind].name
        assert metadata.parity.passed
        modules = {operator.module for operator in metadata.operators}
        assert any(str(name).startswith("stages.3.blocks.1.attention") for name in modules)
