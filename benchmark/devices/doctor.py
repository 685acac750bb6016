"""`seaformer-benchmark doctor`: checks of everything that a benchmark needs from a device."""

import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
from rich.table import Table
from rich.text import Text

from seaformer.benchmark.devices.cores import classify, core_list
from seaformer.benchmark.devices.device import Conditions, Device, DeviceFacts, Workspace
from seaformer.benchmark.devices.errors import DeviceError, WrongProcessor
from seaformer.benchmark.devices.heat import COOL_BELOW_C, too_hot
from seaformer.benchmark.devices.listing import describe
from seaformer.benchmark.devices.parsers import whole_number
from seaformer.benchmark.devices.power import CHARGE, LOW_BATTERY_PERCENT, SAVES_POWER, WAKE
from seaformer.benchmark.devices.selection import Servers, select_devices
from seaformer.console import Console
from seaformer.errors import SeaformerError, UsageError

OK, WARN, FAIL, UNKNOWN, SKIPPED = "ok", "warning", "fail", "unknown", "skipped"

NOT_REPORTED = "not reported by the device"

_STYLES = {OK: "green", WARN: "yellow", FAIL: "bold red", UNKNOWN: "dim", SKIPPED: "dim"}

NEEDED_BYTES = 100_000_000
"""The runtime's library takes 40 MB on a phone, in addition to models and inputs."""

STEP_LIMIT_S = 60.0


class Finding(NamedTuple):
    """The result of a check."""

    state: str  # one of the above
    text: str  # observation
    advice: str = ""  # what to do about it


class DeviceUnderTest:
    """A device and a folder on it; facts and conditions are read when a check needs them."""

    def __init__(self, device: Device, workspace: Workspace) -> None:
        """Wrap a device without reading anything yet."""
        self.device = device
        self.workspace = workspace

    @cached_property
    def facts(self) -> DeviceFacts:
        """The facts about the device."""
        return self.device.facts()

    @cached_property
    def conditions(self) -> Conditions:
        """The current state of the device."""
        return self.device.conditions()

    def run(self, program: str, *arguments: str) -> tuple[int, str]:
        """Run a placed program; return its exit status and its output."""
        done = self.workspace.execute(program, arguments, time_limit_s=STEP_LIMIT_S)
        return done.exit_status, "\n".join(done.stdout_lines) or done.stderr.strip()


class Check(NamedTuple):
    """A check, which is a row of the table."""

    name: str
    examine: Callable[[DeviceUnderTest], Finding]  # raising a SeaformerError is a failure
    is_needed: bool = False  # whether later checks are skipped if it fails


def examine(choice: str, console: Console, servers: Servers = ()) -> bool:
    """Examine the devices selected by --device and --adb-server, and print the findings.

    Returns whether no check failed; warnings are not failures. Raises UsageError if no device, or
    more than one, is selected.
    """
    start = time.monotonic()
    try:
        selection = select_devices(choice, servers)
    except UsageError:
        raise
    except DeviceError as error:
        name = "processor" if isinstance(error, WrongProcessor) else "attached, authorized"
        _print(console, [(name, _failure(error))], start)
        return False
    if selection.note:
        console.print(selection.note, soft_wrap=True)
    is_well = True
    for device in selection.devices:
        start = time.monotonic()
        with console.status(f"examining {device.serial} ..."):
            findings = list(findings_of(device))
        console.print(device.serial, style="bold")
        _print(console, findings, start)
        is_well &= all(finding.state != FAIL for _, finding in findings)
    return is_well


def findings_of(device: Device) -> Iterator[tuple[str, Finding]]:
    """Yield name and finding of every check.

    The device has to be attached and authorized, with a supported processor.
    """
    try:
        with device.workspace("doctor") as workspace:
            yield from _check_all(DeviceUnderTest(device, workspace))
    except SeaformerError as error:
        yield "folder", _failure(error)


def _check_all(tested: DeviceUnderTest) -> Iterator[tuple[str, Finding]]:
    stopped_by = ""
    for check in CHECKS:
        if stopped_by:
            yield check.name, Finding(SKIPPED, f"needs '{stopped_by}'")
            continue
        try:
            finding = check.examine(tested)
        except SeaformerError as error:
            finding = _failure(error)
        yield check.name, finding
        if check.is_needed and finding.state == FAIL:
            stopped_by = check.name


