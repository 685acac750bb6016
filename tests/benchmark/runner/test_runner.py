"""The runner on this computer, with the real runtimes: its measurements and its failures."""

import os
import re
import signal
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from native_argmax import NoCompilerError, find_compiler
from one_operator import Case, build, input_tensor
from rounds import (
    BACKENDS,
    PROBE_INPUT,
    SOURCES,
    SUFFIXES,
    TARGET,
    Done,
    add_model,
    add_probe,
    assert_gave_up,
    basic_plan,
    run_plan,
)

from seaformer.benchmark.runner.binaries import runner_for
from seaformer.benchmark.runner.record import Status, read_record
from seaformer.imaging.upsampling.argmax import upsample_argmax
from seaformer.runtimes import open_model, open_session

ALLOWED = sorted(os.sched_getaffinity(0))
MASK = (50, 61)

each_backend = pytest.mark.parametrize("backend", BACKENDS)


@pytest.fixture
def exported(tiny_export: Path, backend: str) -> Path:
    (file,) = tiny_export.glob(f"*_fp32{SUFFIXES[backend]}")
    return file


def _complete(done: Done) -> Done:
    assert done.status == Status.DONE, done.stderr
    assert done.record.complete, done.record.problem
    return done


def matrix_product(weights: np.ndarray) -> onnx.ModelProto:
    """Return the model x [1, n] -> x @ weights [n, m]."""
    rows, columns = weights.shape
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, size])
        for name, size in (("x", rows), ("y", columns))
    ]
    node = onnx.helper.make_node("MatMul", ["x", "weights"], ["y"])
    constant = onnx.numpy_helper.from_array(weights, "weights")
    graph = onnx.helper.make_graph([node], "product", ends[:1], ends[1:], [constant])
    opset = onnx.helper.make_opsetid("", 17)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)


# ---- Measurements


def test_integers_use_the_same_kernels_as_in_python(integer_export: Path, tmp_path: Path) -> None:
    """Both use XNNPACK; LiteRT's own kernels round differently, and are several times slower."""
    file = integer_export / "seaformer_tiny_shapes_256x256_int8.tflite"
    x = np.random.default_rng(0).uniform(0, 255, (1, 256, 256, 3)).astype(np.float32)
    with open_session(file) as session:
        given = session.inputs[0].encode(x)
        (expected,) = session.run([given])
    model = add_model(tmp_path, "integers", file, given)
    _complete(run_plan(tmp_path, basic_plan("litert", model)))
    found = np.fromfile(tmp_path / "integers.output", expected.dtype)
    np.testing.assert_array_equal(found, expected.ravel())


@each_backend
def test_an_exported_model_has_the_same_output_as_in_python(
    backend: str, exported: Path, tmp_path: Path
) -> None:
    with open_model(exported) as session:
        height, width = session.input_shape
        sides = (3, height, width) if session.layout == "NCHW" else (height, width, 3)
        x = np.random.default_rng(0).uniform(0, 255, (1, *sides)).astype(np.float32)
        expected = session.run(x)
    model = add_model(tmp_path, "tiny", exported, x, MASK)
    plan = basic_plan(backend, model, warmup_runs=2, profile_runs=2)
    record = _complete(run_plan(tmp_path, plan)).record

    (loaded,) = record.models
    assert loaded.input.shape == x.shape
    assert loaded.input.bytes == x.nbytes
    assert loaded.outputs[0].dtype == "float32"
    assert len(loaded.warmup_ns) == 2
    assert loaded.warmup_ns[0] == pytest.approx(loaded.first_inference_ms * 1e6)
    output = np.fromfile(tmp_path / "tiny.output", np.float32)
    logits = output.reshape(loaded.outputs[0].shape)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * np.abs(expected).max())

    layout = "HWC" if backend == "litert" else "CHW"
    classes = np.fromfile(tmp_path / "tiny.output.classes", np.uint8)
    mask = np.fromfile(tmp_path / "tiny.output.mask", np.uint8).reshape(MASK)
    axis = -1 if backend == "litert" else 0
    np.testing.assert_array_equal(classes, logits[0].argmax(axis).ravel())
    np.testing.assert_array_equal(mask, upsample_argmax(logits[0], MASK, layout))

    assert [(run.block, run.kind) for run in record.post_processing] == [
        (block.index, kind) for block in record.blocks for kind in ("classes", "mask")
    ]
    runs = [[event.tag for event in record.events if event.run == run] for run in (0, 1)]
    assert runs[0] == runs[1]
    if backend == "onnxruntime":
        nodes = {node.name for node in onnx.load(exported).graph.node}
        assert len(nodes & set(runs[0])) > 20
        assert {event.op for event in record.events} >= {"Conv", "Add"}
    else:
        kernels = [event for event in record.events if event.kind == "delegate" and event.run == 0]
        assert [kernel.node for kernel in kernels] == list(range(len(kernels)))
        assert sum("Convolution" in kernel.tag for kernel in kernels) > 10
        assert loaded.fully_delegated


