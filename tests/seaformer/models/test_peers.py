"""The peers: their published sizes, their structure, their checkpoints, and their exports."""

import json
import pickle
import re
from collections import Counter
from pathlib import Path

import numpy as np
import official_recipe as recipe
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from exporting import assert_one_line, run_export
from locations import GOLDEN
from once import Once
from topformer_files import official_shapes
from torch import nn
from torch.nn import functional as F

from seaformer.artifact.beside import path_beside
from seaformer.errors import SeaformerError, UsageError
from seaformer.export.convert import tflite_file
from seaformer.models.catalog import count_macs
from seaformer.models.create import create as create_with_record
from seaformer.models.entry import Network
from seaformer.models.registry import REGISTRY
from seaformer.models.topformer import PyramidPooling
from seaformer.models.topformer import official_names as topformer_names
from seaformer.tasks import get_task
from seaformer.weights.released import RELEASED as ALL_RELEASED
from seaformer.weights.released import find_released

ADE20K = get_task("ade20k")
PEERS = {
    name: row
    for name, row in REGISTRY.items()
    if not (row.variant or row.attention) and "segmentation" in row.builders
}
RELEASED = [weights for weights in ALL_RELEASED if weights.network in PEERS]
OFFICIAL = json.loads((GOLDEN / "topformer_tiny.json").read_text())
GOLDENS = ("afformer", "cgrseg", "ppmobileseg", "repvit")
"""Families with a file in tests/golden/ of outputs of the official code."""
PP_MOBILESEGS = [name for name, peer in PEERS.items() if peer.family == "ppmobileseg"]
TOPFORMERS = [name for name, peer in PEERS.items() if peer.family == "topformer"]


def create(name: str) -> nn.Module:
    return create_with_record(PEERS[name], ADE20K, None)[0]


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    return {name: create(name) for name in PEERS}


# Sizes


def as_printed(number: float, published: str) -> str:
    return f"{number:.{len(published.partition('.')[2])}f}"


def params_m(model: nn.Module, averages: bool = False) -> float:
    counted = sum(p.numel() for p in model.parameters())
    if averages:
        counted += sum(b.numel() for name, b in model.named_buffers() if "running" in name)
    return counted / 1e6


SIZED = [name for name, peer in PEERS.items() if peer.published and peer.published.params_m]


COUNTED_OTHERWISE = ("afformer", "cgrseg", "ppmobileseg", "raspp")
"""Families whose published sizes follow another convention, which separate tests check."""


@pytest.mark.parametrize(
    "name", [name for name in SIZED if PEERS[name].family not in COUNTED_OTHERWISE]
)
def test_sizes_match_the_published_ones(name: str) -> None:
    published = PEERS[name].published
    model = PEERS[name].build("segmentation", published.classes).eval()
    averages = name in TOPFORMERS
    assert as_printed(params_m(model, averages), published.params_m) == published.params_m
    macs = count_macs(model, (512, 512)) / 1e9
    assert as_printed(macs, published.macs_g) == published.macs_g


def test_published_sizes_of_pp_mobileseg_count_the_weights_of_convolutions(networks) -> None:
    weights_m = {
        name: sum(m.weight.numel() for m in networks[name].modules() if isinstance(m, nn.Conv2d))
        / 1e6
        for name in PP_MOBILESEGS
    }
    assert as_printed(weights_m["ppmobileseg-tiny"], "1.44") == "1.44"
    assert "5.82 M" in PEERS["ppmobileseg-base"].note
    assert as_printed(weights_m["ppmobileseg-base"], "5.62") == "5.82"