def _failure(error: SeaformerError) -> Finding:
    if isinstance(error, DeviceError):
        return Finding(FAIL, error.problem, error.advice)
    return Finding(FAIL, str(error))


def _print(console: Console, findings: list[tuple[str, Finding]], start: float) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("details", overflow="fold")
    if any(finding.advice for _, finding in findings):
        table.add_column("what to do", overflow="fold")
    for name, finding in findings:
        state = Text(finding.state, style=_STYLES[finding.state])
        table.add_row(name, state, *filter(None, (finding.text, finding.advice)))
    console.print(table)
    failed = sum(finding.state == FAIL for _, finding in findings)
    verdict = f"{failed} failed" if failed else "no problems found"
    console.print(f"{verdict}, in {time.monotonic() - start:.1f} s")


def _authorized(tested: DeviceUnderTest) -> Finding:
    facts = tested.facts
    system = ", ".join(word for word in (facts.soc, facts.os) if word)
    return Finding(OK, f"{describe(facts)}{f' ({system})' if system else ''}")


def _processor(tested: DeviceUnderTest) -> Finding:
    text = f"{tested.facts.abi}: runner {tested.device.target}"
    if tested.device.is_emulated:
        return Finding(WARN, f"{text}, emulated", "Its times are shown, but they are not latency.")
    return Finding(OK, text)


def _space(tested: DeviceUnderTest) -> Finding:
    free = tested.conditions.free_bytes
    if free is None:
        return Finding(UNKNOWN, NOT_REPORTED)
    text = f"{free / 1e9:.1f} GB free"
    if free < NEEDED_BYTES:
        return Finding(FAIL, text, f"Free {NEEDED_BYTES / 1e6:.0f} MB on the device.")
    return Finding(OK, text)


def _folder(tested: DeviceUnderTest) -> Finding:
    data = bytes(range(256))
    tested.workspace.write("bytes", data)
    if tested.workspace.read("bytes") != data:
        return Finding(FAIL, "a file was corrupted in transfer", "Try another cable or port.")
    return Finding(OK, f"{tested.workspace.path} is writable and readable")


def _executes(tested: DeviceUnderTest) -> Finding:
    tested.workspace.place_script("greet", 'printf "%s" "$1"\n')
    greeting = 'it\'s "$(true)"'
    status, text = tested.run("greet", greeting)
    if (status, text) != (0, greeting):
        return Finding(FAIL, f"a script ended with status {status}: {text}", "Try another device.")
    return Finding(OK, "programs run from the folder")


def _heat(tested: DeviceUnderTest) -> Finding:
    now = tested.conditions
    warmest = now.temperature
    text = f"{warmest.kind} {warmest.celsius:.1f} °C" if warmest else "temperature unknown"
    if now.thermal_status is None:
        text += ", throttling not reported by the device"
    heat = too_hot(now, COOL_BELOW_C)
    if heat is not None:
        return Finding(WARN, heat, "Let it cool down; a benchmark waits for that automatically.")
    if now.thermal_status is None and warmest is None:
        return Finding(UNKNOWN, text)
    return Finding(OK, text)


def _battery(tested: DeviceUnderTest) -> Finding:
    percent = tested.conditions.battery_percent
    if percent is None:
        return Finding(UNKNOWN, f"no battery, or {NOT_REPORTED}")
    if percent < LOW_BATTERY_PERCENT:
        return Finding(WARN, f"{percent} %", CHARGE)
    return Finding(OK, f"{percent} %")


def _charging(tested: DeviceUnderTest) -> Finding:
    is_charging = tested.conditions.is_charging
    if is_charging is None:
        return Finding(UNKNOWN, NOT_REPORTED)
    if is_charging:
        return Finding(OK, "connected to power")
    return Finding(WARN, "not connected to power", "Plug it in: phones throttle to save power.")


