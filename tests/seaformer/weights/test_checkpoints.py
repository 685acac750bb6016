"""Reading, loading and saving weights, with real files written by torch.save."""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections import OrderedDict, defaultdict, deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import official_recipe as recipe
import pytest
import safetensors.torch
import torch
from locations import GOLDEN
from official_weights import network_shapes, to_official
from refused_checkpoints import refused
from torch import Tensor, nn

from seaformer.errors import SeaformerError, UnknownNameError, UsageError
from seaformer.extras import is_installed
from seaformer.models.create import create_model
from seaformer.models.identity import names_in
from seaformer.models.loading import WeightsRecord, is_path, load_weights
from seaformer.models.registry import REGISTRY
from seaformer.models.resolve import as_network, find_model
from seaformer.models.seaformer.network import SeaFormer, SeaFormerClassifier
from seaformer.models.seaformer.official_names import official_names
from seaformer.models.seaformer.variants import VARIANTS, get_variant
from seaformer.runtimes import find_runtime
from seaformer.tasks import Task, get_task
from seaformer.weights.checkpoint import read_checkpoint
from seaformer.weights.random_weights import fill_random
from seaformer.weights.saving import save_weights
from seaformer.weights.state_dicts import unwrapped

OFFICIAL = json.loads((GOLDEN / "official.json").read_text())
TINY = as_network("tiny")
ADE20K = get_task("ade20k")
IMAGENET = get_task("imagenet")
SHAPES = get_task("shapes")


def network(variant: str, task: Task) -> nn.Module:
    """Build a network in eval mode, with PyTorch's own initial weights."""
    kind = SeaFormer if task.is_segmentation else SeaFormerClassifier
    return kind(get_variant(variant), task.num_classes).eval()


def official_state(variant: str, is_segmentation: bool, classes: int) -> OrderedDict[str, Tensor]:
    """Return the weights of the golden recipe for any network, by their official names."""
    shapes = network_shapes(get_variant(variant), is_segmentation, classes)
    names = official_names(shapes, get_variant(variant))
    return OrderedDict((names[key], golden_tensor(names[key], shapes[key])) for key in shapes)


def golden_tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    """Return one tensor of the golden recipe; counters are integers as in any checkpoint."""
    if name.endswith("num_batches_tracked"):
        return torch.tensor(160_000)
    return torch.from_numpy(recipe.fill(name, shape))


