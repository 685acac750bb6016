"""Each runtime runs real files, reads their metadata, and reports a clear error for others."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from locations import ROOT
from onnx import TensorProto, helper
from sampling import sampled
from small_models import SIDE, associate, metadata, tflite, write_onnx

from seaformer.artifact.metadata import Metadata, Scale, parse_metadata
from seaformer.benchmark.candidates.candidate import open_candidate
from seaformer.errors import SeaformerError, UsageError
from seaformer.models.create import create_model
from seaformer.runtimes import RUNTIMES, open_model, open_session
from seaformer.runtimes.session import Tensor
from seaformer.runtimes.tflite_flatbuffer import pack, parse
from seaformer.tasks import get_task
from seaformer.weights.saving import save_weights

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.uniform(0, 255, (SIDE, SIDE, 3)).astype(np.float32)
AVERAGES = IMAGE.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3))

NCHW, NHWC = IMAGE.transpose(2, 0, 1)[None].copy(), IMAGE[None]


@pytest.fixture(scope="module")
def tflite_file() -> bytes:
    return tflite()


@pytest.fixture(scope="module")
def any_size_tflite_file() -> bytes:
    return tflite(any_size=True)


@pytest.fixture(scope="module")
def quantized_tflite_file() -> bytes:
    return tflite(quantized=True)


def parsed(info: dict[str, Any]) -> Metadata:
    return parse_metadata(json.dumps(info), "a test")


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return our own .safetensors of SeaFormer-Tiny with random weights."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    task = get_task("cityscapes")
    model = create_model("tiny", "cityscapes", "random")
    save_weights(model, path, network="seaformer-tiny", task_json=task.to_json())
    return path


@pytest.mark.parametrize("threads", [1, 2])
def test_onnx_runs(tmp_path: Path, threads: int) -> None:
    info = metadata()
    with open_model(write_onnx(tmp_path / "a.onnx", info), threads) as session:
        assert (session.layout, session.input_shape) == ("NCHW", (SIDE, SIDE))
        assert session.metadata == parsed(info)
        output = session.run(NCHW)
    assert output.dtype == np.float32
    assert np.allclose(output[0].transpose(1, 2, 0), AVERAGES, atol=1e-3)


def test_onnx_in_half_precision_runs(tmp_path: Path) -> None:
    with open_model(write_onnx(tmp_path / "a.onnx", dtype=TensorProto.FLOAT16)) as session:
        output = session.run(NCHW)
    assert output.dtype == np.float32
    assert np.allclose(output[0].transpose(1, 2, 0), AVERAGES, atol=0.5)


def write_integer_onnx(
    path: Path, dtype: type[np.integer[Any]], scale: float | None = None, zero_point: int = 0
) -> Path:
    """Write a model of integers [1, 3, 64, 64] -> averages of 8 x 8 values.

    Input and output have the same type, scale and zero point; without a scale, they are not
    quantized.
    """
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    pool = {"kernel_shape": [8, 8], "strides": [8, 8]}
    steps: list[np.ndarray] = []
    if scale is None:
        nodes = [
            helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("AveragePool", ["real"], ["averages"], **pool),
            helper.make_node("Cast", ["averages"], ["logits"], to=kind),
        ]
    else:
        steps = [np.array(scale, np.float32), np.array(zero_point, dtype)]
        nodes = [
            helper.make_node("DequantizeLinear", ["image", "scale", "zero_point"], ["real"]),
            helper.make_node("AveragePool", ["real"], ["averages"], **pool),
            helper.make_node("QuantizeLinear", ["averages", "scale", "zero_point"], ["logits"]),
        ]
    graph = helper.make_graph(
        nodes,
        "averages",
        [helper.make_tensor_value_info("image", kind, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", kind, None)],
        [
            onnx.numpy_helper.from_array(array, name)
            for name, array in zip(("scale", "zero_point"), steps, strict=False)
        ],
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"),
    [(np.uint8, 1.0, 0), (np.uint8, 1.5, 20), (np.int8, 1.0, -128)],
)
def test_quantized_onnx_has_float_inputs_and_outputs(
    tmp_path: Path, dtype: type[np.integer[Any]], scale: float, zero_point: int
) -> None:
    path = write_integer_onnx(tmp_path / "a.onnx", dtype, scale, zero_point)
    with open_model(path) as session:
        expected = np.dtype(dtype).name, Scale(scale=scale, zero_point=zero_point)
        ends = (*session.session.inputs, *session.session.outputs)
        assert [(tensor.dtype, tensor.integers) for tensor in ends] == [expected, expected]
        output = session.run(NCHW)
    assert output.dtype == np.float32
    assert np.abs(output[0].transpose(1, 2, 0) - AVERAGES).max() <= 1.01 * scale


def test_onnx_integers_without_a_scale_are_unchanged(tmp_path: Path) -> None:
    with open_model(write_integer_onnx(tmp_path / "a.onnx", np.uint8)) as session:
        output = session.run(NCHW)
    assert output.dtype == np.uint8
    assert np.abs(output[0].transpose(1, 2, 0) - AVERAGES).max() <= 1.51  # Cast truncates


def test_integers_saturate() -> None:
    tensor = Tensor("a", "int8", (7,), Scale(scale=0.5, zero_point=10))
    x = np.array([-1e9, -69.0, 0.0, 0.24, 0.26, 58.5, 1e9], np.float32)
    assert tensor.encode(x).tolist() == [-128, -128, 10, 10, 11, 127, 127]
    assert tensor.decode(np.array([-128, 10, 127], np.int8)).tolist() == [-69.0, 0.0, 58.5]


@pytest.mark.parametrize("threads", [1, 2])
def test_tflite_runs(tmp_path: Path, tflite_file: bytes, threads: int) -> None:
    info = metadata("NHWC")
    path = associate(written(tmp_path / "a.tflite", tflite_file), info)
    with open_model(path, threads) as session:
        assert (session.layout, session.input_shape) == ("NHWC", (SIDE, SIDE))
        assert session.metadata == parsed(info)
        output = session.run(NHWC)
    assert np.allclose(output[0], AVERAGES, atol=1e-3)


def test_quantized_tflite_has_float_inputs_and_outputs(
    tmp_path: Path, quantized_tflite_file: bytes
) -> None:
    with open_model(written(tmp_path / "a.tflite", quantized_tflite_file)) as session:
        for tensor in (*session.session.inputs, *session.session.outputs):
            assert tensor.integers is not None
            assert tensor.dtype == "int8"
        output = session.run(NHWC)
    assert output.dtype == np.float32
    assert np.abs(output[0] - AVERAGES).max() <= 1.01  # a step of 255 / 255 in input and output


def test_checkpoint_runs(checkpoint: Path) -> None:
    x = RANDOM.standard_normal((1, 3, 64, 128)).astype(np.float32)
    network = create_model("tiny", "cityscapes", checkpoint)
    with torch.inference_mode():
        expected = network(torch.from_numpy(x)).numpy()
    with open_model(checkpoint, input_size=(64, 128)) as session:
        assert (session.layout, session.input_shape) == ("NCHW", (64, 128))
        assert session.metadata is not None
        assert session.metadata.variant == "tiny"
        assert session.metadata.input.normalization == "outside"
        output = session.run(x)
    assert output.shape == (1, 19, 8, 16)
    assert np.allclose(output, expected, rtol=1e-4, atol=1e-4)


def test_a_checkpoint_has_the_input_size_of_its_task(checkpoint: Path) -> None:
    with open_model(checkpoint) as session:
        assert session.input_shape == (512, 1024)


def test_a_foreign_checkpoint_needs_only_its_task(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "tiny.pth"
    torch.save(create_model("tiny", "cityscapes", checkpoint).state_dict(), path)
    with pytest.raises(UsageError, match=r"tiny\.pth' does not record its task\. Give --task"):
        open_model(path)
    with open_model(path, task="cityscapes") as session:
        assert session.metadata is not None
        assert (session.metadata.variant, session.metadata.task) == ("tiny", "cityscapes")


def test_a_checkpoint_of_another_task_is_refused(checkpoint: Path) -> None:
    with pytest.raises(UsageError, match="--task ade20k does not fit"):
        open_model(checkpoint, task="ade20k")


@pytest.mark.parametrize("beside", ["a.tflite.json", "a.json"])
def test_metadata_may_be_next_to_the_file(tmp_path: Path, tflite_file: bytes, beside: str) -> None:
    path = written(tmp_path / "a.tflite", tflite_file)
    with open_model(path) as session:
        assert session.metadata is None
    (tmp_path / beside).write_text('{"someone": "else"}')
    with open_model(path) as session:
        assert session.metadata is None
    (tmp_path / beside).write_text(json.dumps(metadata("NHWC")))
    with open_model(path) as session:
        assert session.metadata == parsed(metadata("NHWC"))


def test_embedded_metadata_has_precedence(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", metadata(task="inside"))
    (tmp_path / "a.onnx.json").write_text(json.dumps(metadata(task="beside")))
    with open_model(path) as session:
        assert session.metadata is not None
        assert session.metadata.task == "inside"


def test_metadata_of_another_version_is_refused(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", metadata(schema_version=3))
    with pytest.raises(SeaformerError, match=r"a\.onnx' has schema_version 3\. Allowed: 1, 2"):
        open_model(path)


@pytest.mark.parametrize("beside", ["a.onnx.json", "a.json"])
def test_damaged_metadata_is_refused(tmp_path: Path, beside: str) -> None:
    path = write_onnx(tmp_path / "a.onnx")
    (tmp_path / beside).write_text('{"schema_version"')
    with pytest.raises(SeaformerError, match=rf"{re.escape(beside)}' cannot .* not JSON"):
        open_model(path)


def test_an_onnx_of_any_size_uses_the_requested_size(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", sides=("height", "width"))
    with pytest.raises(UsageError, match=r"any size.*Give --input-size"):
        open_model(path)
    with open_model(path, input_size=(32, 48)) as session:
        assert session.run(np.zeros((1, 3, 32, 48), np.float32)).shape == (1, 3, 4, 6)
    with open_model(path, task="cityscapes") as session:
        assert session.input_shape == (512, 1024)
    path = write_onnx(path, metadata(), sides=("height", "width"))
    with open_model(path) as session:
        assert session.input_shape == (SIDE, SIDE)


def test_a_tflite_of_any_size_uses_the_requested_size(
    tmp_path: Path, any_size_tflite_file: bytes
) -> None:
    path = written(tmp_path / "a.tflite", any_size_tflite_file)
    with open_model(path, input_size=(32, 48)) as session:
        assert session.run(np.zeros((1, 32, 48, 3), np.float32)).shape == (1, 4, 6, 3)


def test_a_fixed_size_cannot_be_changed(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx")
    with pytest.raises(UsageError, match=r"32x48 does not fit .* only takes 64x64"):
        open_model(path, input_size=(32, 48))


def test_inputs_of_another_shape_or_type_are_refused(tmp_path: Path) -> None:
    with open_model(write_onnx(tmp_path / "a.onnx")) as session:
        with pytest.raises(UsageError, match=r"float32 \[1, 64, 64, 3\]. Allowed: float32 \[1, 3"):
            session.run(NHWC)
        with pytest.raises(UsageError, match="the input is float64"):
            session.run(NCHW.astype(np.float64))


def test_a_closed_session_is_an_error(tmp_path: Path, tflite_file: bytes) -> None:
    for path, x in (
        (write_onnx(tmp_path / "a.onnx"), NCHW),
        (written(tmp_path / "a.tflite", tflite_file), NHWC),
    ):
        session = open_model(path)
        session.close()
        with pytest.raises(SeaformerError, match="is closed"):
            session.run(x)


@pytest.mark.parametrize("suffix", sorted(RUNTIMES))
@pytest.mark.parametrize("content", [b"", b"not a model", bytes(range(256)) * 20])
def test_other_files_are_a_clear_error(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = written(tmp_path / f"broken{suffix}", content)
    with pytest.raises(SeaformerError, match=rf"broken\{suffix}") as caught:
        open_model(path, variant="tiny", task="ade20k")
    assert "\n" not in str(caught.value)


def test_a_truncated_model_is_a_clear_error(tmp_path: Path, tflite_file: bytes) -> None:
    onnx_file = write_onnx(tmp_path / "whole.onnx", metadata()).read_bytes()
    for suffix, content in ((".onnx", onnx_file), (".tflite", tflite_file)):
        path = written(tmp_path / f"half{suffix}", content[: len(content) // 2])
        with pytest.raises(SeaformerError, match=rf"cannot open '.*half\{suffix}'"):
            open_model(path)


def test_missing_files_folders_and_suffixes_are_named(tmp_path: Path) -> None:
    with pytest.raises(SeaformerError, match=r"no model file '.*absent\.onnx'"):
        open_model(tmp_path / "absent.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(SeaformerError, match="is a folder"):
        open_model(tmp_path / "folder.onnx")
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(SeaformerError, match=r"pipe\.onnx' is not a regular file"):
        open_model(tmp_path / "pipe.onnx")
    with pytest.raises(UsageError, match=r"suffix is '\.pb'.*\.onnx, \.tflite"):
        open_model(tmp_path / "model.pb")


@pytest.mark.parametrize(
    ("dtype", "shape", "count", "message"),
    [
        (TensorProto.DOUBLE, [1, 3, 8, 8], 1, r"type float64\. Allowed: float32"),
        (TensorProto.FLOAT, [1, 4, 8, 8], 1, r"shape \[1, 4, 8, 8\]\. Allowed: one image"),
        (TensorProto.FLOAT, [2, 3, 8, 8], 1, r"shape \[2, 3, 8, 8\]"),
        (TensorProto.FLOAT, ["batch", 10], 1, r"shape \[\?, 10\]"),
        (TensorProto.FLOAT, [1, 3, 8, 8], 2, "has 2 inputs and 2 outputs"),
    ],
)
def test_models_with_other_inputs_than_one_image_are_refused(
    tmp_path: Path, dtype: int, shape: list[int | str], count: int, message: str
) -> None:
    path = tmp_path / "a.onnx"
    graph = helper.make_graph(
        [helper.make_node("Identity", [f"x{i}"], [f"y{i}"]) for i in range(count)],
        "identity",
        [helper.make_tensor_value_info(f"x{i}", dtype, shape) for i in range(count)],
        [helper.make_tensor_value_info(f"y{i}", dtype, shape) for i in range(count)],
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    with pytest.raises(SeaformerError, match=message):
        open_model(path)


def elsewhere(path: Path, location: str, place: str = "initializer") -> Path:
    """Write the model of `write_onnx` with its weight in another file."""
    model = onnx.load(write_onnx(path))
    weight = model.graph.initializer.pop()
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "4"}.items():
        weight.external_data.add(key=key, value=value)
    if place == "constant":
        model.graph.node.insert(0, helper.make_node("Constant", [], ["scale"], value=weight))
    else:
        model.graph.initializer.append(weight)
    path.write_bytes(model.SerializeToString())
    return path


OPENERS = pytest.mark.parametrize("opened", [open_model, open_session])


@OPENERS
def test_weights_next_to_an_onnx_are_read(tmp_path: Path, opened: Callable[[Path], Any]) -> None:
    (tmp_path / "parts").mkdir()
    for location in ("a.onnx.data", "parts/a.data"):
        (tmp_path / location).write_bytes(np.float32(2).tobytes())
        assert opened(elsewhere(tmp_path / "a.onnx", location)) is not None


def test_a_model_in_two_files_is_refused_for_a_device(tmp_path: Path) -> None:
    (tmp_path / "a.data").write_bytes(np.float32(2).tobytes())
    path = elsewhere(tmp_path / "a.onnx", "a.data")
    with pytest.raises(SeaformerError, match=r"in another file, 'a\.data'.*: onnx\.save") as caught:
        open_candidate(path, 0, seed=0)
    advice = str(caught.value).split("one file: ")[-1].removesuffix(".")
    exec(advice, {"onnx": onnx, "path": path, "new_path": tmp_path / "whole.onnx"})
    assert open_candidate(tmp_path / "whole.onnx", 0, seed=0).file_bytes


@OPENERS
@pytest.mark.parametrize("place", ["initializer", "constant"])
@pytest.mark.parametrize(
    "location",
    sampled(
        [
            *(
                "{outside}",
                "../outside.bin",
                "parts/../../outside.bin",
                "link.bin",
                "away/outside.bin",
            ),
            *("pipe.bin", "missing.bin", "parts", "", "C:outside.bin", "..\\outside.bin", "nul"),
            *("*/_ORT_MEM_ADDR_/*", "./link.bin", "file://{outside}", "http://example.org/w.bin"),
        ],
        5,
    ),
)
def test_an_onnx_does_not_determine_which_files_are_read(
    tmp_path: Path, opened: Callable[[Path], Any], place: str, location: str
) -> None:
    folder, outside = tmp_path / "model", tmp_path / "outside.bin"
    (folder / "parts").mkdir(parents=True)
    outside.write_bytes(np.float32(2).tobytes())
    os.mkfifo(folder / "pipe.bin")  # reading it never ends
    (folder / "link.bin").symlink_to(outside)
    (folder / "away").symlink_to(tmp_path)
    path = elsewhere(folder / "a.onnx", location.format(outside=outside), place)
    with pytest.raises(SeaformerError, match=r"the external data 'scale' of .*|named by .*link to"):
        opened(path)


@OPENERS
def test_a_tflite_has_to_contain_its_weights(
    tmp_path: Path, tflite_file: bytes, opened: Callable[[Path], Any]
) -> None:
    parsed = parse(tflite_file)
    group, buffer = schema.ExternalBufferGroupT(), schema.ExternalBufferT()
    group.name, buffer.id, buffer.group, buffer.length = "/etc/passwd", 1, 0, 4
    parsed.externalBufferGroups, parsed.externalBuffers = [group], [buffer]
    path = written(tmp_path / "a.tflite", pack(parsed))
    with pytest.raises(SeaformerError, match=r"a\.tflite' has weights in another file.*passwd"):
        opened(path)


@pytest.mark.parametrize(("isolated", "imported"), [(False, ["onnxruntime"]), (True, [])])
def test_only_the_runtime_of_the_file_is_imported(
    tmp_path: Path, isolated: bool, imported: list[str]
) -> None:
    path = write_onnx(tmp_path / "a.onnx")
    program = (
        "import sys; from seaformer.runtimes import open_model;"
        f"open_model(sys.argv[1], isolated={isolated});"
        "print([name for name in ('torch', 'tensorflow', 'ai_edge_litert', 'onnxruntime')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(imported)


@pytest.mark.parametrize(
    ("constructor", "file"),
    [
        ("Interpreter", "seaformer/runtimes/litert.py"),
        ("InferenceSession", "seaformer/runtimes/onnx_runtime.py"),
    ],
)
def test_each_runtime_is_constructed_in_one_file(constructor: str, file: str) -> None:
    root = ROOT
    found = set()
    for folder in ("seaformer", "export", "benchmark"):
        for path in (root / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                called = node.func if isinstance(node, ast.Call) else None
                if constructor in (getattr(called, "id", ""), getattr(called, "attr", "")):
                    found.add(path.relative_to(root).as_posix())
    assert found == {file}


def test_the_runtimes_need_neither_torch_nor_tensorflow(tmp_path: Path, tflite_file: bytes) -> None:
    files = write_onnx(tmp_path / "a.onnx"), written(tmp_path / "a.tflite", tflite_file)
    program = """