@each_backend
def test_the_record_contains_everything_planned(backend: str, tmp_path: Path) -> None:
    plan = basic_plan(backend, add_probe(tmp_path, backend), blocks=4, runs_per_block=5)
    record = _complete(run_plan(tmp_path, plan)).record
    header = record.header
    assert header is not None
    assert (header.target, header.backend, header.seed) == (TARGET, backend, 1)
    assert header.runtime_version == plan.runtime_version
    assert header.cpus == tuple(ALLOWED)
    assert [len(block.durations_ns) for block in record.blocks] == [5] * 4
    assert all(duration > 0 for block in record.blocks for duration in block.durations_ns)
    ends = [block.started_ns + sum(block.durations_ns) for block in record.blocks]
    assert all(end <= next_.started_ns for end, next_ in zip(ends, record.blocks[1:], strict=False))
    assert record.models[0].resident_bytes is not None
    assert record.peak_memory_bytes is not None
    assert record.peak_memory_bytes >= record.models[0].resident_bytes > 1_000_000


@each_backend
def test_memory_increases_with_the_model(backend: str, tmp_path: Path) -> None:
    mebibytes = 16
    weights = np.ones((1024, 256 * mebibytes), np.float32)
    file = tmp_path / f"constant{SUFFIXES[backend]}"
    if backend == "litert":
        case = Case("FULLY_CONNECTED", (input_tensor(1, 1024), np.ascontiguousarray(weights.T)))
        file.write_bytes(build(case))
    else:
        onnx.save(matrix_product(weights), file)
    model = add_model(tmp_path, "model", file, np.ones((1, 1024), np.float32))
    record = _complete(run_plan(tmp_path, basic_plan(backend, model))).record
    library, peak = record.library_memory_bytes, record.peak_memory_bytes
    compiled = record.models[0].compiled_bytes
    assert library is not None
    assert compiled is not None
    if peak is None:
        pytest.skip("the kernel does not reset the peak")
    constant = mebibytes * 2**20
    # A runtime may hold the weights twice: as in the file, and as packed for its kernels.
    assert constant <= compiled - library <= peak - library < 2 * constant + 4e6
    probe = _complete(run_plan(tmp_path, basic_plan(backend, add_probe(tmp_path, backend)))).record
    assert probe.library_memory_bytes is not None
    assert probe.peak_memory_bytes is not None
    assert probe.peak_memory_bytes - probe.library_memory_bytes < 4e6