def test_published_multiply_accumulates_of_cgrseg_are_those_of_convolutions(networks) -> None:
    """With their biases, in the whole network; its classifier is applied twice."""
    counted = 0

    def count(layer: nn.Module, _given: tuple, output: torch.Tensor) -> None:
        nonlocal counted
        counted += output.numel() * (layer.weight[0].numel() + (layer.bias is not None))

    model = networks["cgrseg-tiny"]
    handles = [
        layer.register_forward_hook(count)
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    with torch.no_grad():
        model(torch.zeros(1, 3, 512, 512))
    for handle in handles:
        handle.remove()
    published = PEERS["cgrseg-tiny"].published.macs_g
    assert as_printed(counted / 1e9, published) == published


@pytest.mark.parametrize("name", [name for name in SIZED if PEERS[name].family != "raspp"])
def test_sizes_that_differ_from_the_published_ones_are_in_the_table(name: str, networks) -> None:
    published, model, note = PEERS[name].published, networks[name], PEERS[name].note
    params, macs = params_m(model), count_macs(model, (512, 512)) / 1e9
    assert as_printed(params, published.params_m) == published.params_m or f"{params:.2f} M" in note
    if published.macs_g is not None:
        assert as_printed(macs, published.macs_g) == published.macs_g or f"{macs:.2f} G" in note


def test_lr_aspp_has_the_size_of_torchvision() -> None:
    """torchvision/models/segmentation/lraspp.py, LRASPP_MobileNet_V3_Large_Weights: of 21 classes,
    for an image of 520x520, multiply-accumulates of convolutions."""
    from torch.utils.flop_counter import FlopCounterMode

    model = PEERS["lraspp-mobilenetv3-large"].build("segmentation", 21).eval()
    assert sum(p.numel() for p in model.parameters()) == 3221538
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, 520, 520))
    assert as_printed(counter.get_total_flops() / 2e9, "2.086") == "2.086"


def test_published_sizes_of_r_aspp_are_counted_like_tensorflow(networks) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model, published = networks["raspp-mobilenetv2"], PEERS["raspp-mobilenetv2"].published
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, 513, 513))
    convolutions = counter.get_total_flops() / 2e9
    assert as_printed(params_m(model, averages=True), published.params_m) == published.params_m
    assert as_printed(convolutions, published.macs_g) == published.macs_g


