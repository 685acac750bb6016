"""Reading .pdparams, in the structure that paddle.save writes."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from refused_checkpoints import refused

from seaformer.weights.checkpoint import read_checkpoint


def pdparams(path: Path, content: Any, protocol: int = 4) -> Path:
    """Write a file as paddle.save does; of a state_dict, with the table of internal names."""
    if isinstance(content, dict):
        names = {name: f"conv2d_{number}.w_0" for number, name in enumerate(content)}
        content = {**content, "StructuredToParameterName@@": names}
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("module", [b"numpy._core.multiarray", b"numpy.core.multiarray"])
def test_arrays_of_every_layout_are_read(tmp_path: Path, module: bytes, protocol: int) -> None:
    random = np.random.default_rng(0)
    arrays = {
        "conv.weight": random.standard_normal((3, 2, 1, 5)).astype(np.float32),
        "conv.transposed": np.asfortranarray(random.standard_normal((3, 4))),
        "conv.half": random.standard_normal(7).astype(np.float16),
        "conv.swapped": random.standard_normal(3).astype(">f4"),
        "bn._mean": np.array(0.5, np.float32),
    }
    path = pdparams(tmp_path / "model.pdparams", arrays, protocol)
    if protocol == 3:  # names have no lengths
        path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray", module))
    tensors = read_checkpoint(path).tensors
    assert list(tensors) == list(arrays)
    for name, array in arrays.items():
        assert tensors[name].shape == array.shape
        assert tensors[name].dtype == torch.float32
        np.testing.assert_array_equal(tensors[name].numpy(), array.astype(np.float32))


def test_pairs_of_names_and_arrays_are_read(tmp_path: Path) -> None:
    path = pdparams(tmp_path / "model.pdparams", {"w": ("conv2d_0.w_0", np.ones(2, np.float32))})
    assert read_checkpoint(path).tensors["w"].tolist() == [1, 1]


class Calls:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_pickle_that_runs_a_command_is_refused_without_running_it(
    tmp_path: Path, protocol: int
) -> None:
    mark, path = tmp_path / "mark", tmp_path / "evil.pdparams"
    pdparams(path, {"w": Calls(os.system, f"touch {mark}")}, protocol)
    message = refused(path)
    assert f"'{os.system.__module__}.system'" in message
    assert "Nothing was run" in message
    assert not mark.exists()
    pickle.loads(path.read_bytes())  # Without protection, it does run.
    assert mark.exists()


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        (Calls(eval, "1 + 1"), "refers to 'builtins.eval'"),
        (Calls(np.load, "/etc/passwd"), "refers to 'numpy.load'"),
        (Calls(getattr, "a", "upper"), "refers to 'builtins.getattr'"),
        (np.array([Calls(eval, "1 + 1")], dtype=object), "the type of an array is 'O8'"),
        (np.array([3], dtype=object), "the type of an array is 'O8'"),
        (np.array(["a"]), "the type of an array is 'U1'"),
        (np.dtype("V2000000000"), "the type of an array is 'V2000000000'"),
    ],
)
def test_other_pickles_are_refused(tmp_path: Path, hostile: Any, reason: str) -> None:
    assert reason in refused(pdparams(tmp_path / "a.pdparams", {"w": hostile}))


def test_a_pickle_cannot_allocate_more_than_it_contains(tmp_path: Path) -> None:
    whole = pickle.dumps({"w": np.ones(8, np.float32)}, 3)
    path = tmp_path / "a.pdparams"
    shape, larger = (pickle.dumps(side, 3)[2:-1] + pickle.TUPLE1 for side in (8, 10**11))
    assert whole.count(shape) == 1
    path.write_bytes(whole.replace(shape, larger))
    assert "cannot reshape" in refused(path)
    allocation = pdparams(path, {"w": Calls(np.ndarray, (10**11,))})
    assert "rather than only tensors" in refused(allocation)


def test_changed_classes_of_the_reader_do_not_last(tmp_path: Path) -> None:
    """A pickle may set attributes, also of the classes that it gets."""
    for name in (b"numpy\ndtype", b"numpy\nndarray", b"numpy._core.multiarray\n_reconstruct"):
        path = tmp_path / "a.pdparams"
        path.write_bytes(b"\x80\x02c" + name + b"\n}X\x07\x00\x00\x00ALLOWEDNsb.")
        assert "is damaged" in refused(path)
    path = pdparams(path, {"w": np.ones(2, np.float32)})
    assert read_checkpoint(path).tensors["w"].tolist() == [1, 1]


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_truncated_files_are_refused(tmp_path: Path, share: float) -> None:
    path = pdparams(tmp_path / "a.pdparams", {"w": np.ones(1000, np.float32)})
    os.truncate(path, int(path.stat().st_size * share))
    assert "is damaged, incomplete or not a file of paddle.save" in refused(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([np.ones(1)], "contains a list rather than"),
        ({}, "contains no tensors"),
        ({"w": np.array([np.nan], np.float32)}, "has NaN or infinity in 1 tensor (w)"),
        ({"w": 3}, "contains a int called 'w'"),
    ],
)
def test_files_without_weights_are_refused(tmp_path: Path, content: Any, reason: str) -> None:
    assert reason in refused(pdparams(tmp_path / "a.pdparams", content))