def test_integer_outputs_have_a_scale_and_are_post_processed_directly(tmp_path: Path) -> None:
    done = run_plan(tmp_path, basic_plan("litert", add_probe(tmp_path, "litert", mask_size=(7, 9))))
    (output,) = _complete(done).record.models[0].outputs
    assert (output.dtype, output.scale, output.zero_point) == ("int8", 0.25, -3)
    logits = np.fromfile(tmp_path / "probe.output", np.int8).reshape(2, 3, 5)
    np.testing.assert_array_equal(logits, (PROBE_INPUT[0] / 0.25 - 3).astype(np.int8))
    mask = np.fromfile(tmp_path / "probe.output.mask", np.uint8).reshape(7, 9)
    np.testing.assert_array_equal(mask, upsample_argmax(logits, (7, 9), "HWC"))


def _order(folder: Path, seed: int) -> list[str]:
    models = [add_probe(folder, "litert", f"m{i}") for i in range(5)]
    plan = basic_plan("litert", *models, blocks=6, runs_per_block=1, seed=seed)
    record = _complete(run_plan(folder, plan)).record
    for round_ in range(6):
        models_of_round = [block.model for block in record.blocks if block.round == round_]
        assert sorted(models_of_round) == [model.id for model in models]
    assert record.blocks[0].settling_ns is not None
    for before, block in pairwise(record.blocks):
        assert (block.settling_ns is None) == (before.model == block.model)
    return [block.model for block in record.blocks]


def test_models_are_interleaved_in_an_order_determined_by_the_seed(tmp_path: Path) -> None:
    assert _order(tmp_path, 3) == _order(tmp_path, 3)
    assert _order(tmp_path, 3) != _order(tmp_path, 4)


@pytest.mark.parametrize("cpu", ALLOWED[-2:])
@pytest.mark.parametrize("threads", [1, 3])
@each_backend
def test_every_run_is_on_the_requested_processor(
    backend: str, cpu: int, threads: int, tmp_path: Path
) -> None:
    model = add_probe(tmp_path, backend)
    plan = basic_plan(backend, model, cpus=(cpu,), threads=threads, runs_per_block=20)
    record = _complete(run_plan(tmp_path, plan)).record
    assert record.header is not None
    assert record.header.cpus == (cpu,)
    assert {seen for block in record.blocks for seen in block.cpus} == {cpu}


def _sensors(folder: Path, cpu: int) -> Path:
    clock = folder / f"devices/system/cpu/cpu{cpu}/cpufreq"
    clock.mkdir(parents=True)
    (clock / "scaling_cur_freq").write_text("2841600\n")
    zones = [("cpu-1-7-usr", "48200"), ("battery", "60000"), ("cpu-0-0-usr", "51"), ("soc", "x")]
    for index, (kind, value) in enumerate([*zones, ("cpu-off", "-274000")]):
        zone = folder / f"class/thermal/thermal_zone{index}"
        zone.mkdir(parents=True)
        (zone / "type").write_text(f"{kind}\n")
        (zone / "temp").write_text(f"{value}\n")
    return folder


def test_clock_and_heat_are_read_before_and_after_each_block(tmp_path: Path) -> None:
    cpu = ALLOWED[0]
    sysfs = _sensors(tmp_path / "sys of this test", cpu)
    model = add_probe(tmp_path, "litert")
    plan = basic_plan("litert", model, cpus=(cpu,), sysfs=str(sysfs))
    record = _complete(run_plan(tmp_path, plan)).record
    assert record.header is not None
    assert record.header.thermal_zones == ("cpu-1-7-usr", "cpu-0-0-usr")
    for block in record.blocks:
        assert block.frequency_khz_before == block.frequency_khz_after == 2841600
        assert block.temperature_c_before == block.temperature_c_after == 51.0


def test_facts_that_the_system_lacks_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    plan = basic_plan("litert", add_probe(tmp_path, "litert"), sysfs=str(tmp_path / "empty"))
    record = _complete(run_plan(tmp_path, plan)).record
    for block in record.blocks:
        assert block.frequency_khz_before is block.temperature_c_after is None


