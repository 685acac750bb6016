"""`seaformer-benchmark --blame`: the operator that a device computes differently.

The devices are this computer and the loopback phone, with the real runner and runtimes. One thing
about them is wrong: what they make of models that have certain weights.
"""

import os
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from benchmark_parts import ChangedWorkspace
from locations import SAMPLES
from phone_benchmarks import assert_left_as_it_was, benchmark
from small_tflite import SmallModel

from seaformer.benchmark.blame.blame_request import make_blame_request
from seaformer.benchmark.blame.blame_run import BlameRun
from seaformer.benchmark.blame.narrowing import MAX_UNJUDGED, narrow
from seaformer.benchmark.devices.device import NO_VARIABLES, Device, Finished, Workspace
from seaformer.benchmark.devices.errors import Unplugged
from seaformer.benchmark.devices.host import Host
from seaformer.benchmark.devices.phone import Phone
from seaformer.benchmark.measure.options import Options
from seaformer.benchmark.measure.progress_display import Progress
from seaformer.benchmark.results.blame_results import BLAME_NAME, BLAME_PAGE_NAME, BlameResults
from seaformer.console import silent_console
from seaformer.errors import UsageError

FAULTS = SAMPLES / "accelerator_faults"
COUNT = 9
"""Operators of the chain."""


