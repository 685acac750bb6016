"""Devices with a fault, simulated on this computer with the real runner and runtimes."""

import json
import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from benchmark_parts import ChangedWorkspace

from seaformer.benchmark.devices.device import (
    NO_VARIABLES,
    Conditions,
    DeviceFacts,
    Finished,
    OnLine,
    Workspace,
)
from seaformer.benchmark.devices.host import Host


class FaultyComputer(Host):
    """A computer on which the input and output of the runner can be changed."""

    plan = ""  # of the last run

    def change_plan(self, plan: str) -> str:
        """Return the text that the runner gets instead of a plan."""
        return plan

    def change_line(self, line: str) -> str:
        """Return the replacement for a line of the runner's output."""
        return line

    class _Space(ChangedWorkspace):
        device: "FaultyComputer"

        def write(self, name: str, data: bytes) -> None:
            if name == "plan":
                self.device.plan = data.decode()
                data = self.device.change_plan(self.device.plan).encode()
            super().write(name, data)

        def execute(
            self,
            program: str,
            arguments: Sequence[str],
            *,
            time_limit_s: float,
            on_line: OnLine = None,
            environment: Mapping[str, str] = NO_VARIABLES,
        ) -> Finished:
            def take(line: str) -> None:
                assert on_line is not None
                on_line(self.device.change_line(line))

            return super().execute(
                program,
                arguments,
                time_limit_s=time_limit_s,
                on_line=take,
                environment=environment,
            )

    def open_workspace(self, key: str) -> Workspace:
        space = self._Space(super().open_workspace(key))
        space.device = self
        return space

    @property
    def is_check(self) -> bool:
        """Whether the last plan is for a check."""
        return "\nblocks 0\n" in self.plan


class CrashingComputer(FaultyComputer):
    """Kills the runner while it checks a model, like a phone that is out of memory."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model

    def change_plan(self, plan: str) -> str:
        if not self.is_check or f"\nmodel {self._model}\n" not in plan:
            return plan
        # So many that it is killed before it finishes.
        return re.sub(r"\nwarmup-runs \d+\n", "\nwarmup-runs 10000\n", plan)

    def change_line(self, line: str) -> str:
        if self.is_check and f"\nmodel {self._model}\n" in self.plan and '"header"' in line:
            os.kill(json.loads(line)["pid"], signal.SIGKILL)
        return line


class StoppedClock(FaultyComputer):
    """The clock of the device does not advance."""

    def change_line(self, line: str) -> str:
        if '"block"' not in line:
            return line
        block = json.loads(line)
        return json.dumps(block | {"durations_ns": [0] * len(block["durations_ns"])})


class ChangedPlan(FaultyComputer):
    """Runs a different plan from the third measured round on."""

    rounds = 0

    def change_plan(self, plan: str) -> str:
        self.rounds += not self.is_check
        return plan.replace("threads 1\n", "threads 2\n") if self.rounds > 2 else plan


class UnsupportedComputer(Host):
    """Reports conditions that the parsers do not support."""

    looks_until_failure = 4

    def conditions(self) -> Conditions:
        self.looks_until_failure -= 1
        if self.looks_until_failure < 0:
            raise KeyError("skin")
        return super().conditions()


_Computer = TypeVar("_Computer", bound=Host)


def named(kind: type[_Computer], serial: str) -> _Computer:
    """Return this computer under the serial of a phone."""

    class Named(kind):  # type: ignore[misc, valid-type]
        def facts(self) -> DeviceFacts:
            return replace(super().facts(), serial=serial)

    device: _Computer = Named()
    device.serial = serial
    return device
