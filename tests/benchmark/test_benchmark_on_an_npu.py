"""Benchmarks on a Snapdragon's NPU, as far as they can be tested without a phone.

On this computer, the runner computes on Qualcomm's emulator. The loopback phone is refused for its
chip, FastRPC or libraries, and finally by ONNX Runtime itself, which loads no empty library.
"""

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmark_parts import candidate
from loopback_phone.phone import LoopbackPhone
from npu_packages import PLUGIN, write_sdk
from phone_benchmarks import assert_left_clean, benchmark
from small_models import metadata, write_onnx

from seaformer.artifact.chips import CHIPS
from seaformer.artifact.embedding import embed
from seaformer.artifact.metadata import Compilation, File
from seaformer.benchmark.candidates.candidate import open_candidate
from seaformer.benchmark.devices.phone import Phone
from seaformer.benchmark.measure.accelerator_files import AcceleratorFiles
from seaformer.benchmark.measure.backends import BACKENDS, backend_for
from seaformer.benchmark.measure.npu_faults import find_npu_fault
from seaformer.benchmark.measure.npu_files import npu_files
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.results.schema import read_results
from seaformer.errors import SeaformerError, UsageError
from seaformer.export.npu.compiled_names import binary_name, compiled_name
from seaformer.export.npu.onnx_compiler import compile_onnx
from seaformer.runtimes import open_session
from seaformer.runtimes.qnn_package import require_package

COMPILED = Compilation(
    chip="SM8650",
    hexagon=75,
    compiler="",
    qnn_version="2.51.0",
    phone_needs="",
    source_sha256="",
    partitions=1,
    left=(),
    binary=None,
)
ON_NPU = candidate(0, "net_SM8650.onnx", compilation=COMPILED)


@pytest.fixture(scope="module")
def _npu() -> None:
    try:
        require_package()
    except SeaformerError as error:
        if os.environ.get("SEAFORMER_REQUIRE_NPU") == "1":
            raise
        pytest.skip(str(error))


def files(
    phone: LoopbackPhone, one=ON_NPU, backend: str = "onnxruntime-qnn", **options: object
) -> AcceleratorFiles:
    arguments = Options(command="", **options)
    return npu_files(BACKENDS[backend], Phone(phone.serial), arguments, [one])