def mmcv_file(path: Path, state: dict[str, Tensor], classes: Any = None, **meta: Any) -> Path:
    """Write a checkpoint in the format of mmcv 1.x."""
    meta |= {"mmcv_version": "1.3.14", "time": "Sat", "iter": 160_000, "hook_msgs": {}}
    if classes is not None:
        meta["CLASSES"] = classes
    optimizer = {"state": {0: {"step": 1, "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}
    torch.save({"meta": meta, "state_dict": state, "optimizer": optimizer}, path)
    return path


@pytest.fixture(scope="module")
def tiny_state() -> OrderedDict[str, Tensor]:
    return official_state("tiny", True, 150)


@pytest.fixture(scope="module")
def tiny_classifier_state() -> OrderedDict[str, Tensor]:
    return official_state("tiny", False, 1000)


@pytest.fixture(scope="module")
def tiny_file(
    tmp_path_factory: pytest.TempPathFactory, tiny_state: OrderedDict[str, Tensor]
) -> Path:
    return mmcv_file(tmp_path_factory.mktemp("w") / "tiny.pth", tiny_state, ADE20K.labels)


def misfit(weights: Path | str, variant: str = "tiny", task: Task = ADE20K) -> str:
    """Load, expect an error and an unchanged model, and return the text of the error."""
    model = network(variant, task)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(SeaformerError) as caught:
        load_weights(model, as_network(variant), task, weights)
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Formats


@pytest.mark.parametrize("entry", OFFICIAL)
def test_an_official_checkpoint_has_the_official_output(tmp_path: Path, entry: str) -> None:
    kind, variant, name = entry.split("-")
    task = get_task(name)
    state = {key: golden_tensor(key, shape) for key, shape in OFFICIAL[entry]["keys"].items()}
    path = tmp_path / "checkpoint.pth"
    if kind == "seg":
        mmcv_file(path, state, task.labels)
    else:
        torch.save({"state_dict": state, "epoch": 599}, path)
    model = network(variant, task)
    record = load_weights(model, as_network(variant), task, path)
    assert not record.is_random
    assert record.note == ""
    for run in OFFICIAL[entry]["runs"]:
        with torch.no_grad():
            output = model(torch.from_numpy(recipe.image(*run["input"][-2:]))).numpy()
        assert list(output.shape) == run["shape"]
        error = np.abs(output.reshape(-1)[run["index"]] - run["value"]).max()
        assert error < 1e-4 * run["std"]


def test_mmcv_checkpoint(tiny_file: Path, tiny_state: dict[str, Tensor]) -> None:
    checkpoint = read_checkpoint(tiny_file)
    keys = network_shapes(get_variant("tiny"), is_segmentation=True)
    official = official_names(keys, get_variant("tiny"))
    assert names_in(TINY, keys, checkpoint.tensors) == official
    assert checkpoint.class_names == ADE20K.labels
    assert checkpoint.metadata == {}
    assert list(checkpoint.tensors) == list(tiny_state)
    assert checkpoint.sha256 == hashlib.sha256(tiny_file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (("model",), "model"),
        (("model", "state_dict"), "state_dict"),
        (("model", "state_dict", "state_dict_ema"), "state_dict_ema"),
    ],
)
def test_averaged_weights_are_preferred(
    tmp_path: Path, stored: tuple[str, ...], expected: str
) -> None:
    states = {key: {"linear.weight": torch.tensor([float(len(key))])} for key in stored}
    torch.save({"epoch": 3} | states, tmp_path / "a.pth.tar")
    tensors = read_checkpoint(tmp_path / "a.pth.tar").tensors
    assert tensors["linear.weight"].item() == len(expected)


def weights_of(value: float) -> dict[str, Tensor]:
    return {
        "linear.weight": torch.tensor([float(value)]),
        "linear.bias": torch.tensor([float(value)]),
    }


@pytest.mark.parametrize(
    ("content", "expected", "note"),
    [
        (
            {"model": weights_of(1), "model_ema": weights_of(2)},
            2,
            "'model_ema', which are averaged",
        ),
        ({"model": weights_of(1), "ema": {"module": weights_of(2), "updates": 7}}, 2, "'ema'"),
        ({"state_dict": weights_of(1), "ema_state_dict": weights_of(2)}, 2, "'ema_state_dict'"),
        # mmengine writes the averaged ones under the usual key.
        (
            {"state_dict": weights_of(1), "ema_state_dict": weights_of(2), "message_hub": {}},
            1,
            "those under 'state_dict';",
        ),
        ({"model": weights_of(1), "ema": 0.999}, 1, ""),
        ({"net": weights_of(1)}, 1, ""),
    ],
)
def test_averaged_weights_are_used_and_reported(
    tmp_path: Path, content: dict[str, object], expected: float, note: str
) -> None:
    torch.save(content, tmp_path / "a.pth")
    checkpoint = read_checkpoint(tmp_path / "a.pth")
    assert checkpoint.tensors["linear.weight"].item() == expected
    assert note in checkpoint.note
    assert bool(checkpoint.note) == bool(note)


def test_weights_of_the_requested_key_are_used(tmp_path: Path) -> None:
    torch.save({"model": weights_of(1), "model_ema": weights_of(2)}, tmp_path / "a.pth")
    checkpoint = read_checkpoint(tmp_path / "a.pth::model")
    assert checkpoint.tensors["linear.weight"].item() == 1
    assert checkpoint.note == ""
    with pytest.raises(SeaformerError, match=r"'mdel'\. Keys with weights: 'model_ema', 'model'"):
        read_checkpoint(tmp_path / "a.pth::mdel")
    assert is_path("a.pth::model_ema")
    given = tmp_path / "a.pth::model"
    assert find_model(str(given)) == given
    assert find_runtime(given) is find_runtime("a.pth")


def test_the_key_is_part_of_the_option(
    tmp_path: Path, tiny_state: OrderedDict[str, Tensor]
) -> None:
    halved = {name: tensor / 2 for name, tensor in tiny_state.items()}
    content = {"state_dict": tiny_state, "model_ema": halved, "meta": {"CLASSES": ADE20K.labels}}
    torch.save(content, tmp_path / "a.pth")
    found = {}
    for given in ("a.pth", "a.pth::state_dict"):
        model = network("tiny", ADE20K)
        record = load_weights(model, as_network("tiny"), ADE20K, str(tmp_path / given))
        found[given] = (next(iter(model.state_dict().values())), bool(record.note))
    averaged, plain = found.values()
    assert torch.equal(averaged[0], plain[0] / 2)
    assert (averaged[1], plain[1]) == (True, False)


@pytest.mark.parametrize(
    "prefix",
    ["_orig_mod.", "module._orig_mod.", "model.", "net.", "student.", "segmentor.", "a.b.c."],
)
def test_prefixes_of_wrappers_are_removed_and_reported(
    tmp_path: Path, tiny_state: OrderedDict[str, Tensor], prefix: str
) -> None:
    state = {f"{prefix}{name}": tensor for name, tensor in tiny_state.items()}
    state |= {f"{prefix}auxiliary_head.conv.weight": torch.ones(2, 2)}
    torch.save({"state_dict": state}, tmp_path / "a.pth")
    record = load_weights(network("tiny", ADE20K), as_network("tiny"), ADE20K, tmp_path / "a.pth")
    assert "removed from the names" in record.note
    assert "auxiliary_head" in record.note


@pytest.mark.parametrize("nested", [True, False])
def test_of_several_networks_the_student_or_the_requested_one_is_loaded(
    tmp_path: Path, nested: bool
) -> None:
    """Distillation saves two networks with the same tensor names in one dictionary."""
    networks = {"teacher": torch.zeros(1), "student": torch.ones(1)}
    state = {f"{name}.layer.w": tensor for name, tensor in networks.items()}
    torch.save({"state_dict": state} if nested else state, tmp_path / "a.pth")
    found = read_checkpoint(tmp_path / "a.pth")
    assert found.tensors == {"layer.w": torch.ones(1)}
    assert found.note.startswith("Using the weights under 'student'; for others, give '")
    assert "::teacher'" in found.note
    requested = read_checkpoint(tmp_path / "a.pth::teacher")
    assert requested.tensors == {"layer.w": torch.zeros(1)}
    assert requested.note == ""


def test_averaged_weights_have_precedence_over_several_networks(tmp_path: Path) -> None:
    both = {"student.w": torch.zeros(1), "teacher.w": torch.zeros(1)}
    torch.save({"state_dict": both, "model_ema": {"w": torch.ones(1)}}, tmp_path / "a.pth")
    assert read_checkpoint(tmp_path / "a.pth").tensors == {"w": torch.ones(1)}
    assert read_checkpoint(tmp_path / "a.pth::student").tensors == {"w": torch.zeros(1)}


def test_a_key_is_found_among_other_objects(tmp_path: Path) -> None:
    content = {"scale": torch.zeros(1), "epoch": 3, "model": {"w": torch.ones(1)}}
    torch.save(content, tmp_path / "a.pth")
    assert read_checkpoint(tmp_path / "a.pth::model").tensors == {"w": torch.ones(1)}


def test_different_modules_are_not_mistaken_for_several_networks(tmp_path: Path) -> None:
    state = {"net.w": torch.ones(1), "teacher.v": torch.ones(1)}
    torch.save(state, tmp_path / "a.pth")
    assert read_checkpoint(tmp_path / "a.pth").tensors.keys() == state.keys()


def test_one_name_may_lack_the_prefix(tmp_path: Path) -> None:
    names = [f"module.layer{place}.w" for place in range(20)] + ["late.w"]
    torch.save({name: torch.ones(1) for name in names}, tmp_path / "a.pth")
    checkpoint = read_checkpoint(tmp_path / "a.pth")
    assert "layer3.w" in checkpoint.tensors
    assert "'module.' was removed from the names of the weights, which 1 did" in checkpoint.note


def test_a_loss_next_to_the_network_is_skipped_and_reported(
    tmp_path: Path, tiny_state: OrderedDict[str, Tensor]
) -> None:
    state = {f"model.{name}": tensor for name, tensor in tiny_state.items()}
    state |= {"criterion.weight": torch.ones(150)}
    late = next(iter(tiny_state))
    state[late] = state.pop(f"model.{late}")
    torch.save({"state_dict": state, "hyper_parameters": Settings(lr=0.1)}, tmp_path / "a.ckpt")
    record = load_weights(network("tiny", ADE20K), TINY, ADE20K, tmp_path / "a.ckpt")
    assert "Not loaded: 1 tensor (criterion.weight) outside the network" in record.note


def test_no_prefix_of_a_network_is_mistaken_for_a_wrapper() -> None:
    for row in REGISTRY.values():
        if row.library is not None and not is_installed(row.library):
            continue
        for kind in row.builders:
            with torch.device("meta"):
                ours = row.build(kind, 3).state_dict()
            published = row.official_names(ours).values() if row.official_names else ()
            for names in (ours, published):
                state = dict.fromkeys(names, torch.ones(1))
                assert list(unwrapped(state).tensors) == list(state), row.name


def test_weights_under_a_user_defined_key(tmp_path: Path) -> None:
    torch.save({"params": weights_of(1), "epoch": 3}, tmp_path / "a.pth")
    checkpoint = read_checkpoint(tmp_path / "a.pth")
    assert checkpoint.tensors["linear.weight"].item() == 1
    assert "under 'params'" in checkpoint.note
    torch.save({"params": weights_of(1), "params_ema": weights_of(2)}, tmp_path / "b.pth")
    given = refused(tmp_path / "b.pth").split("'")[-2]
    assert read_checkpoint(Path(given)).tensors["linear.weight"].item() == 2


def test_a_pickled_model_is_read_without_its_code(tmp_path: Path) -> None:
    saved = network("tiny", ADE20K)
    for content in (saved, {"model": saved, "epoch": 3}):
        torch.save(content, tmp_path / "a.pth")
        loaded = network("tiny", ADE20K)
        load_weights(loaded, TINY, ADE20K, tmp_path / "a.pth")
        assert_equal(loaded, saved)


def test_bare_state_dict_and_module_prefix(tmp_path: Path) -> None:
    torch.save(
        {"module.smb1.w": torch.ones(1), "module.linear.w": torch.ones(1)}, tmp_path / "a.pt"
    )
    assert list(read_checkpoint(tmp_path / "a.pt").tensors) == ["smb1.w", "linear.w"]
    torch.save({"module.smb1.w": torch.ones(1), "linear.w": torch.ones(1)}, tmp_path / "b.pt")
    assert list(read_checkpoint(tmp_path / "b.pt").tensors) == ["module.smb1.w", "linear.w"]


class Settings(dict[str, object]):
    """A configuration, like mmengine's ConfigDict and Lightning's AttributeDict."""


class Log:
    """Like mmengine's HistoryBuffer: an array with its own methods."""

    def __init__(self) -> None:
        self.values, self.methods = np.zeros(3), {"mean": Log.mean}

    def mean(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_other_objects_of_trainers_are_skipped(tmp_path: Path, zipped: bool, protocol: int) -> None:
    content = {
        "message_hub": {"log_scalars": {"loss": Log()}, "runtime_info": Settings(iter=1)},
        "param_schedulers": [defaultdict(list, {"lr": [0.1]}), deque([1, 2], 3)],
        "work_dir": {Path("/runs"): {Path("a"), Path("b")}},
        "time": datetime.now(UTC),
        "head": nn.Linear(2, 2),
        "rare": torch.ones(2, dtype=torch.uint16),
        "args": argparse.Namespace(model="SeaFormer_T", lr=0.064),
        "metric": np.float64(68.1),
        "meta": {"PALETTE": np.zeros((150, 3), np.uint8), "CLASSES": ["wall", "sky"]},
        "state_dict": {"linear.weight": torch.ones(2)},
    }
    path = tmp_path / "a.pth"
    torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    checkpoint = read_checkpoint(path)
    assert checkpoint.class_names == ("wall", "sky")
    assert checkpoint.tensors["linear.weight"].tolist() == [1, 1]


def test_names_of_numpy_before_version_2_are_supported(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    content = {"score": np.float64(36.5), "palette": np.zeros(3), "model": {"w": torch.ones(2)}}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    new = path.read_bytes()
    old = new.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    assert len(new) - len(old) == 2
    path.write_bytes(old)
    assert read_checkpoint(path).tensors["w"].tolist() == [1, 1]


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(tmp_path: Path, kind: torch.dtype) -> None:
    state = {
        "conv.weight": torch.tensor([0.5, -2.0], dtype=kind),
        "bn.num_batches_tracked": torch.tensor(5),
    }
    torch.save(state, tmp_path / "a.pth")
    tensors = read_checkpoint(tmp_path / "a.pth").tensors
    assert tensors["conv.weight"].dtype == torch.float32
    assert tensors["conv.weight"].tolist() == [0.5, -2.0]
    assert tensors["bn.num_batches_tracked"].dtype == torch.int64


@pytest.mark.parametrize("classes", [None, "wall sky", ["wall", 3], [], {"wall": 1}])
def test_class_names_that_are_not_a_list_of_text_are_ignored(
    tmp_path: Path, classes: object
) -> None:
    path = mmcv_file(tmp_path / "a.pth", {"w": torch.ones(1)}, classes)
    assert read_checkpoint(path).class_names is None


# Refused files


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_runs_a_command_is_refused_without_running_it(
    tmp_path: Path, zipped: bool
) -> None:
    mark, path = tmp_path / "mark", tmp_path / "evil.pth"
    content = {"state_dict": {"w": torch.ones(1)}, "meta": Payload(f"touch {mark}")}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    message = refused(path)
    assert not mark.exists()
    assert f"'{os.system.__module__}.system'" in message
    assert "which runs programs" in message
    assert "torch.load" not in message  # it does not help with such a file
    # Without protection, the file does run the command.
    torch.load(path, weights_only=False)
    assert mark.exists()


class CallsEval:
    """Evaluates an expression when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("1 + 1",)


def test_a_pickle_that_evaluates_an_expression_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.ones(1)}, "extra": CallsEval()}, tmp_path / "a.pth")
    assert "refers to 'builtins.eval'" in refused(tmp_path / "a.pth")


def test_torchscript_is_refused_with_working_advice(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), str(path))
    advice = refused(path).split(": ")[-1].removesuffix(".").replace("'w.pth'", "new")
    exec(advice, {"torch": torch, "new": tmp_path / "w.pth"})
    assert sorted(read_checkpoint(tmp_path / "w.pth").tensors) == ["bias", "weight"]


def test_arrays_are_not_weights(tmp_path: Path) -> None:
    torch.save({"conv.weight": np.ones(3)}, tmp_path / "a.pth")
    assert "called 'conv.weight' rather than only tensors" in refused(tmp_path / "a.pth")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "there is no file" in refused(tmp_path / "none.pth")
    assert "is a folder" in refused(tmp_path)


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"hello", "is damaged, incomplete or not a"),
        (b"<!DOCTYPE html><html></html>", "is damaged, incomplete or not a"),
        (b"PK\x03\x04" + b"\0" * 100, "is damaged, incomplete or not a"),
        (b"\x80\x02}q\x00.", None),
        (os.urandom(5000), "is damaged, incomplete or not a"),
    ],
    ids=["empty", "text", "page", "zip", "pickle", "noise"],
)
def test_other_files_are_refused(
    tmp_path: Path, name: str, content: bytes, reason: str | None
) -> None:
    (tmp_path / name).write_bytes(content)
    assert (reason or "") in refused(tmp_path / name)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_truncated_files_are_refused(
    tmp_path: Path, tiny_state: dict[str, Tensor], kind: str, share: float
) -> None:
    path = tmp_path / ("a.safetensors" if kind == "safetensors" else "a.pth")
    if kind == "safetensors":
        save_weights(network("tiny", ADE20K), path, network=TINY.name, task_json=ADE20K.to_json())
    else:
        torch.save(tiny_state, path, _use_new_zipfile_serialization=kind == "zip")
    os.truncate(path, int(path.stat().st_size * share))
    assert "is damaged, incomplete or not a" in refused(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([torch.ones(1)], "contains a list rather than"),
        (torch.ones(1), "contains a Tensor rather than"),
        ({}, "contains no tensors"),
        ({"state_dict": {}}, "contains no tensors"),
        ({"state_dict": [1]}, "contains a list called 'state_dict' rather than"),
        ({"state_dict": {"w": 3}}, "contains a int called 'w'"),
        ({"epoch": 3}, "contains a int called 'epoch'"),
        ({3: torch.ones(2)}, "contains a Tensor called 3"),
        ({"w": torch.ones(2, dtype=torch.int8)}, "1 tensor (w) of a type"),
        ({"w": torch.eye(2).to_sparse()}, "torch.sparse_coo"),
        ({"w": torch.ones(2, device="meta")}, "on meta"),
        ({"a": torch.ones(2), "w": torch.tensor([1, float("nan")])}, "infinity in 1 tensor (w)"),
        ({f"w{i}": torch.tensor(float("inf")) for i in range(9)}, "9 tensors (w0, w1, w2, w3, w4"),
    ],
)
def test_contents_that_are_not_weights_are_refused(
    tmp_path: Path, content: object, reason: str
) -> None:
    torch.save(content, tmp_path / "a.pth")
    assert reason in refused(tmp_path / "a.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_pipe_is_refused_without_waiting(tmp_path: Path, suffix: str) -> None:
    os.mkfifo(tmp_path / f"a{suffix}")
    assert "is not a regular file" in refused(tmp_path / f"a{suffix}")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ('{"format_version": 2}', "has format version 2, but this version of seaformer reads 1"),
        ("{}", "has a damaged header"),
        ("[1", "has a damaged header"),
        ('{"format_version": 1, "variant": ["tiny"]}', "has a damaged header"),
        ('{"format_version": 1, "model": ["topformer-tiny"]}', "has a damaged header"),
        ("[1]", "has a damaged header"),
    ],
)
def test_bad_headers_are_refused(tmp_path: Path, header: str, reason: str) -> None:
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"w": torch.ones(1)}, path, {"seaformer": header})
    assert reason in refused(path)


# Loading into a network


def test_the_record_of_a_checkpoint(tiny_file: Path) -> None:
    record = load_weights(network("tiny", ADE20K), TINY, ADE20K, str(tiny_file))
    digest = read_checkpoint(tiny_file).sha256
    expected = WeightsRecord("tiny.pth", str(tiny_file), digest, False, ADE20K.labels, "")
    assert record == expected


@pytest.mark.parametrize("weights", [None, "random"])
def test_random_weights_are_reported(weights: str | None) -> None:
    model, again = network("tiny", ADE20K), network("tiny", ADE20K)
    record = load_weights(model, TINY, ADE20K, weights)
    assert record == WeightsRecord("random", "seed 0", None, True, None, "")
    fill_random(again, seed=0)
    assert_equal(model, again)


def assert_equal(model: nn.Module, other: nn.Module, prefixes: tuple[str, ...] = ("",)) -> None:
    """Compare the weights of two networks, or of their modules with these prefixes."""
    state = model.state_dict()
    keys = [key for key in other.state_dict() if key.startswith(prefixes)]
    assert keys
    for key in keys:
        assert torch.equal(state[key], other.state_dict()[key]), key


@pytest.mark.parametrize(
    "variant",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in ("base", "large")))
        for name in VARIANTS
    ],
)
def test_checkpoints_of_all_variants_and_kinds_are_loaded(tmp_path: Path, variant: str) -> None:
    for name in ("cityscapes", "imagenet"):
        task = get_task(name)
        source, model = network(variant, task), network(variant, task)
        fill_random(source, seed=3)
        state = to_official(source.state_dict(), get_variant(variant))
        torch.save({"state_dict": state}, tmp_path / "a.pth")
        load_weights(model, as_network(variant), task, tmp_path / "a.pth")
        assert_equal(model, source)


@pytest.mark.parametrize("requested", ["small", "base", "large"])
def test_checkpoint_of_another_variant_is_recognized(tiny_file: Path, requested: str) -> None:
    message = misfit(tiny_file, requested)
    assert "contains SeaFormer-Tiny for segmentation with 150 classes" in message
    assert f"not SeaFormer-{requested.capitalize()}" in message
    assert message.endswith("Use --variant tiny.")


def test_own_file_of_another_variant_is_recognized(tmp_path: Path) -> None:
    task = get_task("cityscapes")
    path = tmp_path / "a.safetensors"
    save_weights(network("base", task), path, network="seaformer-base", task_json=task.to_json())
    message = misfit(path)
    assert "contains SeaFormer-Base for segmentation with 19 classes" in message
    assert message.endswith("Use --variant base --task cityscapes.")


def test_other_class_count_is_recognized(tmp_path: Path) -> None:
    torch.save(official_state("tiny", True, 19), tmp_path / "a.pth")
    message = misfit(tmp_path / "a.pth")
    assert "with 19 classes, not SeaFormer-Tiny for segmentation with 150 classes" in message
    assert message.endswith("Use --task cityscapes.")
    torch.save(official_state("tiny", True, 7), tmp_path / "a.pth")
    assert misfit(tmp_path / "a.pth").endswith("(a file with one per line, or A,B,...).")


def test_counters_may_be_missing_when_recognizing(
    tmp_path: Path, tiny_state: dict[str, Tensor]
) -> None:
    torch.save(without(tiny_state, "num_batches_tracked"), tmp_path / "a.pth")
    assert "Use --variant tiny." in misfit(tmp_path / "a.pth", "small")


def test_classifier_for_segmentation_and_the_reverse(
    tmp_path: Path, tiny_file: Path, tiny_classifier_state: dict[str, Tensor]
) -> None:
    path = tmp_path / "a.pth"
    torch.save({"state_dict": tiny_classifier_state}, path)
    message = misfit(path)
    assert "contains SeaFormer-Tiny for classification with 1000 classes" in message
    assert f"Use --task imagenet. Or load only its backbone: --weights backbone:{path}." in message
    message = misfit(tiny_file, task=IMAGENET)
    assert (
        f"Use --task ade20k. Or load only its backbone: --weights backbone:{tiny_file}" in message
    )


def test_backbone_of_another_variant_is_offered_with_its_variant(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save(official_state("small", False, 1000), path)
    assert misfit(path).endswith(
        "Use --variant small --task imagenet. "
        f"Or load only its backbone: --variant small --weights backbone:{path}."
    )


def test_other_architecture_is_recognized(tmp_path: Path) -> None:
    topformer = {
        "backbone.tpm.stem.0.c.weight": torch.ones(16, 3, 3, 3),
        "backbone.trans.transformer_blocks.0.attn.to_q.c.weight": torch.ones(64, 256, 1, 1),
        "backbone.SIM.1.local_embedding.conv.weight": torch.ones(128, 64, 1, 1),
        "decode_head.conv_seg.weight": torch.ones(150, 128, 1, 1),
        "decode_head.conv_seg.bias": torch.ones(150),
        "decode_head.linear_fuse.conv.weight": torch.ones(128, 1, 1, 1),
    }
    message = misfit(mmcv_file(tmp_path / "topformer.pth", topformer))
    assert "does not contain a SeaFormer but 6 tensors (backbone.tpm.stem.0.c.weight" in message
    assert "Give a checkpoint of SeaFormer-Tiny for segmentation with 150 classes" in message


def without(state: dict[str, Tensor], ending: str) -> dict[str, Tensor]:
    """Remove the tensors whose name has this suffix."""
    return {name: tensor for name, tensor in state.items() if not name.endswith(ending)}


def test_missing_unexpected_and_misshapen_tensors_are_listed(
    tmp_path: Path, tiny_state: dict[str, Tensor]
) -> None:
    state = without(tiny_state, "conv_seg.bias")
    state |= {f"decode_head.extra{index}.weight": torch.ones(1) for index in range(9)}
    state["decode_head.linear_fuse.bn.weight"] = torch.ones(97)
    torch.save(state, tmp_path / "a.pth")
    message = misfit(tmp_path / "a.pth")
    assert "does not fit SeaFormer-Tiny" in message
    assert "1 missing tensor (decode_head.conv_seg.bias);" in message
    assert "9 unexpected tensors (decode_head.extra0.weight, " in message
    assert "extra7.weight, ...);" in message
    assert "1 misshapen tensor (decode_head.linear_fuse.bn.weight [97] instead of [96])" in message


def test_counters_may_be_missing(tmp_path: Path, tiny_state: dict[str, Tensor]) -> None:
    model, whole = network("tiny", ADE20K), network("tiny", ADE20K)
    torch.save(without(tiny_state, "num_batches_tracked"), tmp_path / "a.pth")
    load_weights(model, TINY, ADE20K, tmp_path / "a.pth")
    torch.save(tiny_state, tmp_path / "b.pth")
    load_weights(whole, TINY, ADE20K, tmp_path / "b.pth")
    image = torch.from_numpy(recipe.image(64, 64))
    assert torch.equal(model(image), whole(image))


def test_class_names_of_another_task(tmp_path: Path, tiny_state: dict[str, Tensor]) -> None:
    path = mmcv_file(tmp_path / "a.pth", tiny_state, ADE20K.labels[:149])
    note = load_weights(network("tiny", ADE20K), TINY, ADE20K, path).note
    assert "names 149 classes but has weights for 150" in note
    names = [f" {label.upper()}" for label in ADE20K.labels]
    mmcv_file(path, tiny_state, names)
    assert load_weights(network("tiny", ADE20K), TINY, ADE20K, path).note == ""
    names[3] = "carpet"
    # In the format of mmengine.
    torch.save({"state_dict": tiny_state, "meta": {"dataset_meta": {"classes": names}}}, path)
    record = load_weights(network("tiny", ADE20K), TINY, ADE20K, path)
    assert record.class_names == tuple(names)
    assert "1 of 150 class names" in record.note
    assert "class 3: 'carpet' in the file, 'floor' in the task" in record.note


@pytest.mark.parametrize("kind", ["classifier", "segmentation", "own"])
def test_backbone_alone(
    tmp_path: Path,
    tiny_state: dict[str, Tensor],
    tiny_classifier_state: dict[str, Tensor],
    kind: str,
) -> None:
    # With the number of classes of the file or another: the head is ignored.
    task = get_task("cityscapes")
    path = tmp_path / ("a.safetensors" if kind == "own" else "a.pth")
    source = network("tiny", IMAGENET if kind == "classifier" else ADE20K)
    if kind == "own":
        fill_random(source, seed=5)
        save_weights(source, path, network=TINY.name, task_json=ADE20K.to_json())
    elif kind == "classifier":
        torch.save({"state_dict": tiny_classifier_state}, path)
        load_weights(source, TINY, IMAGENET, path)
    else:
        mmcv_file(path, tiny_state, ADE20K.labels)
        load_weights(source, TINY, ADE20K, path)
    model, random = network("tiny", task), network("tiny", task)
    record = load_weights(model, TINY, task, f"backbone:{path}")
    fill_random(random)
    assert_equal(model, source, ("stem.", "context_branch."))
    assert_equal(model, random, ("spatial_branch.", "light_head."))
    assert record.is_random
    assert record.class_names is None
    assert record.name == f"backbone:{path.name}"
    assert "(seed 0)" in record.note


def test_backbone_of_a_segmentation_checkpoint_in_a_classifier(tiny_file: Path) -> None:
    model, source = network("tiny", IMAGENET), network("tiny", ADE20K)
    assert load_weights(model, TINY, IMAGENET, f"backbone:{tiny_file}").is_random
    load_weights(source, TINY, ADE20K, tiny_file)
    assert_equal(model, source, ("stem.", "context_branch."))


def test_backbone_that_does_not_fit(
    tmp_path: Path, tiny_file: Path, tiny_classifier_state: dict[str, Tensor]
) -> None:
    assert misfit(f"backbone:{tiny_file}", "small").endswith("Use --variant tiny.")
    path = tmp_path / "a.pth"
    torch.save(without(tiny_classifier_state, "stem_block.0.c.weight"), path)
    message = misfit(f"backbone:{path}")
    assert "does not fit the backbone of SeaFormer-Tiny" in message
    assert "1 missing tensor (smb1.stem_block.0.c.weight)" in message
    assert "unknown weights ''. Valid: " in misfit("backbone:")


def test_weights_that_are_neither_a_name_nor_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for weights in ("ade20", "Random", ""):
        with pytest.raises(UnknownNameError) as caught:
            load_weights(network("tiny", ADE20K), TINY, ADE20K, weights)
        for part in ("Valid: ade20k, ade20k-batch16, imagenet-backbone", "--weights PATH"):
            assert part in str(caught.value)
    for weights in ("none.pth", "none.PTH", "none.pth.tar", "models/none", "./ade20k"):
        assert "there is no file" in misfit(weights)


def test_file_without_suffix_in_this_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_file: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_bytes(tiny_file.read_bytes())
    assert load_weights(network("tiny", ADE20K), TINY, ADE20K, "mine").source == "mine"


# Random weights


def test_random_weights_are_reproducible() -> None:
    model = network("tiny", ADE20K)
    fill_random(model)
    state = model.state_dict()
    pinned = {
        "stem.conv.conv.weight": [0.256103515625, -0.0125274658203125, 0.11688232421875],
        "stem.conv.norm.running_var": [3.99999, 0.24999, 0.99999],
        "light_head.classifier.bias": [0.078125, -0.0625, 0.09375],
    }
    for name, values in pinned.items():
        assert state[name].flatten()[:3].tolist() == pytest.approx(values, rel=1e-6), name


def test_seeds_give_different_weights() -> None:
    model, other = network("tiny", ADE20K), network("tiny", ADE20K)
    fill_random(model, seed=0)
    fill_random(other, seed=1)
    for key, tensor in model.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            assert not torch.equal(tensor, other.state_dict()[key]), key


def test_no_norm_is_an_identity() -> None:
    model = network("tiny", ADE20K)
    fill_random(model)
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            for kind in ("weight", "bias", "running_mean", "running_var"):
                assert getattr(module, kind).std() > 0.03, f"{name}.{kind}"
            assert module.running_var is not None
            assert module.running_var.min() >= 0.249


def test_random_weights_do_not_underflow_in_half_precision() -> None:
    model = network("tiny", ADE20K)
    fill_random(model)
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            sixth = name.endswith((".local_embedding.conv", ".pointwise.conv"))
            stored = module.weight / 6 if sixth else module.weight
            # Half precision has steps of 6e-8 near zero.
            assert torch.allclose(stored.half().float(), stored, rtol=0, atol=6e-8), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_random_weights_give_reasonable_logits(variant: str) -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, 256, 256, generator=generator)
    for task in (ADE20K, IMAGENET):
        model = network(variant, task)
        fill_random(model)
        with torch.no_grad():
            logits = model(image)
        assert logits.isfinite().all()
        assert 0.5 < logits.std() < 50
        if task.is_segmentation:
            classes = torch.bincount(logits.argmax(1).flatten())
            assert classes.max() < 0.9 * classes.sum()
            assert (classes > 0).sum() >= 5


# Saving


@pytest.mark.parametrize("task", [ADE20K, IMAGENET], ids=lambda task: task.name)
def test_saved_weights_can_be_loaded(tmp_path: Path, task: Task) -> None:
    path = tmp_path / "a.safetensors"
    source, model = network("small", task), network("small", task)
    fill_random(source, seed=2)
    small = as_network("small")
    save_weights(source, path, network=small.name, task_json=task.to_json(), extra={"score": 36.5})
    record = load_weights(model, small, task, path)
    assert_equal(model, source)
    assert record.class_names == task.labels
    assert record.note == ""
    metadata = read_checkpoint(path).metadata
    assert metadata["variant"] == "small"
    assert metadata["extra"] == {"score": 36.5}
    assert Task.from_json(metadata["task"]) == task


def test_saved_weights_record_the_task_of_a_model(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    save_weights(
        create_model("tiny", "shapes"), path, network=TINY.name, task_json=SHAPES.to_json()
    )
    for weights in (path, str(path)):
        assert create_model("tiny", weights=weights).light_head.classifier.out_channels == 12
    assert create_model("tiny").light_head.classifier.out_channels == 150


def test_half_precision_is_half_the_size(tmp_path: Path) -> None:
    source, model = network("tiny", ADE20K), network("tiny", ADE20K)
    fill_random(source)
    sizes = []
    for half in (False, True):
        path = tmp_path / f"{half}.safetensors"
        save_weights(source, path, network=TINY.name, task_json=ADE20K.to_json(), half=half)
        sizes.append(path.stat().st_size)
    assert 0.5 < sizes[1] / sizes[0] < 0.52
    load_weights(model, TINY, ADE20K, tmp_path / "True.safetensors")
    for key, tensor in source.state_dict().items():
        assert model.state_dict()[key].dtype == tensor.dtype
        assert torch.allclose(model.state_dict()[key], tensor, rtol=2**-10, atol=1e-7), key


def test_equal_weights_give_equal_files(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from seaformer.models.seaformer.network import SeaFormer\n"
        "from seaformer.models.seaformer.variants import get_variant\n"
        "from seaformer.tasks import get_task\n"
        "from seaformer.weights.random_weights import fill_random\n"
        "from seaformer.weights.saving import save_weights\n"
        "variant, task = get_variant('tiny'), get_task('cityscapes')\n"
        "model = SeaFormer(variant, 19); fill_random(model)\n"
        "path, name = Path(sys.argv[1]), 'seaformer-tiny'\n"
        "save_weights(model, path, network=name, task_json=task.to_json())\n"
    )
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path in paths:
        subprocess.run([sys.executable, "-c", code, path], check=True)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_weights_that_cannot_be_saved(tmp_path: Path) -> None:
    model = network("tiny", ADE20K)
    path = tmp_path / "a.safetensors"

    def failure(half: bool) -> str:
        with pytest.raises(SeaformerError) as caught:
            save_weights(model, path, network=TINY.name, task_json=ADE20K.to_json(), half=half)
        assert list(tmp_path.iterdir()) == []
        return str(caught.value)

    with torch.no_grad():
        model.get_parameter("stem.conv.norm.weight")[0] = 1e5
    message = failure(half=True)
    assert "as float16: 1 tensor (stem.conv.norm.weight)" in message
    assert "without half" in message
    with torch.no_grad():
        model.get_parameter("stem.conv.norm.weight")[0] = float("nan")
    assert "as float32: 1 tensor (stem.conv.norm.weight)" in failure(half=False)


def test_only_safetensors_are_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a\.pth'. Allowed: a path ending in \.safetensors"):
        save_weights(
            network("tiny", ADE20K),
            tmp_path / "a.pth",
            network=TINY.name,
            task_json=ADE20K.to_json(),
        )
