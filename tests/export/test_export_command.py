"""The command `seaformer-export`: list of networks, export of a user's network, interruptions.

Errors are tested in test_export_bad_input.py, exported files in test_exported_files.py.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import psutil
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from exporting import EXPORT, assert_one_line, environment, names, run_export, write_networks
from locations import SAMPLES
from sampling import sampled

from seaformer.artifact.beside import path_beside, read_beside, write_beside
from seaformer.artifact.metadata import File
from seaformer.files import file_sha256
from seaformer.models.registry import REGISTRY
from seaformer.models.seaformer.variants import VARIANTS
from seaformer.tasks import TASKS
from seaformer.temporary_folders import PREFIX, remove_abandoned, temporary_folder

USER = ("--task", "cityscapes", "--input-size", "64x96", "--output", "out")
OLD = SAMPLES / "schema_1"
ONNX = ("--format", "onnx")
MODEL = "make_network_64x96_fp32"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a user's folder with the module my_networks.py."""
    write_networks(tmp_path)
    return tmp_path


def written(folder: Path) -> list[str]:
    return names(folder / "out") if (folder / "out").exists() else []


@pytest.mark.slow
def test_list_has_every_variant_of_every_task(tmp_path: Path) -> None:
    done = run_export("--list", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"^(\S+) +(\S+) +(\d+x\d+) +([\d.]+) M +([\d.]+) G", done.stdout, re.M)
    listed = [name for name, task in TASKS.items() if task.kind != "detection"]
    assert [row[:2] for row in rows] == [(task, v) for task in listed for v in VARIANTS]
    assert ("ade20k", "tiny", "512x512", "1.67", "0.597") in rows
    assert re.search(r"^shapes +tiny .* shapes \(", done.stdout, re.M)
    assert ("imagenet", "large", "224x224", "14.05", "1.186") in rows
    assert ("pascal-context-60", "tiny", "480x480", "1.66", "0.501") in rows
    for name, row in REGISTRY.items():
        assert row.variant or re.search(rf"^{name} ", done.stdout, re.M), name
    assert "…" not in done.stdout  # nothing is truncated to the 80 columns of a pipe
    assert names(tmp_path) == []


def test_help_lists_all_allowed_values(tmp_path: Path) -> None:
    done = run_export("--help", cwd=tmp_path)
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    for valid in (*VARIANTS, *TASKS, "onnx", "tflite", "fp32", "fp16", "classes", "mask"):
        assert re.search(rf"\b{valid}\b", text), valid


# A user's network


@pytest.mark.parametrize(
    ("factory", "status", "message"),
    sampled(
        [
            ("my_networks", 2, "is given as package.module:factory"),
            ("no_such_module:make", 2, "cannot be imported: No module named 'no_such_module'"),
            ("my_networks:nothing", 2, "cannot be imported: .*'nothing'"),
            ("broken_module:make", 1, "'broken_module' fails: NameError: .*'undefined_name'"),
            ("my_networks:failing", 1, "failed: RuntimeError: no such file: weights.bin"),
            ("my_networks:text", 1, "returned str. Return an nn.Module"),
            ("my_networks:diverged", 1, "is not finite"),
            ("my_networks:failing_on_64", 1, r"does not run .*64, 64\]: AssertionError: the width"),
        ],
        2,
    ),
)
def test_invalid_factories(folder: Path, factory: str, status: int, message: str) -> None:
    size = ()
    if factory.endswith("_on_64"):
        factory, size = "my_networks:picky", ("--input-size", "64")
    done = run_export(
        "--model", factory, *ONNX, "--task", "cityscapes", "--output", "out", *size, cwd=folder
    )
    assert_one_line(done, status, message)
    assert written(folder) == []