def refusal(phone: LoopbackPhone, *arguments, **options: object) -> str:
    with pytest.raises(SeaformerError) as error:
        files(phone, *arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_missing_requirements_of_a_phone_are_reported_before_files_are_sent(
    loopback_phone, tmp_path
):
    sdk = write_sdk(tmp_path / "sdk")
    message = refusal(loopback_phone, qairt=sdk)
    assert "SM8250, is not supported: the Snapdragon 865 has a Hexagon V66" in message
    loopback_phone.set_property("ro.soc.model", "")
    loopback_phone.set_property("ro.board.platform", "mt6989")
    assert "does not report a Snapdragon (it reports 'mt6989')" in refusal(loopback_phone)
    loopback_phone.set_property("ro.soc.model", "SM8550")
    assert "--soc is SM8650, but the chip of the phone" in refusal(loopback_phone, soc="SM8650")
    message = refusal(loopback_phone, qairt=sdk)
    assert "compiled for SM8650, but the phone's chip is SM8550" in message
    plain = replace(ON_NPU, compilation=None)
    assert "is not compiled, but" in refusal(loopback_phone, plain, "litert-npu", qairt=sdk)

    loopback_phone.set_property("ro.soc.model", "SM8650P")  # a variant
    assert "has no FastRPC device (/dev/fastrpc-cdsp, " in refusal(loopback_phone, qairt=sdk)
    loopback_phone.add_fastrpc()
    assert "give --qairt DIR" in refusal(loopback_phone)
    old = write_sdk(tmp_path / "old", version="2.48.0")
    assert "compiled with QNN 2.51.0, but the libraries" in refusal(loopback_phone, qairt=old)
    assert loopback_phone.left_files() == []


def test_the_files_and_options_for_a_phone(loopback_phone, tmp_path):
    loopback_phone.set_property("ro.soc.model", "SM8650")
    loopback_phone.add_fastrpc()
    sdk = write_sdk(tmp_path)
    npu = files(loopback_phone, qairt=sdk, npu_power="sustained")
    assert npu.plugin == PLUGIN
    assert npu.options == {
        "backend_path": "libQnnHtp.so",
        "offload_graph_io_quantization": "0",
        "htp_performance_mode": "sustained_high_performance",
    }
    assert npu.folder_variables == ("LD_LIBRARY_PATH", "ADSP_LIBRARY_PATH")
    assert not npu.is_emulated
    compiled = replace(ON_NPU, path=Path("net_SM8650.tflite"))
    npu = files(loopback_phone, compiled, "litert-npu", qairt=sdk)
    assert npu.options == {"htp_performance_mode": "2"}


@pytest.mark.slow
def test_onnx_runtime_on_the_phone_refuses_an_invalid_library(
    loopback_phone, phone_export, tmp_path
):
    (model,) = phone_export.glob("*.onnx")
    loopback_phone.set_property("ro.soc.model", "SM8650")
    loopback_phone.add_fastrpc()
    arguments = ("--backend", "onnxruntime-qnn", "--qairt", write_sdk(tmp_path / "sdk"))
    ended = benchmark(tmp_path, model, "--device", loopback_phone.serial, *arguments)
    assert ended.status == 1
    assert "the QNN provider cannot be loaded" in ended.error
    assert PLUGIN in ended.error
    assert_left_clean(loopback_phone)


@pytest.mark.usefixtures("_npu")
def test_the_runner_computes_on_the_emulator(shapes_export, tmp_path):
    (model,) = shapes_export.glob("*_fp32.onnx")
    arguments = ("--device", "host", "--backend", "onnxruntime-qnn", "--runs", "2")
    ended = benchmark(tmp_path, model, *arguments, "--soc", "SM8650")
    assert ended.status == 0, ended.errors
    assert "not latency" in ended.output
    results = read_results(tmp_path / "results")
    assert (results.accelerator, results.emulated) == ("npu", True)
    assert "emulator of SM8650" in results.runtime.driver
    (one,) = results.models
    assert one.latency is None
    assert one.emulated.run.runs == 2
    assert one.coverage is not None
    assert one.coverage.full
    assert one.parity.passed
    assert one.parity.sqnr_db < 100  # half precision differs from the CPU


@pytest.fixture(scope="module")
def compiled(_npu, shapes_export, tmp_path_factory) -> Path:
    """Return the trained Tiny compiled for SM8650, without its source file."""
    (source,) = shapes_export.glob("*_fp32.onnx")
    folder = tmp_path_factory.mktemp("compiled")
    result = compile_onnx(CHIPS["SM8650"], source)
    with open_session(source) as session:
        described = session.metadata
    name = compiled_name(source.name, CHIPS["SM8650"])
    binary = File(
        name=str(binary_name(name)),
        bytes=len(result.binary),
        sha256=hashlib.sha256(result.binary).hexdigest(),
    )
    compilation = COMPILED.model_copy(
        update={"binary": binary, "source_sha256": described.content_sha256}
    )
    described = described.model_copy(update={"compilation": compilation})
    (folder / name).write_bytes(embed(result.content, described))
    (folder / binary.name).write_bytes(result.binary)
    return folder / name


def test_a_compiled_file_is_compared_with_its_source_or_the_emulator(
    compiled, shapes_export, tmp_path
):
    alone = open_candidate(compiled, 0, 0, "npu")
    assert "emulator of SM8650" in alone.runtime
    assert alone.binary.name == f"{compiled.stem}_qnn.bin"
    assert alone.file_bytes > alone.binary.stat().st_size > 1e6
    for file in (compiled, alone.binary, *shapes_export.glob("*_fp32.onnx")):
        shutil.copy(file, tmp_path)
    beside = open_candidate(tmp_path / compiled.name, 0, 0, "npu")
    assert "emulator" not in beside.runtime
    assert beside.title.endswith(", SM8650")
    assert beside.verify(np.float32(alone.expected).tobytes(), in_half=True).passed
    assert backend_for((compiled,), None).name == "onnxruntime-qnn"
    with pytest.raises(UsageError, match="is compiled for an NPU, and backend onnxruntime"):
        backend_for((compiled,), "onnxruntime")


@pytest.mark.slow
@pytest.mark.usefixtures("_npu")
def test_a_model_is_broken_down_on_the_emulator(shapes_export, tmp_path):
    (model,) = shapes_export.glob("*_fp32.onnx")
    arguments = ("--device", "host", "--backend", "onnxruntime-qnn", "--runs", "1", "--breakdown")
    ended = benchmark(tmp_path, model, *arguments, "--soc", "SM8650")
    assert ended.status == 0, ended.errors
    breakdown = read_results(tmp_path / "results").models[0].breakdown
    assert breakdown.method == "prefix"
    assert breakdown.emulated
    assert breakdown.npu.partitions == 1
    cycles = {row.path: row.cycles for row in breakdown.npu.rows}
    assert sum(row.cycles for row in breakdown.npu.rows if row.depth == 1) == pytest.approx(
        cycles[""]
    )


@pytest.mark.parametrize(
    ("output", "meaning"),
    [
        (
            "<E> Stub lib id mismatch: expected (v2.28.2.241116104011_103376), detected "
            "(v2.25.17.241017130936_18858)",
            "libraries of QNN 2.28.2 and 2.25.17 are mixed",
        ),
        (
            "Error 0x72: apps_dev_init: untrusted app trying to offload to signed remote process "
            "(errno 111, Connection refused). Try offloading to unsignedPD",
            "does not allow unsigned code",
        ),
        (
            "<E> DspTransport.openSession qnn_open failed, 0x80000406\n"
            "<E> IDspTransport: Unable to load lib 0x80000406\n"
            "<E> Unable to load Skel Library. transportStatus: 9",
            "did not find its skel",
        ),
        ("remote_handle64_open failed (errno Success) (user err 0x80000600)", "another version"),
        (
            "<E> DspTransport.openSession qnn_open failed, 0x80000416\n<E> Failed to load skel",
            "cannot open a session",
        ),
        ('dlopen failed: library "libcdsprpc.so" not found', "has no libcdsprpc.so"),
        (
            "QNN SetupBackend failed Unable to load backend, error:  x/libQnnHtp.so: cannot open "
            "shared object file",
            "cannot be loaded: x/libQnnHtp.so: cannot open shared object file",
        ),
    ],
)
def test_messages_of_drivers_are_explained(output, meaning):
    fault = find_npu_fault(output)
    assert fault is not None
    assert meaning in fault.meaning
    assert "{" not in fault.meaning


def test_other_messages_are_unchanged():
    assert find_npu_fault("the time limit was reached while warming a model up") is None


@pytest.mark.slow
@pytest.mark.usefixtures("_npu")
def test_a_start_with_a_context_binary_computes_the_same(tmp_path):
    write_onnx(tmp_path / "model.onnx", metadata())
    arguments = ("--device", "host", "--backend", "onnxruntime-qnn", "--soc", "SM8650")
    ended = benchmark(tmp_path, tmp_path / "model.onnx", *arguments, "--runs", "1", "--cold-start")
    assert ended.status == 0, ended.errors
    assert "the QNN context binary" in ended.output
    rounds = read_results(tmp_path / "results").rounds
    starts = [one.loaded[0] for one in rounds if one.purpose == "start"]
    cached = [one for one in starts if one.cache_bytes is not None]
    assert (len(starts), len(cached)) == (20, 10)
    assert all(one.cache_bytes for one in cached)
    assert all(one.operators_on_cpu == 0 for one in cached)