# Structure


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("size", [(64, 128), (72, 100)])
def test_logits_have_the_stride_of_the_table(name, size: tuple[int, int], networks) -> None:
    stride = PEERS[name].stride
    with torch.no_grad():
        logits = networks[name](torch.ones(1, 3, *size))
    assert logits.shape == (1, 150, -(-size[0] // stride), -(-size[1] // stride))
    assert logits.std() > 0.1


@pytest.mark.parametrize("sides", [(16, 24), (15, 21), (5, 3)])
def test_pooling_is_adaptive_average_pooling(sides: tuple[int, int]) -> None:
    torch.manual_seed(0)
    coarse = torch.randn(1, 3, *sides, dtype=torch.float64)
    fine = torch.randn(1, 2, 4 * sides[0] - 1, 4 * sides[1], dtype=torch.float64)
    grid = ((sides[0] + 1) // 2, (sides[1] + 1) // 2)
    expected = torch.cat([F.adaptive_avg_pool2d(x, grid) for x in (fine, coarse)], dim=1)
    torch.testing.assert_close(PyramidPooling()([fine, coarse]), expected)


def test_every_branch_contributes_with_random_weights(networks) -> None:
    """A coarse branch with a negligible contribution would hide errors of an export."""
    for name in ("lraspp-mobilenetv3-large", "lraspp-mobilenetv3-large-reduce"):
        model = networks[name]
        torch.manual_seed(0)
        with torch.no_grad():
            fine, coarse = model.backbone(torch.randn(1, 3, 128, 128))
            both = model.head(fine, coarse)
            fine_only = model.head(fine, torch.zeros_like(coarse))
        assert (both - fine_only).std() > 0.1 * fine_only.std()


# SegFormer's checkpoints

SEGFORMERS = {"segformer-b0": [32, 64, 160, 256], "segformer-b1": [64, 128, 320, 512]}


@pytest.mark.parametrize("name", SEGFORMERS)
def test_checkpoints_of_transformers_load_into_segformer(name: str, tmp_path: Path) -> None:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    torch.manual_seed(0)
    config = SegformerConfig(hidden_sizes=SEGFORMERS[name], num_labels=150)
    theirs = SegformerForSemanticSegmentation(config).eval()
    with torch.no_grad():  # so that norms are not identities
        for tensor in (*theirs.parameters(), *theirs.buffers()):
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand_like(tensor))
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    model, record = create_with_record(PEERS[name], ADE20K, path)
    assert not record.is_random
    image = torch.randn(2, 3, 96, 132, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs.double()(image).logits
        logits = model.double()(image)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-12 * float(expected.abs().max()))


# Networks of which the official code was run


@pytest.mark.parametrize("name", [name for name, peer in PEERS.items() if peer.family in GOLDENS])
def test_outputs_match_the_official_code(name: str, tmp_path: Path) -> None:
    """tests/golden/FAMILY.json: the official code in float32, that of PP-MobileSeg by PaddlePaddle,
    that of the others by PyTorch, with plain modules in place of mmcv's."""
    peer = PEERS[name]
    official = json.loads((GOLDEN / f"{peer.family}.json").read_text())[peer.size]
    arrays = {key: recipe.fill(in_torch(key), shape) for key, shape in official["keys"].items()}
    path = tmp_path / "official.pdparams"
    if name in PP_MOBILESEGS:
        path.write_bytes(pickle.dumps(arrays, 4))
    else:
        path = tmp_path / "official.pth"
        tensors = {key: torch.from_numpy(array) for key, array in arrays.items()}
        torch.save({"state_dict": tensors}, path)
    model, record = create_with_record(peer, ADE20K, path)
    assert not record.is_random
    unused = [shape for key, shape in official["keys"].items() if key.startswith(peer.auxiliary)]
    params = sum(p.numel() for p in model.parameters())
    assert params == official["params"] - sum(int(np.prod(shape)) for shape in unused)
    for run in official["runs"]:
        with torch.no_grad():
            logits = model(torch.from_numpy(recipe.image(*run["size"])))
        assert list(logits.shape) == run["shape"]
        values = logits.flatten()[run["index"]].numpy()
        np.testing.assert_allclose(values, run["value"], rtol=0, atol=1e-4 * run["std"])
        np.testing.assert_allclose(logits.double().std(correction=0), run["std"], rtol=1e-5)


def in_torch(key: str) -> str:
    """The name that torch gives a statistic of BatchNorm, by which the recipe recognizes it."""
    return key.replace("._mean", ".running_mean").replace("._variance", ".running_var")


# TopFormer's checkpoints


@pytest.mark.parametrize("name", TOPFORMERS)
def test_keys_and_shapes_match_the_official_code(name: str, networks) -> None:
    state = networks[name].state_dict()
    names = topformer_names(state)
    found = {names[key]: tuple(tensor.shape) for key, tensor in state.items()}
    assert found == official_shapes(PEERS[name].size)


def checkpoint(path: Path, size: str, seed: int = 0, classes: int = 150) -> Path:
    """Write a checkpoint in the format of mmcv."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in official_shapes(size).items():
        if name.startswith("decode_head.conv_seg"):
            shape = (classes, *shape[1:])
        tensor = torch.rand(shape, generator=generator)
        state[name] = torch.tensor(0) if name.endswith("tracked") else tensor
    torch.save({"state_dict": state, "meta": {"CLASSES": ADE20K.labels[:classes]}}, path)
    return path


def test_an_official_checkpoint_is_read(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "topformer.pth", "tiny")
    model, record = create_with_record(PEERS["topformer-tiny"], ADE20K, path)
    stored = torch.load(path)["state_dict"]
    state = model.state_dict()
    for ours, theirs in topformer_names(state).items():
        assert torch.equal(state[ours], stored[theirs]), ours
    assert (record.name, record.is_random, record.note) == ("topformer.pth", False, "")
    assert record.class_names == ADE20K.labels


def test_our_own_names_are_read(tmp_path: Path) -> None:
    torch.save(create("lraspp-mobilenetv2").state_dict(), tmp_path / "mine.pth")
    peer = PEERS["lraspp-mobilenetv2"]
    model, record = create_with_record(peer, ADE20K, tmp_path / "mine.pth")
    assert not record.is_random
    expected = create("lraspp-mobilenetv2").state_dict()
    assert all(torch.equal(expected[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("requested", "actual", "message"),
    [
        (
            "topformer-base",
            "small",
            "contains TopFormer-S for segmentation with 150 classes, not TopFormer-B for "
            "segmentation with 150 classes. Use --model topformer-small.",
        ),
        (
            "raspp-mobilenetv2",
            "tiny",
            "contains TopFormer-T for segmentation with 150 classes, not R-ASPP MobileNetV2 for "
            "segmentation with 150 classes. Use --model topformer-tiny.",
        ),
    ],
)
def test_a_checkpoint_of_another_peer(
    requested: str, actual: str, message: str, tmp_path: Path
) -> None:
    path = checkpoint(tmp_path / "x.pth", actual)
    with pytest.raises(SeaformerError, match=re.escape(message)):
        create_with_record(PEERS[requested], ADE20K, path)


def test_a_checkpoint_of_other_classes(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "x.pth", "tiny", classes=19)
    with pytest.raises(SeaformerError, match=r"conv_seg.weight \[19, 128, 1, 1\] instead"):
        create_with_record(PEERS["topformer-tiny"], ADE20K, path)


def test_released_weights_belong_to_peers_and_have_unique_names() -> None:
    assert {weights.network for weights in RELEASED} == set(TOPFORMERS)
    assert len({(weights.network, weights.name) for weights in RELEASED}) == len(RELEASED)
    assert len({weights.drive_id for weights in RELEASED}) == len(RELEASED)
    for name in TOPFORMERS:
        small_batch = find_released("ade20k-batch16", name, ADE20K)
        assert small_batch.score == PEERS[name].published.miou
    with pytest.raises(UsageError, match="ade20k-448"):
        find_released("ade20k-44", "topformer-tiny", ADE20K)


# The command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "topformer-tny"), "unknown model 'topformer-tny'.*'topformer-tiny'"),
        (("--model", "segformer-b0", "--task", "imagenet"), "is for segmentation"),
        (("--model", "topformer-tiny", "--ablation", "detail=off"), "--ablation needs --variant"),
        (("--model", "topformer-tiny", "--variant", "tiny"), "name different networks"),
    ],
)
def test_invalid_requests(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    assert_one_line(run_export(*arguments, "--format", "onnx", cwd=tmp_path), 2, message)


def test_help_names_every_peer(tmp_path: Path) -> None:
    text = " ".join(run_export("--help", cwd=tmp_path).stdout.split()).replace("- ", "-")
    for name in PEERS:
        assert re.search(rf"\b{name}\b", text), name


SMALL = ("--input-size", "64x128", "--normalize", "outside", "--output", ".")


def exported(once: Once, peer: Network, *formats: str) -> Path:
    def fill(folder: Path) -> None:
        chosen = [word for name in formats for word in ("--format", name)]
        done = run_export("--model", peer.name, *chosen, *SMALL, cwd=folder)
        assert done.returncode == 0, done.stderr

    folder = once(peer.name, fill)
    return folder / f"{peer.family}_{peer.size}_ade20k_64x128_fp32"


def metadata(file: Path) -> dict:
    return json.loads(path_beside(file).read_text())


def assert_one_partition(file: Path) -> None:
    interpreter = Interpreter(model_path=str(file))
    interpreter.allocate_tensors()
    details = interpreter._get_ops_details()
    (delegate,) = (row for row in details if row["op_name"] == "DELEGATE")
    (output,) = interpreter.get_output_details()
    assert [int(tensor) for tensor in delegate["outputs"]] == [output["index"]]
    assert interpreter.get_input_details()[0]["index"] in delegate["inputs"]


def assert_described(file: Path, peer: Network) -> None:
    data = metadata(file)
    assert (data["variant"], data["model"], data["task"]) == (None, peer.name, "ade20k")
    assert data["parity"]["passed"]
    assert data["output"]["stride"] == peer.stride
    assert data["weights"]["is_random"]


@pytest.mark.slow
def test_topformer_is_exported_with_the_operators_of_the_official_network(once: Once) -> None:
    peer = PEERS["topformer-tiny"]
    file = Path(f"{exported(once, peer, 'onnx', 'tflite')}.tflite")
    assert file.with_suffix(".onnx").exists()
    assert_described(file, peer)
    assert_one_partition(file)
    operators = tflite_file.operators(file.read_bytes())
    assert Counter(operator.type for operator in operators) == OFFICIAL["operators"]
    interpreter = Interpreter(model_path=str(file))
    shapes = {row["index"]: row["shape"].tolist() for row in interpreter.get_tensor_details()}
    kernels = Counter(
        (operator.type, *shapes[operator.inputs[1]])
        for operator in operators
        if operator.type in ("CONV_2D", "DEPTHWISE_CONV_2D")
    )
    assert kernels == {(kind, *shape): count for kind, shape, count in OFFICIAL["kernels"]}


@pytest.mark.slow
def test_every_operator_of_a_split_has_its_own_module(once: Once) -> None:
    """ONNX has one Split, TFLite an operator for each part."""
    file = Path(f"{exported(once, PEERS['topformer-tiny'], 'onnx', 'tflite')}.tflite")
    operators = metadata(file)["operators"]
    modules = {operator["module"] for operator in operators}
    for number in range(3):
        assert f"injections.{number}.gate_embedding" in modules
    assert modules >= {"pooling", "head.classifier", "semantics_extractor.3.ffn.depthwise"}
    assert len(operators) == sum(OFFICIAL["operators"].values())


@pytest.mark.slow
def test_lr_aspp_is_exported(once: Once) -> None:
    peer = PEERS["lraspp-mobilenetv3-large-reduce"]
    file = Path(f"{exported(once, peer, 'onnx', 'tflite')}.tflite")
    assert_described(file, peer)
    assert_one_partition(file)


@pytest.mark.slow
def test_segformer_is_exported(once: Once) -> None:
    peer = PEERS["segformer-b0"]
    file = Path(f"{exported(once, peer, 'onnx', 'tflite')}.tflite")
    assert_described(file, peer)
    assert_one_partition(file)
    kinds = Counter(operator.type for operator in tflite_file.operators(file.read_bytes()))
    assert kinds["GELU"] == 8  # one for each Mix-FFN, and no decomposed erf
    assert kinds["BATCH_MATMUL"] == 2 * kinds["SOFTMAX"] == 16


@pytest.mark.slow
def test_self_check_of_a_peer(once: Once) -> None:
    file = f"{exported(once, PEERS['topformer-tiny'], 'onnx', 'tflite')}.onnx"
    done = run_export("--self-check", file, cwd=Path(file).parent)
    assert done.returncode == 0, done.stderr
    assert "matches PyTorch" in " ".join(done.stdout.split())


@pytest.mark.slow
def test_sizes_that_pool_unevenly_are_exported_exactly(tmp_path: Path) -> None:
    import onnxruntime

    done = run_export(
        *("--model", "topformer-tiny", "--format", "onnx", "--input-size", "72x100"),
        *("--normalize", "outside", "--output", "."),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    session = onnxruntime.InferenceSession(tmp_path / "topformer_tiny_ade20k_72x100_fp32.onnx")
    image = np.random.default_rng(0).standard_normal((1, 3, 72, 100)).astype(np.float32)
    with torch.no_grad():
        expected = create("topformer-tiny")(torch.from_numpy(image)).numpy()
    (logits,) = session.run(None, {"image": image})
    assert np.abs(logits - expected).max() < 1e-4 * expected.std()