def test_a_factory_may_import_modules_lazily(folder: Path) -> None:
    done = run_export("--model", "my_networks:with_helper", *ONNX, *USER, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert written(folder) == ["with_helper_64x96_fp32.onnx", "with_helper_64x96_fp32.onnx.json"]


def test_one_of_two_exports_of_the_same_file_is_refused(folder: Path) -> None:
    both = [
        subprocess.Popen(
            [EXPORT, "--model", "my_networks:make_network", *ONNX, *USER],
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2]
    assert "'out/make_network_64x96_fp32.onnx' exists." in "".join(errors)
    assert written(folder) == [f"{MODEL}.onnx", f"{MODEL}.onnx.json"]
    file = folder / "out" / f"{MODEL}.onnx"
    metadata = read_beside(file)
    assert metadata is not None
    assert metadata.file is not None
    assert metadata.file.sha256 == file_sha256(file)


@pytest.mark.slow
def test_a_users_network_with_the_arg_max_in_the_graph(folder: Path) -> None:
    options = ("--head", "classes", "--normalize", "outside", *ONNX, "--format", "tflite")
    done = run_export("--model", "my_networks:make_network", *options, *USER, cwd=folder)
    assert done.returncode == 0, done.stderr
    code = "import my_networks, torch; torch.save(my_networks.make_network(), 'network.pt')"
    python = EXPORT.with_name("python")
    subprocess.run([python, "-c", code], cwd=folder, env=environment(), check=True)
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 96)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        network = torch.load(folder / "network.pt", weights_only=False).eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(x)).argmax(1).numpy()
    assert len(np.unique(expected)) > 3
    stem = folder / "out" / f"{MODEL}_classes"
    (by_onnx,) = onnxruntime.InferenceSession(f"{stem}.onnx").run(None, {"image": x})
    runner = Interpreter(model_path=f"{stem}.tflite").get_signature_runner()
    by_tflite = runner(image=np.ascontiguousarray(x.transpose(0, 2, 3, 1)))["classes"]
    for classes in (by_onnx, by_tflite):
        assert (classes.dtype, classes.shape) == (np.int32, (1, 16, 24))
        assert (classes == expected).mean() >= 0.9999
    metadata = read_beside(Path(f"{stem}.tflite"))
    assert metadata is not None
    assert (metadata.head, metadata.output.content, metadata.output.layout) == (
        "classes",
        "classes",
        "NHW",
    )
    assert metadata.operators[-1].type == "ARG_MAX"


# Requests for several files


def test_all_or_no_files_of_a_request_are_written(folder: Path) -> None:
    (folder / "out").mkdir()
    old = folder / "out" / "with_a_large_weight_64x96_fp32.onnx"
    old.write_bytes(b"of an earlier export")
    options = (*ONNX, "--precision", "fp32", "--precision", "fp16", "--force")
    done = run_export("--model", "my_networks:with_a_large_weight", *options, *USER, cwd=folder)
    # By then, the fp32 file had passed.
    assert "verify onnx fp32" in done.stdout
    assert_one_line(done, 1, "value of 7e.04, which exceeds 65504.*--precision fp32")
    assert written(folder) == [old.name]
    assert old.read_bytes() == b"of an earlier export"


