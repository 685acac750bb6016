"""The load on other processors: it runs when it should, where it should, and ends."""

import json
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from loopback_phone.waiting import wait_until
from rounds import BACKENDS, TARGET, Done, add_probe, assert_gave_up, basic_plan, run_plan, run_text

from seaformer.benchmark.runner.binaries import runner_for
from seaformer.benchmark.runner.plan import Plan, PlannedCamera, PlannedLoad, PlannedModel
from seaformer.benchmark.runner.plan_check import plan_mismatch
from seaformer.benchmark.runner.record import Status
from seaformer.errors import UsageError

CPUS = sorted(os.sched_getaffinity(0))

two_processors = pytest.mark.skipif(len(CPUS) < 2, reason="there is no other processor")


def plan_beside(folder: Path, backend: str, camera: bool = False, **changes: object) -> Plan:
    """Return a plan with a load on the last processor."""
    model = add_probe(folder, backend)
    what = PlannedCamera() if camera else add_probe(folder, backend, "load")
    load = PlannedLoad((CPUS[-1],), 1, what)
    return basic_plan(backend, model, cpus=(CPUS[0],), load=load, **changes)


def assert_alternates(done: Done, plan: Plan) -> None:
    """Check a complete record, whose load ran beside half of the blocks, and has ended."""
    assert done.status == Status.DONE, done.stderr
    record = done.record
    assert plan_mismatch(plan, record) is None
    assert record.load is not None
    assert record.header is not None
    assert record.load.pid != record.header.pid
    assert record.load.cpus == (CPUS[-1],)
    assert not psutil.pid_exists(record.load.pid)
    for number in range(plan.blocks):
        halves = [block.is_beside for block in record.blocks if block.round == number]
        assert sorted(halves) == [False, True]
    for block in record.blocks:
        assert set(block.cpus) == {CPUS[0]}
        assert block.settling_ns is not None  # the data in the caches may be another's
        if not block.is_beside:
            assert (block.load_count, block.load_cpus) == (0, ())


@two_processors
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_model_runs_beside_another_in_half_of_the_blocks(backend: str, tmp_path: Path) -> None:
    plan = plan_beside(tmp_path, backend, blocks=20, runs_per_block=3000)
    done = run_plan(tmp_path, plan)
    assert_alternates(done, plan)
    beside = [block for block in done.record.blocks if block.is_beside]
    # A busy computer may leave it no time during single blocks.
    assert sum(block.load_count or 0 for block in beside) > 0
    for block in beside:
        assert block.load_cpus == ((CPUS[-1],) if block.load_count else ())
    # The order of the halves is random.
    assert {block.is_beside for block in done.record.blocks[::2]} == {False, True}


@two_processors
def test_a_camera_gives_no_more_frames_than_arrive(tmp_path: Path) -> None:
    camera = PlannedCamera(frame_size=(48, 64), size=(32, 32), rate=200.0)
    plan = plan_beside(tmp_path, "litert", camera=True, blocks=4, runs_per_block=50_000)
    assert plan.load is not None
    plan = replace(plan, load=replace(plan.load, what=camera))
    done = run_plan(tmp_path, plan)
    assert_alternates(done, plan)
    beside = [block for block in done.record.blocks if block.is_beside]
    assert sum(block.load_count or 0 for block in beside) > 0
    assert {cpu for block in beside for cpu in block.load_cpus} == {CPUS[-1]}
    moments = [block.started_ns for block in done.record.blocks]
    whole_s = (moments[-1] - moments[0] + sum(beside[-1].durations_ns)) / 1e9
    assert sum(block.load_count or 0 for block in beside) <= 200 * whole_s + len(beside)


@two_processors
def test_a_load_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    plan = plan_beside(tmp_path, "litert")
    assert plan.load is not None
    assert isinstance(plan.load.what, PlannedModel)
    (tmp_path / plan.load.what.file).write_bytes(b"no model")
    done = run_plan(tmp_path, plan)
    assert_gave_up(done, Status.NO_LOAD, "the load beside the models ended: LiteRT refuses")


def started(folder: Path, plan: Plan) -> tuple["subprocess.Popen[str]", psutil.Process]:
    """Start a plan; return the runner and the load, once it has run beside a block."""
    (folder / "plan").write_text(plan.text())
    runner = subprocess.Popen(
        [runner_for(TARGET), folder / "plan"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert runner.stdout is not None
    load = None
    for text in runner.stdout:
        line = json.loads(text)
        if line["type"] == "load":
            load = psutil.Process(line["pid"])
        if line.get("is_beside"):
            break
    assert load is not None
    return runner, load


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@two_processors
@pytest.mark.parametrize("camera", [False, True])
def test_the_load_is_a_child_on_its_processor_and_ends_with_a_killed_runner(
    camera: bool, tmp_path: Path
) -> None:
    plan = plan_beside(tmp_path, "litert", camera, blocks=100_000, runs_per_block=1000)
    runner, load = started(tmp_path, plan)
    assert load.ppid() == runner.pid
    assert load.cpu_affinity() == [CPUS[-1]]
    runner.kill()
    runner.communicate()
    wait_until(lambda: has_ended(load), "the load has ended")


@two_processors
def test_a_killed_load_ends_the_run(tmp_path: Path) -> None:
    plan = plan_beside(tmp_path, "litert", blocks=100_000, runs_per_block=1000)
    runner, load = started(tmp_path, plan)
    os.kill(load.pid, signal.SIGKILL)
    _, errors = runner.communicate(timeout=60)
    assert runner.returncode == Status.NO_LOAD
    assert "the load beside the models ended: it was killed" in errors


def test_incomplete_and_impossible_loads_are_refused(tmp_path: Path) -> None:
    text = plan_beside(tmp_path, "litert", camera=True).text()
    for line, instead, message in (
        ("load-threads 1\n", "", "the load is not complete"),
        ("load-camera 720 1280", "load-camera 721 1280", "load-camera needs even sides"),
        (
            "load-camera 720 1280 512 512",
            "load-camera 720 1280",
            "load-camera is '33333333', allowed are 2 to 8192",
        ),
    ):
        assert line in text
        assert_gave_up(run_text(tmp_path, text.replace(line, instead)), Status.BAD_PLAN, message)
    with pytest.raises(UsageError, match="cpus are"):
        PlannedLoad((), 1, PlannedCamera())
    with pytest.raises(UsageError, match="rate is 0"):
        PlannedCamera(rate=0.0)
