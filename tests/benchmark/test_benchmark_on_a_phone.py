"""The benchmark end to end: the real command and adb, and the runner and runtime of phones.

The phone is the loopback phone, whose processor is emulated. It shows that the parts work together,
not how fast anything is.
"""

import csv
import getpass
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback_phone.phone import LoopbackPhone
from loopback_phone.waiting import wait_until
from phone_benchmarks import Benchmark, Ended, assert_left_clean, benchmark

from seaformer.benchmark.devices.phone import Phone
from seaformer.benchmark.results.schema import STAGES, read_results
from seaformer.benchmark.runner.build import HERE
from seaformer.benchmark.runner.libraries import PUBLISHED

UGLY = 'it\'s "tiny"; $(touch owned) `id`\n& more ünïcode'
"""A name full of characters that are special to a shell."""


@pytest.fixture
def tflite(phone_export: Path) -> Path:
    return next(phone_export.glob("*.tflite"))


@pytest.fixture
def doctor(tmp_path: Path) -> Callable[[LoopbackPhone], Ended]:
    """Return a function that checks a phone with the real command."""
    return lambda phone: Benchmark(tmp_path, "doctor", phone.serial).ended()


def test_a_model_of_any_name_is_measured_and_verified_and_no_files_are_left(
    loopback_phone, tflite, tmp_path
):
    of_the_user = loopback_phone.storage / "holiday.jpg"
    of_the_user.write_bytes(b"mine")
    folder = tmp_path / UGLY
    folder.mkdir()
    model = folder / f"{UGLY}.tflite"
    shutil.copy(tflite, model)
    ended = benchmark(folder, model, "--runs", "2", "--frame", "160x90")
    assert ended.status == 0, ended.errors
    assert "not latency" in ended.output
    assert not list(tmp_path.rglob("owned"))
    assert loopback_phone.programs() == []
    assert loopback_phone.left_files() == [Path("holiday.jpg")]

    results = read_results(folder / "results")
    assert results.complete
    assert results.emulated
    assert results.device.is_emulated
    assert (results.device.soc, results.device.abi) == ("SM8250", "arm64-v8a")
    assert (results.cores.name, results.cores.cores, results.cores.mask) == ("prime", (7,), "80")
    assert results.cores.max_khz == {7: 2841600}
    assert results.runtime.version == PUBLISHED["litert"].version
    assert results.runtime.sha256 == PUBLISHED["litert"].sha256
    one = results.models[0]
    assert one.file == str(model)
    assert one.latency is None
    assert results.ratios == ()
    assert one.emulated is not None
    assert one.emulated.run is not None
    assert one.emulated.run.runs == 2
    assert one.emulated.classes is not None
    assert one.emulated.mask is not None
    # There are times only if the phone preprocesses the frame exactly as this computer does.
    assert one.frame is not None
    assert list(one.frame.stages) == list(STAGES)
    assert one.frame.frame_ms.runs == 2
    assert "frames of 160x90" in ended.output
    assert one.input.source == "photograph"
    # The results are equal in spite of another processor and another LiteRT.
    assert one.parity is not None
    assert one.parity.passed
    assert one.parity.agreement == 1.0
    assert one.parity.sqnr_db > 100
    timed = [block for one in results.rounds for block in one.blocks]
    assert timed
    assert all(set(block.cpus) == {7} for block in timed)

    with (folder / "results/results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == [str(model)]
    assert rows[0]["emulated"].lower() == "true"
    assert rows[0]["latency_median_ms"] == rows[0]["latency_frame_median_ms"] == ""
    assert float(rows[0]["emulated_median_ms"]) == one.emulated.run.median_ms


@pytest.mark.usefixtures("loopback_phone")
@pytest.mark.slow
def test_half_precision_is_used_on_a_processor_that_supports_it(shapes_export, tmp_path):
    """Armv8.2 and the emulated processor support it: outputs are close, but not equal."""
    model = shapes_export / "seaformer_tiny_shapes_128x128_fp32.tflite"
    ended = benchmark(tmp_path, model, "--runs", "1", "--half")
    assert ended.status == 0, ended.errors
    results = read_results(tmp_path / "results")
    assert results.protocol.half
    parity = results.models[0].parity
    assert parity is not None
    assert 30 == parity.min_sqnr_db < parity.sqnr_db < 80
    assert parity.agreement >= 0.98


@pytest.mark.slow
def test_files_kept_on_the_phone_are_not_sent_again(loopback_phone, tflite, tmp_path):
    assert benchmark(tmp_path, tflite, "--runs", "1", "--keep").status == 0
    assert loopback_phone.programs() == []
    assert {path.suffix for path in loopback_phone.left_files()} >= {".tflite", ".so"}
    once = loopback_phone.cable.bytes_to_phone
    assert once > tflite.stat().st_size
    other = ("--threads", "2", "--cores", "little", "--force")
    ended = benchmark(tmp_path, tflite, "--runs", "1", *other)
    assert ended.status == 0, ended.errors
    assert loopback_phone.cable.bytes_to_phone - once < 1 << 20
    assert_left_clean(loopback_phone)
    results = read_results(tmp_path / "results")
    assert (results.threads, results.cores.mask) == (2, "f")


@pytest.mark.slow
def test_several_phones_are_measured_at_once(switch_on, tflite, tmp_path):
    phones = [switch_on(), switch_on()]
    ended = benchmark(tmp_path, tflite, "--runs", "1", "--device", "all")
    assert ended.status == 0, ended.errors
    found = [read_results(path) for path in sorted((tmp_path / "results").glob("*/"))]
    assert {one.device.serial for one in found} == {phone.serial for phone in phones}
    assert all(one.complete and one.models[0].parity.passed for one in found)
    for phone in phones:
        assert_left_clean(phone)


def test_the_phones_of_two_adb_servers_are_measured_in_one_run(
    switch_on, other_adb_server, tmp_path
):
    tflite = HERE / "src" / "probe.tflite"  # the runner's own, which takes no export
    near, far = switch_on(), switch_on(server=other_adb_server)
    servers = [word for phone in (near, far) for word in ("--adb-server", phone.adb_server.address)]
    ended = benchmark(tmp_path, tflite, "--runs", "1", "--device", "all", *servers)
    assert ended.status == 0, ended.errors
    found = [read_results(path) for path in sorted((tmp_path / "results").glob("*/"))]
    assert {one.device.serial for one in found} == {near.serial, far.serial}
    assert all(one.complete and one.emulated and one.models[0].parity.passed for one in found)
    merged = (tmp_path / "results/report.html").read_text("utf-8")
    assert "Latency of 1 model on 2 devices" in merged
    assert "No latency can be stated" in merged
    assert all(phone.serial in merged.replace("<wbr>", "") for phone in (near, far))
    for phone in (near, far):
        assert_left_clean(phone)


@pytest.mark.slow
def test_a_hot_phone_is_waited_for_and_power_saving_is_reported(loopback_phone, tflite, tmp_path):
    loopback_phone.set_heat(status=2, skin_c=44.0)
    loopback_phone.set_battery(percent=3)
    loopback_phone.set_power(saves=True, wakefulness="Asleep")
    running = Benchmark(tmp_path, tflite, "--runs", "1")
    running.wait_until_it_prints("cooling down")
    loopback_phone.set_heat(status=0, skin_c=30.5)
    ended = running.ended()
    assert ended.status == 0, ended.errors
    results = running.saved()
    assert results.conditions_before.thermal_status == 2
    assert results.conditions_after is not None
    assert results.conditions_after.thermal_status == 0
    assert "30.5 °C" in ended.output
    for seen in ("the battery is at 3 %", "power saving is on", "the screen is off"):
        assert f"warning: {seen}" in ended.errors
        assert f"warning: {seen}" in ended.output
        assert any(warning.startswith(seen) for warning in results.warnings)


def test_a_phone_in_use_is_refused_and_not_disturbed(loopback_phone, tflite, tmp_path, doctor):
    with Phone(loopback_phone.serial).workspace("mine") as mine:
        mine.write("file", b"mine")
        ended = benchmark(tmp_path, tflite, "--time-limit", "1")
        assert ended.status == 1
        assert f"in use by '{getpass.getuser()}@" in ended.error
        assert f"process {os.getpid()}'" in ended.error
        assert not (tmp_path / "results").exists()
        examined = doctor(loopback_phone)
        assert examined.status == 1
        assert "in use" in " ".join(examined.output.split())
        assert mine.read("file") == b"mine"
    assert_left_clean(loopback_phone)


def test_onnx_runtime_is_measured(loopback_phone, phone_export, tmp_path):
    row = PUBLISHED["onnxruntime"]
    if not row.package.is_here and not os.environ.get("SEAFORMER_REQUIRE_ANDROID"):
        pytest.skip(
            f"ONNX Runtime for Android is {row.package.megabytes:.0f} MB and not in the cache; "
            "SEAFORMER_REQUIRE_ANDROID=1 fetches it"
        )
    model = next(phone_export.glob("*.onnx"))
    ended = benchmark(tmp_path, model, "--runs", "1")
    assert ended.status == 0, ended.errors
    results = read_results(tmp_path / "results")
    assert (results.backend, results.runtime.version) == ("onnxruntime", row.version)
    parity = results.models[0].parity
    assert parity is not None
    assert parity.passed
    assert parity.sqnr_db > 100
    assert_left_clean(loopback_phone)


def test_the_doctor_passes_a_good_phone(loopback_phone, doctor):
    ended = doctor(loopback_phone)
    assert ended.status == 0, ended.output + ended.errors
    assert "fail" not in ended.output
    assert_left_clean(loopback_phone)


def test_the_doctor_has_a_remedy_for_a_phone_that_runs_no_programs(switch_on, doctor):
    phone = switch_on(executes=False)
    ended = doctor(phone)
    assert ended.status == 1
    assert "noexec" in ended.output
    wait_until(lambda: phone.programs() == [], "nothing runs on the phone")
    assert phone.left_files() == []