def _power_saving(tested: DeviceUnderTest) -> Finding:
    saves_power = tested.conditions.saves_power
    if saves_power is None:
        return Finding(UNKNOWN, NOT_REPORTED)
    return Finding(WARN, "on", SAVES_POWER) if saves_power else Finding(OK, "off")


def _screen(tested: DeviceUnderTest) -> Finding:
    is_on = tested.conditions.is_screen_on
    if is_on is None:
        return Finding(UNKNOWN, NOT_REPORTED)
    return Finding(OK, "on") if is_on else Finding(WARN, "off", WAKE)


def _core_classes(tested: DeviceUnderTest) -> Finding:
    tested.workspace.place_script(
        "reach",
        "command -v taskset >/dev/null || exit 3\n"
        'for core in "$@"; do\n'
        '  taskset "${core%:*}" true 2>/dev/null || echo "${core#*:}"\n'
        "done\n",
    )
    cores = [core.index for core in tested.facts.cores]
    status, text = tested.run("reach", *(f"{1 << core:x}:{core}" for core in cores))
    if status:
        return Finding(UNKNOWN, "cannot be checked: the device has no taskset")
    missing = {core for line in text.split() if (core := whole_number(line)) is not None}
    classes = classify(tested.facts.cores)
    lost = [one.name for one in classes if missing.issuperset(one.cores)]
    seen = ", ".join(str(one) for one in classes)
    text = f"{seen}; not reachable: {', '.join(lost) or core_list(missing)}"
    if lost:
        return Finding(FAIL, text, "Choose other cores with --cores.")
    if missing:
        return Finding(WARN, text, "Exclude them from --cores.")
    return Finding(OK, seen)


def _runner(tested: DeviceUnderTest) -> Finding:
    from seaformer.benchmark.runner.binaries import runner_for

    tested.workspace.place(runner_for(tested.device.target), "runner", executable=True)
    status, text = tested.run("runner", "--version")
    if status or not text.startswith("seaformer-runner"):
        return Finding(FAIL, f"the runner ended with status {status}: {text}", "Please report it.")
    return Finding(OK, text)


def _model(tested: DeviceUnderTest) -> Finding:
    """Run the model in the runner's sources whose expected output is known (`probe.h`)."""
    from seaformer.benchmark.runner.build import HERE
    from seaformer.benchmark.runner.libraries import library_for
    from seaformer.benchmark.runner.plan import Plan, PlannedModel
    from seaformer.benchmark.runner.record import read_record

    library = library_for("litert", tested.device.target, None)
    steps = np.arange(-8, 22)
    workspace = tested.workspace
    workspace.place(HERE / "src" / "probe.tflite", "probe.tflite")
    workspace.place(library.path, library.path.name)
    workspace.write("input", (0.25 * steps).astype(np.float32).tobytes())
    plan = Plan(
        backend="litert",
        library=library.path.name,
        runtime_version=library.version,
        time_limit_s=STEP_LIMIT_S,
        models=(PlannedModel("probe", "probe.tflite", "input", "output"),),
    )
    workspace.write("plan", plan.text().encode())
    done = workspace.execute("runner", ["plan"], time_limit_s=STEP_LIMIT_S)
    record = read_record(done.stdout_lines)
    if done.exit_status or not record.complete:
        text = record.problem or f"the runner ended with status {done.exit_status}"
        return Finding(FAIL, text, "Please report this, with the name of the device.")
    output = np.frombuffer(workspace.read("output"), np.int8)
    if not np.array_equal(output, steps - 3):
        return Finding(FAIL, "a test model has a wrong output", "Do not measure on this device.")
    return Finding(OK, f"LiteRT {library.version} runs with correct output")


CHECKS = (
    Check("attached, authorized", _authorized),
    Check("processor", _processor),
    Check("space", _space),
    Check("folder", _folder, is_needed=True),
    Check("execution", _executes, is_needed=True),
    Check("heat", _heat),
    Check("battery", _battery),
    Check("charging", _charging),
    Check("power saving", _power_saving),
    Check("screen", _screen),
    Check("core classes", _core_classes),
    Check("runner", _runner, is_needed=True),
    Check("tiny model", _model),
)
"""All checks, in this order."""