def test_any_tensor_name_is_recorded(tmp_path: Path) -> None:
    name = 'a "quoted\\name"\n\t\x01\x7f ü € 😀'
    model = onnx.load(SOURCES / "probe.onnx")
    model.graph.input[0].name = model.graph.node[0].input[0] = name
    onnx.save(model, tmp_path / "named.onnx")
    planned = add_model(tmp_path, "m", tmp_path / "named.onnx", PROBE_INPUT)
    record = _complete(run_plan(tmp_path, basic_plan("onnxruntime", planned))).record
    assert record.models[0].input.name == name


def test_the_version_is_printed_without_a_plan() -> None:
    done = subprocess.run([runner_for(TARGET), "--version"], capture_output=True, text=True)
    assert re.fullmatch(rf"seaformer-runner [\d.]+ {TARGET}\n", done.stdout)
    assert done.returncode == 0


# ---- Failures


@pytest.mark.parametrize("cpus", [(1023,), (ALLOWED[0], 1023)])
def test_a_missing_processor_is_refused(cpus: tuple[int, ...], tmp_path: Path) -> None:
    done = run_plan(tmp_path, basic_plan("litert", add_probe(tmp_path, "litert"), cpus=cpus))
    assert_gave_up(done, Status.NO_AFFINITY, "refused")


def test_another_version_than_planned_is_refused(tmp_path: Path) -> None:
    model = add_probe(tmp_path, "onnxruntime")
    plan = basic_plan("onnxruntime", model, runtime_version="1.0.0")
    assert_gave_up(run_plan(tmp_path, plan), Status.WRONG_RUNTIME, "plan needs 1.0.0")


def test_any_version_is_named_as_found(tmp_path: Path) -> None:
    plan = basic_plan("onnxruntime", add_probe(tmp_path, "onnxruntime"))
    found = _complete(run_plan(tmp_path, replace(plan, runtime_version="any"))).record
    assert found.header is not None
    assert found.header.runtime_version == plan.runtime_version


@each_backend
def test_a_truncated_library_is_refused(backend: str, tmp_path: Path) -> None:
    plan = basic_plan(backend, add_probe(tmp_path, backend), library="half.so")
    whole = Path(basic_plan(backend, *plan.models).library).read_bytes()
    (tmp_path / "half.so").write_bytes(whole[: len(whole) // 2])
    assert_gave_up(run_plan(tmp_path, plan), Status.NO_LIBRARY, "load")


def _compile_library(folder: Path, code: str) -> str:
    try:
        compiler = find_compiler()
    except NoCompilerError as error:
        pytest.skip(str(error))
    (folder / "other.c").write_text(code)
    command = [compiler, "-shared", "-fPIC", "other.c", "-o", "other.so"]
    subprocess.run(command, cwd=folder, check=True)
    return "other.so"


@each_backend
def test_a_library_without_the_functions_is_refused(backend: str, tmp_path: Path) -> None:
    library = _compile_library(tmp_path, "int nothing;")
    plan = basic_plan(backend, add_probe(tmp_path, backend), library=library)
    assert_gave_up(run_plan(tmp_path, plan), Status.NO_LIBRARY, "the runtime has no function ")


def _litert_with(body: str) -> str:
    """Return the code of a library with the functions of LiteRT used by the runner, all alike."""
    code = (SOURCES / "litert.c").read_text()
    names = re.findall(r"\bX\((\w+)", code.partition("#define DECLARE_FUNCTION")[0])
    assert len(names) > 30
    return "#include <unistd.h>\n" + "".join(
        f"long LiteRt{name}(char *a, char *b, char *c, char *d) {{ {body} }}\n" for name in names
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("return 0;", id="does nothing"),
        pytest.param("return 1;", id="refuses"),
        pytest.param("return *(volatile char *)1;", id="crashes"),
        pytest.param("if (a) *a = 1; if (b) *b = 2; return 0;", id="writes elsewhere"),
        pytest.param("__builtin_trap();", id="aborts"),
    ],
)
def test_an_incompatible_library_is_refused_without_a_crash(body: str, tmp_path: Path) -> None:
    library = _compile_library(tmp_path, _litert_with(body))
    plan = basic_plan("litert", add_probe(tmp_path, "litert"), library=library)
    done = run_plan(tmp_path, plan)
    assert_gave_up(done, Status.WRONG_RUNTIME, "known model")


def test_a_hanging_library_reaches_the_time_limit(tmp_path: Path) -> None:
    library = _compile_library(tmp_path, _litert_with("for (;;) pause();"))
    model = add_probe(tmp_path, "litert")
    plan = basic_plan("litert", model, library=library, time_limit_s=0.3)
    assert_gave_up(run_plan(tmp_path, plan), Status.OUT_OF_TIME, "limit was reached while ")


@each_backend
@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, None], ids=["empty", "other", "half"])
def test_a_broken_model_is_refused(backend: str, content: bytes | None, tmp_path: Path) -> None:
    model = add_probe(tmp_path, backend)
    whole = (tmp_path / model.file).read_bytes()
    (tmp_path / model.file).write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert_gave_up(run_plan(tmp_path, basic_plan(backend, model)), Status.NO_MODEL, "")