import importlib, pkgutil, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "tensorflow"):
            raise ImportError(f"{name} is forbidden")

sys.meta_path.insert(0, Refuse())
import seaformer.runtimes
from seaformer.benchmark.candidates.candidate import open_candidate

for module in pkgutil.iter_modules(seaformer.runtimes.__path__):
    if module.name != "pytorch":
        importlib.import_module(f"seaformer.runtimes.{module.name}")
for path in sys.argv[1:]:
    for isolated in (False, True):
        with seaformer.runtimes.open_model(path, isolated=isolated) as session:
            print(session.input_shape)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, files)], capture_output=True, text=True
    )
    assert done.stdout.split("\n") == [*["(64, 64)"] * 4, ""], done.stderr


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_an_intermediate_tensor_is_fetched_by_its_operator(
    tmp_path: Path, tflite_file: bytes, suffix: str, isolated: bool
) -> None:
    if suffix == ".onnx":
        path, x = write_onnx(tmp_path / "a.onnx", scale=3.0), NCHW
        expected = 3 * NCHW
    else:
        path, x = written(tmp_path / "a.tflite", tflite_file), NHWC
        expected = AVERAGES[None]
    with open_session(path, isolated=isolated) as session:
        key = session.computed_by(0)
        for scale in (1.0, 2.0):
            (tensor,) = session.fetch([key], [np.float32(scale) * x])
            assert np.allclose(tensor, scale * expected, atol=1e-2)
        with pytest.raises(SeaformerError, match="but its metadata refer to operator 99"):
            session.computed_by(99)