def test_a_request_for_several_sizes(folder: Path) -> None:
    sizes = ("--input-size", "64x64", "--input-size", "64", "--input-size", "96x64")
    options = ("--model", "my_networks:make_network", "--task", "cityscapes", *ONNX, *ONNX)
    done = run_export(*options, *sizes, "--output", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    models = [name for name in written(folder) if name.endswith(".onnx")]
    assert models == ["make_network_64x64_fp32.onnx", "make_network_96x64_fp32.onnx"]
    shapes = [
        onnxruntime.InferenceSession(folder / "out" / name).get_inputs()[0].shape for name in models
    ]
    assert shapes == [[1, 3, 64, 64], [1, 3, 96, 64]]


def test_each_format_has_its_own_json(users_export: Path, tmp_path: Path) -> None:
    """An export replaces only the JSON of its own file, not the other format's JSON."""
    stem = "make_network_100x144_fp32"
    tflite, by_onnx = (tmp_path / f"{stem}{suffix}" for suffix in (".tflite", ".onnx"))
    described = {path: read_beside(users_export / path.name) for path in (tflite, by_onnx)}
    written_before = {}
    for path, metadata in described.items():
        shutil.copy(users_export / path.name, path)
        assert metadata is not None
        write_beside(path, path.read_bytes(), metadata.model_copy(update={"file": None}))
        written_before[path] = path_beside(path).read_bytes()
        assert written_before[path] == path_beside(users_export / path.name).read_bytes()
    assert {path: json.loads(text)["format"] for path, text in written_before.items()} == {
        tflite: "tflite",
        by_onnx: "onnx",
    }
    # The .tflite is changed, and its new metadata is written.
    with tflite.open("ab") as file:
        file.write(b" ")
    inside = described[tflite]
    assert inside is not None
    write_beside(tflite, tflite.read_bytes(), inside)
    assert path_beside(by_onnx).read_bytes() == written_before[by_onnx]
    again = read_beside(tflite)
    assert again is not None
    assert again.file == File(
        name=tflite.name, bytes=tflite.stat().st_size, sha256=file_sha256(tflite)
    )
    assert read_beside(by_onnx) == described[by_onnx]


@pytest.mark.parametrize(
    "name", ["../other.tflite", "/other.tflite", "..", "other.tflite", "a.txt", "x\0.onnx", ""]
)
def test_names_in_the_json_cannot_refer_to_other_files(tmp_path: Path, name: str) -> None:
    """The names are in a .json of the earlier schema, which both formats shared."""
    for path in OLD.glob("make_tiny*"):
        shutil.copy(path, tmp_path)
    model = tmp_path / "make_tiny_64x64_fp32.onnx"
    before, metadata = names(tmp_path), read_beside(model)
    assert metadata is not None
    shared = model.with_suffix(".json")
    whole = json.loads(shared.read_text())
    whole["same_stem"][name] = whole["same_stem"][model.name]
    shared.write_text(json.dumps(whole))
    assert read_beside(model) == metadata
    write_beside(model, model.read_bytes(), metadata.model_copy(update={"file": None}))
    assert read_beside(model) == metadata
    assert names(tmp_path) == sorted([*before, f"{model.name}.json"])


def test_a_classifier_is_exported(tmp_path: Path) -> None:
    options = ("--variant", "tiny", "--task", "imagenet", "--input-size", "64x96", *ONNX)
    done = run_export(*options, "--format", "tflite", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for suffix in (".onnx", ".tflite"):
        path = tmp_path / "out" / f"seaformer_tiny_imagenet_64x96_fp32{suffix}"
        metadata = read_beside(path)
        assert metadata is not None
        assert metadata.kind == "classification"
        output = metadata.output
        assert (output.shape, output.layout, output.stride) == ((1, 1000), "NC", None)
        assert len(metadata.labels) == 1000


# The output folder


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that is not writable because of its mode or, for root, which ignores the mode,
    because of its file system."""
    folder = tmp_path / "out"
    folder.mkdir()
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
        return
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("root may write to any folder, and this container may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_read_only_output_folder(read_only: Path) -> None:
    options = ("--variant", "tiny", "--input-size", "64", *ONNX)
    done = run_export(*options, "--output", read_only, cwd=read_only.parent)
    assert_one_line(done, 1, f"'{read_only}' is not writable.*--output")
    assert "verify" not in done.stdout  # it is detected before any work
    below = run_export(*options, "--output", read_only / "deeper", cwd=read_only.parent)
    assert_one_line(below, 1, f"'{read_only / 'deeper'}' cannot be created")
    assert names(read_only) == []


def test_a_folder_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    options = ("--variant", "tiny", "--input-size", "64", *ONNX, "--output", "file/out")
    done = run_export(*options, cwd=tmp_path)
    assert_one_line(done, 1, "'file/out' cannot be created: Not a directory")
    assert names(tmp_path) == ["file"]


# Ctrl-C, TERM, KILL


@pytest.mark.parametrize(
    ("number", "signaled"),
    [
        (signal.SIGINT, "the command"),
        (signal.SIGINT, "its process group"),  # as a terminal does
        (signal.SIGTERM, "the command"),
        (signal.SIGKILL, "the command"),
    ],
)
@pytest.mark.slow
def test_a_signal_during_the_conversion(
    folder: Path, number: signal.Signals, signaled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = folder / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [EXPORT, "--model", "my_networks:make_network", *ONNX, "--format", "tflite", *USER],
        cwd=folder,
        env=environment(TMPDIR=str(temporary)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    family = psutil.Process(process.pid)
    patience = time.monotonic() + 120
    converting: list[psutil.Process] = []
    while not converting:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < patience
        time.sleep(0.02)
        children = family.children(recursive=True)
        converting = [c for c in children if "onnx2tf_worker" in " ".join(c.cmdline())]
    time.sleep(1.0)  # less than its imports need
    assert converting[0].is_running()
    if signaled == "the command":
        process.send_signal(number)
    else:
        os.killpg(process.pid, number)
    output, errors = process.communicate(timeout=60)
    is_killed = number == signal.SIGKILL
    assert process.returncode == (-number if is_killed else 130)
    assert errors.strip() == ("" if is_killed else "error: interrupted")
    assert "Traceback" not in output
    _, alive = psutil.wait_procs(converting, timeout=10)
    assert alive == []
    assert written(folder) == []
    # Torch has its own folders there.
    assert len(list(temporary.glob(f"{PREFIX}*"))) == is_killed
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    remove_abandoned.cache_clear()  # as in another process
    with temporary_folder("next") as owned:  # removes what the killed process left
        assert list(temporary.glob(f"{PREFIX}*")) == [owned]