@each_backend
def test_an_input_of_another_size_is_refused(backend: str, tmp_path: Path) -> None:
    model = add_probe(tmp_path, backend)
    (tmp_path / model.input_file).write_bytes(b"123")
    done = run_plan(tmp_path, basic_plan(backend, model))
    assert_gave_up(done, Status.BAD_PLAN, "has 3 bytes, but model probe expects 120")


def test_a_model_without_a_fixed_size_is_refused(tmp_path: Path) -> None:
    model = onnx.load(SOURCES / "probe.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save(model, tmp_path / "open.onnx")
    planned = add_model(tmp_path, "m", tmp_path / "open.onnx", PROBE_INPUT)
    done = run_plan(tmp_path, basic_plan("onnxruntime", planned))
    assert_gave_up(done, Status.NO_MODEL, "without a fixed size")


def test_the_time_limit_ends_a_run_and_keeps_its_blocks(tmp_path: Path) -> None:
    model = add_probe(tmp_path, "litert")
    done = run_plan(tmp_path, basic_plan("litert", model, blocks=10**6, time_limit_s=2))
    assert_gave_up(done, Status.OUT_OF_TIME, "while measuring")
    assert done.record.blocks


def _start(folder: Path, **changes: object) -> subprocess.Popen[bytes]:
    plan = basic_plan("litert", add_probe(folder, "litert"), **changes)
    (folder / "plan").write_text(plan.text())
    command = [runner_for(TARGET), folder / "plan"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def test_the_time_limit_applies_while_nobody_reads_the_output(tmp_path: Path) -> None:
    with _start(tmp_path, blocks=10**6, runs_per_block=100, time_limit_s=2) as process:
        assert process.wait(timeout=60) == Status.OUT_OF_TIME


def test_blocks_before_a_kill_are_recorded(tmp_path: Path) -> None:
    lines: list[str] = []
    with _start(tmp_path, blocks=10**6) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.decode())
            if '"index": 5,' in lines[-1]:
                process.send_signal(signal.SIGKILL)
                break
        lines += [line.decode() for line in process.stdout]
    record = read_record(lines)
    assert not record.complete
    assert len(record.blocks) >= 6


def test_a_runner_ends_when_its_output_is_closed(tmp_path: Path) -> None:
    with _start(tmp_path, blocks=10**6, time_limit_s=100) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == Status.NO_OUTPUT


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    model = add_probe(tmp_path, "litert")
    (tmp_path / "probe.output").symlink_to("/dev/full")
    done = run_plan(tmp_path, basic_plan("litert", model))
    assert_gave_up(done, Status.NO_OUTPUT, "cannot write 'probe.output': No space left")
