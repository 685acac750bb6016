"""`seaformer-benchmark --blame`: the operator that a device computes differently.

The devices are this computer and the loopback phone, with the real runner and runtimes. Their only
fault is what they do with models that contain certain weights.
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
from phone_benchmarks import assert_left_clean, benchmark
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
"""Number of operators in the chain."""


def weights(place: int) -> np.ndarray:
    """Return the weights of an operator of the chain; all operators have different ones."""
    return np.random.default_rng(place).uniform(0.5, 1.5, (1, 1, 1, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a chain of products with weights."""
    model = SmallModel()
    output = source = model.tensor([1, 4, 4, 8])
    for place in range(COUNT):
        factor, product = model.tensor([1, 1, 1, 8], values=weights(place)), None
        product = model.tensor([1, 4, 4, 8])
        model.operator("MUL", [output, factor], [product], options=schema.MulOptionsT())
        output = product
    model.graph.inputs, model.graph.outputs = [source], [output]
    file = tmp_path_factory.mktemp("chain") / "chain.tflite"
    file.write_bytes(model.content())
    return file


class WithFault:
    """A device that changes or interrupts models with certain operators.

    Attributes:
        changed: returns the replacement for the content of a model that is sent.
        on_start: called with the runner's process when it runs a model with the operator 5.
        limit_s: time limit of that process; None for the requested one.
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
                    # So many that it is killed before it finishes.
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
        """Let the runner continue."""

    def open_workspace(self, key: str) -> Workspace:
        space = self.Space(super().open_workspace(key))  # type: ignore[misc]
        space.device, space.marked = self, set()
        return space


class WrongWeights(WithFault):
    """Operator 5 has other weights on this device."""

    def changed(self, content: bytes) -> bytes:
        return content.replace(weights(5).tobytes(), (2 * weights(5)).tobytes())


class WrongHost(WrongWeights, Host):
    pass


class WrongPhone(WrongWeights, Phone):
    pass


class PartlyRefusingHost(WrongHost):
    """Rejects models that end after operator 3 and before operator 7."""

    def changed(self, content: bytes) -> bytes:
        is_refused = weights(3).tobytes() in content and weights(7).tobytes() not in content
        return b"no model" if is_refused else super().changed(content)


class RefusingHost(WithFault, Host):
    """Rejects models with operator 5."""

    def changed(self, content: bytes) -> bytes:
        return b"no model" if weights(5).tobytes() in content else content


class CrashingHost(WithFault, Host):
    is_ended = True

    def on_start(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)


class HangingHost(WithFault, Host):
    limit_s = 0.5
    is_ended = True

    def on_start(self, pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)


class UnpluggedHost(WrongHost):
    """Is disconnected at the second model with operator 5."""

    left = 1

    def on_start(self, pid: int) -> None:
        del pid
        if not self.left:
            raise Unplugged("The phone is disconnected.")
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
    """Run the search, and return the saved results."""
    options = Options(command="", models=(file,), blame=accelerator, output=output, half=half)
    output.mkdir()
    with Progress(silent_console()) as progress:
        done = BlameRun(make_blame_request(options), device, progress).run()
    assert (output / BLAME_PAGE_NAME).stat().st_size
    saved = BlameResults.model_validate_json((output / BLAME_NAME).read_text())
    assert saved == done
    return saved


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
    ("kind", "outcome"), [(RefusingHost, "refused"), (CrashingHost, "died"), (HangingHost, "hangs")]
)
def test_an_operator_that_does_not_run_is_named(chain, tmp_path, kind, outcome):
    results = run(kind(), chain, tmp_path / "out")
    blamed = results.blamed
    assert results.verdict == "operator"
    assert (blamed.index, blamed.outcome, blamed.alone.outcome) == (5, outcome, outcome)
    assert blamed.reason
    assert blamed.inputs[0].value > 100


def test_truncated_models_that_do_not_run_leave_a_range(chain, tmp_path):
    results = run(PartlyRefusingHost(), chain, tmp_path / "out")
    assert results.verdict == "range"
    assert [one.index for one in results.suspects] == [3, 4, 5, 6, 7]
    assert results.blamed is None


@pytest.mark.parametrize(
    ("kind", "problem"), [(UnpluggedHost, "is disconnected"), (InterruptedHost, "interrupted")]
)
def test_trials_before_an_interruption_are_saved(chain, tmp_path, kind, problem):
    results = run(kind(), chain, tmp_path / "out")
    assert not results.complete
    assert problem in results.problem
    assert results.verdict == "unfinished"
    assert results.trials[0].outcome == "differs"


def test_a_device_that_fails_at_once_leaves_no_file(chain, tmp_path):
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
    """Write a file with an operator between others."""
    model = SmallModel()
    model.include((FAULTS / f"{name}.tflite").read_bytes())
    culprit = model.graph.operators.pop()
    shape = list(model.graph.tensors[model.graph.inputs[0]].shape)
    output = source = model.tensor(shape)
    for type in ("ABS", "TANH"):
        before, output = output, model.tensor(shape)
        model.operator(type, [before], [output])
    model.operator("NEG", [output], [model.graph.inputs[0]])
    model.graph.operators.append(culprit)
    before = model.graph.outputs[0]
    after = model.tensor(list(model.graph.tensors[before].shape))
    model.operator("TANH", [before], [after])
    model.graph.inputs, model.graph.outputs = [source], [after]
    file = folder / f"after_{name}.tflite"
    file.write_bytes(model.content())
    return file


def test_an_operator_with_little_effect_on_the_output_is_found_in_half_precision(tmp_path):
    """With a wide tolerance, the whole file can agree in spite of a wrong operator."""
    model = SmallModel()
    source, large, product, small, output = (model.tensor([1, 4, 4, 8]) for _ in range(5))
    factors = [model.tensor([1, 1, 1, 8], values=w) for w in (weights(5), weights(1) / 100)]
    model.operator("ABS", [source], [large])
    model.operator("MUL", [large, factors[0]], [product], options=schema.MulOptionsT())
    model.operator("MUL", [product, factors[1]], [small], options=schema.MulOptionsT())
    model.operator("ADD", [large, small], [output], options=schema.AddOptionsT())
    model.graph.inputs, model.graph.outputs = [source], [output]
    file = tmp_path / "small.tflite"
    file.write_bytes(model.content())
    results = run(WrongHost(), file, tmp_path / "out", half=True)
    assert results.trials[0].outcome == "agrees"
    assert (results.verdict, results.blamed.index, results.half) == ("operator", 1, True)


@pytest.mark.slow
def test_a_search_on_a_phone_leaves_nothing_there(chain, tmp_path, loopback_phone):
    results = run(WrongPhone(loopback_phone.serial), chain, tmp_path / "out")
    assert (results.blamed.index, results.blamed.alone.outcome) == (5, "differs")
    assert results.blamed.before_db > 100
    assert results.device.serial == loopback_phone.serial
    assert_left_clean(loopback_phone)


@pytest.mark.slow
def test_the_command_finds_no_fault_on_a_correct_phone(chain, tmp_path, loopback_phone):
    ended = benchmark(tmp_path, chain, "--blame", "cpu", "--device", loopback_phone.serial)
    assert (ended.status, ended.output.count("agrees with the reference")) == (0, 1), ended.errors
    ended = benchmark(
        tmp_path, chain, "--blame", "gpu", "--device", loopback_phone.serial, "--force"
    )
    assert ended.status == 1
    assert "OpenCL" in ended.error


@pytest.mark.parametrize("right", range(12))
def test_bisection_finds_every_position(right):
    tried: list[int] = []

    def is_right(count: int) -> bool:
        tried.append(count)
        return count <= right

    found = narrow(12, is_right)
    assert (found.right, found.wrong) == (right, right + 1)
    assert len(tried) <= 4


def test_bisection_avoids_inconclusive_lengths():
    found = narrow(100, lambda count: None if 40 < count < 43 else count <= 38)
    assert (found.right, found.wrong) == (38, 39)
    tried: list[int] = []
    assert narrow(100, lambda count: tried.append(count)) == narrow(100, lambda _: None)
    assert len(tried) == MAX_UNJUDGED


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"runs": 5}, "--runs cannot be combined with --blame"),
        ({"breakdown": True}, "--breakdown cannot be combined with --blame"),
        ({"models": ()}, "takes one .tflite or .onnx"),
        ({"models": (Path("absent.tflite"),)}, "'absent.tflite'"),
        ({"blame": "npu"}, "compiled into one operator"),
        ({"qairt": Path("libraries")}, "--qairt is for --backend"),
    ],
)
def test_options_that_cannot_be_combined_with_blame_are_refused(chain, changes, message):
    options = {"command": "", "models": (chain,), "blame": "cpu"} | changes
    with pytest.raises(UsageError, match=message):
        make_blame_request(Options(**options))
