"""Running one benchmark on several devices at the same time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, replace

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.devices.cores import Setting
from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.devices.errors import Canceled
from seaformer.benchmark.measure.backends import OFFICIAL_TOOL
from seaformer.benchmark.measure.energy_session import EnergySession
from seaformer.benchmark.measure.progress_display import Progress
from seaformer.benchmark.measure.request import Request
from seaformer.benchmark.measure.runner_session import RunnerSession
from seaformer.benchmark.measure.session import Save, Session, described
from seaformer.benchmark.measure.sustained_session import SustainedSession
from seaformer.benchmark.official_tool.tool_session import ToolSession
from seaformer.benchmark.results.schema import Results
from seaformer.interrupts import heeded

_TICK_S = 0.2


@dataclass(frozen=True)
class Outcome:
    """Outcome of one benchmark.

    Attributes:
        results: index and results of every device that measured anything.
        problems: failures of the other devices.
        interrupted: whether Ctrl-C stopped it.
    """

    results: tuple[tuple[int, Results], ...]
    problems: tuple[str, ...]
    interrupted: bool


def measure(
    request: Request,
    candidates: Sequence[Candidate],
    devices: Sequence[tuple[Device, Sequence[Setting]]],
    progress: Progress,
    saves: Sequence[Save],
    load: Candidate | None = None,
) -> Outcome:
    """Measure models on every device, with the settings of a single model if it has several.

    `load` is the model that runs beside them, if one does.

    Call it in `interrupts.deferred`, so that an interrupt cannot discard measurements before they
    are saved. `saves`, one for each device, get the results so far after every round.

    Raises:
        SeaformerError: the only device measured nothing, or files for a device are unavailable.
        KeyboardInterrupt: Ctrl-C before anything was measured.
    """
    kind = _kind(request)
    sessions = [
        kind(device, request, _at_settings(candidates, settings), progress, save, load)
        for (device, settings), save in zip(devices, saves, strict=True)
    ]
    with heeded():
        for session in sessions:
            session.get_ready()
    return _run_together(sessions)


def _kind(request: Request) -> type[Session]:
    if request.backend.name == OFFICIAL_TOOL:
        return ToolSession
    if request.options.energy_s is not None:
        return EnergySession
    return RunnerSession if request.options.sustain_s is None else SustainedSession


def _at_settings(
    candidates: Sequence[Candidate], settings: Sequence[Setting]
) -> Sequence[Candidate]:
    """Return the single model once per setting, under separate ids; without settings, all."""
    if not settings:
        return candidates
    (only,) = candidates
    return [replace(only, id=f"m{n}", setting=setting) for n, setting in enumerate(settings)]


def _run_together(sessions: Sequence[Session]) -> Outcome:
    """Run every session in a separate thread; Ctrl-C stops all of them, and each cleans up."""
    interrupted = False
    with ThreadPoolExecutor(len(sessions)) as pool:
        futures = [pool.submit(copy_context().run, session.run) for session in sessions]
        try:
            with heeded():
                # On some systems, joining a thread without a timeout does not notice Ctrl-C.
                while wait(futures, _TICK_S).not_done:
                    pass
        except KeyboardInterrupt:
            interrupted = True
            for session in sessions:
                session.device.cancel()
    results, problems = [], []
    for place, future in enumerate(futures):
        error = future.exception()
        if error is None:
            results.append((place, future.result()))
        elif not isinstance(error, Exception) or (len(sessions) == 1 and not interrupted):
            raise error
        elif not isinstance(error, Canceled):
            problems.append(described(error, sessions[place].device.serial))
    if interrupted and not results:
        raise KeyboardInterrupt
    return Outcome(tuple(results), tuple(problems), interrupted)