def weights(place: int) -> np.ndarray:
    """Those of an operator of the chain, which no other one has."""
    return np.random.default_rng(place).uniform(0.5, 1.5, (1, 1, 1, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Products with weights, one after another."""
    model = SmallModel()
    made = given = model.tensor([1, 4, 4, 8])
    for place in range(COUNT):
        factor, product = model.tensor([1, 1, 1, 8], values=weights(place)), None
        product = model.tensor([1, 4, 4, 8])
        model.operator("MUL", [made, factor], [product], options=schema.MulOptionsT())
        made = product
    model.graph.inputs, model.graph.outputs = [given], [made]
    file = tmp_path_factory.mktemp("chain") / "chain.tflite"
    file.write_bytes(model.content())
    return file


class WithFault:
    """A workspace in which models of certain operators are not what they are elsewhere.

    Attributes:
        changes: what becomes of the content of a model that is sent.
        on_start: called with the runner's process when it runs a model with the operator 5.
        limit_s: how long that process gets; None for as long as it is given.
        is_ended: whether `on_start` ends or stops that process.
    """

    limit_s: float | None = None
    is_ended = False

    class Space(ChangedWorkspace):
        device: Any
        marked: set[str]
        is_marked = False

        def place(self, local: Path, name: str, executable: bool = False) -> bool:
            if local.suffix != ".tflite":
                return super().place(local, name, executable)
            content = local.read_bytes()
            if weights(5).tobytes() in content:
                self.marked.add(name)
            other = local.with_name(f"sent_{local.name}")
            other.write_bytes(self.device.changed(content))
            return super().place(other, name, executable)

        def write(self, name: str, data: bytes) -> None:
            if name == "plan":
                self.is_marked = any(one.encode() in data for one in self.marked)
                if self.is_marked and self.device.is_ended:
                    # So many that it is ended before it is through.
                    data = re.sub(rb"warmup-runs \d+", b"warmup-runs 100000", data)
            super().write(name, data)

        def execute(
            self,
            program: str,
            arguments: Any,
            *,
            time_limit_s: float,
            on_line: Callable[[str], None] | None = None,
            environment: Mapping[str, str] = NO_VARIABLES,
        ) -> Finished:
            def watch(line: str) -> None:
                assert on_line is not None
                on_line(line)
                if '"pid":' in line and self.is_marked:
                    self.device.on_start(int(line.split('"pid":')[1].split(",")[0]))

            return super().execute(
                program,
                arguments,
                time_limit_s=(self.is_marked and self.device.limit_s) or time_limit_s,
                on_line=watch,
                environment=environment,
            )

    def changed(self, content: bytes) -> bytes:
        return content

    def on_start(self, pid: int) -> None:
        """Let the runner go on."""

    def open_workspace(self, key: str) -> Workspace:
        space = self.Space(super().open_workspace(key))  # type: ignore[misc]
        space.device, space.marked = self, set()
        return space


class WrongWeights(WithFault):
    """The operator 5 has other weights there."""

    def changed(self, content: bytes) -> bytes:
        return content.replace(weights(5).tobytes(), (2 * weights(5)).tobytes())


class WrongHost(WrongWeights, Host):
    pass


class WrongPhone(WrongWeights, Phone):
    pass


class PartlyRefusingHost(WrongHost):
    """Does not take models that end after the operator 3 and before the operator 7."""

    def changed(self, content: bytes) -> bytes:
        is_refused = weights(3).tobytes() in content and weights(7).tobytes() not in content
        return b"no model" if is_refused else super().changed(content)


class RefusingHost(WithFault, Host):
    """Takes no model with the operator 5."""

    def changed(self, content: bytes) -> bytes:
        return b"no model" if weights(5).tobytes() in content else content


class DyingHost(WithFault, Host):
    is_ended = True

    def on_start(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)


class HangingHost(WithFault, Host):
    limit_s = 0.5
    is_ended = True

    def on_start(self, pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)


class UnpluggedHost(WrongHost):
    """Goes away at the second model with the operator 5."""

    left = 1

    def on_start(self, pid: int) -> None:
        del pid
        if not self.left:
            raise Unplugged("The phone went away.")
        self.left -= 1


class InterruptedHost(UnpluggedHost):
    def on_start(self, pid: int) -> None:
        del pid
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1


def run(
    device: Device, file: Path, output: Path, accelerator: str = "cpu", half: bool = False
) -> BlameResults:
    """Search, and return what is in the file."""
    asked = Options(command="", models=(file,), blame=accelerator, output=output, half=half)
    output.mkdir()
    with Progress(silent_console()) as progress:
        done = BlameRun(make_blame_request(asked), device, progress).run()
    assert (output / BLAME_PAGE_NAME).stat().st_size
    kept = BlameResults.model_validate_json((output / BLAME_NAME).read_text())
    assert kept == done
    return kept


def test_the_operator_whose_weights_are_wrong_on_the_device_is_named(chain, tmp_path):
    results = run(WrongHost(), chain, tmp_path / "out")
    assert (results.verdict, results.complete) == ("operator", True)
    assert len(results.trials) <= 2 + np.ceil(np.log2(COUNT)) + 1
    blamed = results.blamed
    assert (blamed.index, blamed.type, blamed.outcome) == (5, "MUL", "differs")
    assert blamed.before_db > 100
    assert blamed.after_db < 1
    assert blamed.inputs[1].is_constant
    assert blamed.alone.outcome == "differs"
    assert weights(5).tobytes() in (tmp_path / "out" / blamed.file).read_bytes()


@pytest.mark.parametrize(
    ("kind", "outcome"), [(RefusingHost, "refused"), (DyingHost, "died"), (HangingHost, "hangs")]
)
def test_the_operator_that_is_not_run_is_named(chain, tmp_path, kind, outcome):
    results = run(kind(), chain, tmp_path / "out")
    blamed = results.blamed
    assert results.verdict == "operator"
    assert (blamed.index, blamed.outcome, blamed.alone.outcome) == (5, outcome, outcome)
    assert blamed.reason
    assert blamed.inputs[0].value > 100


def test_models_that_do_not_run_although_the_whole_does_leave_a_range(chain, tmp_path):
    results = run(PartlyRefusingHost(), chain, tmp_path / "out")
    assert results.verdict == "range"
    assert [one.index for one in results.suspects] == [3, 4, 5, 6, 7]
    assert results.blamed is None


@pytest.mark.parametrize(
    ("kind", "problem"), [(UnpluggedHost, "went away"), (InterruptedHost, "interrupted")]
)
def test_what_was_tried_before_the_end_is_kept(chain, tmp_path, kind, problem):
    results = run(kind(), chain, tmp_path / "out")
    assert not results.complete
    assert problem in results.problem
    assert results.verdict == "unfinished"
    assert results.trials[0].outcome == "differs"


def test_a_device_that_does_not_work_at_all_leaves_nothing(chain, tmp_path):
    device = UnpluggedHost()
    device.left = 0
    with pytest.raises(Unplugged):
        run(device, chain, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.usefixtures("gpu")
def test_faults_of_the_gpu_accelerator_are_found_by_the_runner(tmp_path):
    results = run(Host(), after_others("mul_b1_const_b4", tmp_path), tmp_path / "mul", "gpu")
    assert (results.blamed.index, results.blamed.type) == (3, "MUL")
    assert results.blamed.before_db > 60
    assert results.blamed.after_db < 3
    assert results.blamed.alone.outcome == "differs"
    assert results.emulated
    results = run(Host(), FAULTS / "bmm_b4_constb1.tflite", tmp_path / "product", "gpu")
    assert results.blamed.type == "BATCH_MATMUL"
    results = run(Host(), FAULTS / "mul_4d_h1_const_h4.tflite", tmp_path / "right", "gpu")
    assert (results.verdict, results.blamed) == ("agrees", None)


def after_others(name: str, folder: Path) -> Path:
    """A file of one operator with others before and behind it."""
    model = SmallModel()
    model.include((FAULTS / f"{name}.tflite").read_bytes())
    culprit = model.graph.operators.pop()
    shape = list(model.graph.tensors[model.graph.inputs[0]].shape)
    made = given = model.tensor(shape)
    for type in ("ABS", "TANH"):
        before, made = made, model.tensor(shape)
        model.operator(type, [before], [made])
    model.operator("NEG", [made], [model.graph.inputs[0]])
    model.graph.operators.append(culprit)
    before = model.graph.outputs[0]
    after = model.tensor(list(model.graph.tensors[before].shape))
    model.operator("TANH", [before], [after])
    model.graph.inputs, model.graph.outputs = [given], [after]
    file = folder / f"after_{name}.tflite"
    file.write_bytes(model.content())
    return file


def test_an_operator_whose_error_is_small_in_the_whole_is_found_in_half_precision(tmp_path):
    """With a wide tolerance a whole can agree that has a wrong operator in it."""
    model = SmallModel()
    given, large, product, small, made = (model.tensor([1, 4, 4, 8]) for _ in range(5))
    factors = [model.tensor([1, 1, 1, 8], values=w) for w in (weights(5), weights(1) / 100)]
    model.operator("ABS", [given], [large])
    model.operator("MUL", [large, factors[0]], [product], options=schema.MulOptionsT())
    model.operator("MUL", [product, factors[1]], [small], options=schema.MulOptionsT())
    model.operator("ADD", [large, small], [made], options=schema.AddOptionsT())
    model.graph.inputs, model.graph.outputs = [given], [made]
    file = tmp_path / "small.tflite"
    file.write_bytes(model.content())
    results = run(WrongHost(), file, tmp_path / "out", half=True)
    assert results.trials[0].outcome == "agrees"
    assert (results.verdict, results.blamed.index, results.half) == ("operator", 1, True)


@pytest.mark.slow
def test_the_phone_is_searched_and_left_as_it_was(chain, tmp_path, loopback_phone):
    results = run(WrongPhone(loopback_phone.serial), chain, tmp_path / "out")
    assert (results.blamed.index, results.blamed.alone.outcome) == (5, "differs")
    assert results.blamed.before_db > 100
    assert results.device.serial == loopback_phone.serial
    assert_left_as_it_was(loopback_phone)


@pytest.mark.slow
def test_a_phone_that_computes_the_same_by_the_command(chain, tmp_path, loopback_phone):
    ended = benchmark(tmp_path, chain, "--blame", "cpu", "--device", loopback_phone.serial)
    assert (ended.status, ended.output.count("agrees with the reference")) == (0, 1), ended.errors
    ended = benchmark(
        tmp_path, chain, "--blame", "gpu", "--device", loopback_phone.serial, "--force"
    )
    assert ended.status == 1
    assert "OpenCL" in ended.error


@pytest.mark.parametrize("right", range(12))
def test_bisection_finds_every_place(right):
    tried: list[int] = []

    def is_right(count: int) -> bool:
        tried.append(count)
        return count <= right

    found = narrow(12, is_right)
    assert (found.right, found.wrong) == (right, right + 1)
    assert len(tried) <= 4


def test_bisection_goes_around_what_cannot_be_judged():
    found = narrow(100, lambda count: None if 40 < count < 43 else count <= 38)
    assert (found.right, found.wrong) == (38, 39)
    tried: list[int] = []
    assert narrow(100, lambda count: tried.append(count)) == narrow(100, lambda _: None)
    assert len(tried) == MAX_UNJUDGED


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"runs": 5}, "--runs cannot be combined with --blame"),
        ({"breakdown": True}, "--breakdown cannot be combined with --blame"),
        ({"models": ()}, "takes one .tflite or .onnx"),
        ({"models": (Path("absent.tflite"),)}, "'absent.tflite'"),
        ({"blame": "npu"}, "compiled into one operator"),
        ({"qairt": Path("libraries")}, "--qairt is for --backend"),
    ],
)
def test_what_does_not_go_with_blame_is_refused(chain, asked, message):
    options = {"command": "", "models": (chain,), "blame": "cpu"} | asked
    with pytest.raises(UsageError, match=message):
        make_blame_request(Options(**options))
