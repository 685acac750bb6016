"""Measuring the models of one benchmark, on several devices at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.devices.cores import Setting
from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.measure.backends import OFFICIAL_TOOL
from seaformer.benchmark.measure.progress_display import Progress
from seaformer.benchmark.measure.request import Request
from seaformer.benchmark.measure.runner_session import RunnerSession
from seaformer.benchmark.measure.session import Session
from seaformer.benchmark.official_tool.tool_session import ToolSession
from seaformer.benchmark.results.schema import Results
from seaformer.errors import SeaformerError

_TICK_S = 0.2


def measure(
    request: Request,
    candidates: Sequence[Candidate],
    devices: Sequence[tuple[Device, Sequence[Setting]]],
    progress: Progress,
) -> tuple[list[Results], list[str]]:
    """Measure models on every device, with the settings that the one model has there, if any.

    Returns:
        The results of every device that measured anything, and what failed on the others.

    Raises:
        SeaformerError: the only device measured nothing.
        KeyboardInterrupt: Ctrl-C before the only device measured anything.
    """
    kind = ToolSession if request.backend.name == OFFICIAL_TOOL else RunnerSession
    sessions = [
        kind(device, request, _at_settings(candidates, settings), progress)
        for device, settings in devices
    ]
    if len(sessions) == 1:
        return [sessions[0].run()], []
    return _run_together(sessions)


def _at_settings(
    candidates: Sequence[Candidate], settings: Sequence[Setting]
) -> Sequence[Candidate]:
    """Return the one model once for each setting, under ids of their own; without any, all."""
    if not settings:
        return candidates
    (only,) = candidates
    return [replace(only, id=f"m{n}", setting=setting) for n, setting in enumerate(settings)]


def _run_together(sessions: Sequence[Session]) -> tuple[list[Results], list[str]]:
    """Run every session in a thread of its own; Ctrl-C ends them all, and each cleans up."""
    with ThreadPoolExecutor(len(sessions)) as pool:
        futures = [pool.submit(session.run) for session in sessions]
        try:
            # Without a limit, waiting for threads does not notice Ctrl-C on every system.
            while wait(futures, _TICK_S).not_done:
                pass
        except KeyboardInterrupt:
            for session in sessions:
                session.device.cancel()
    results, problems = [], []
    for future in futures:
        error = future.exception()
        if error is None:
            results.append(future.result())
        elif isinstance(error, SeaformerError):
            problems.append(str(error))
        else:
            raise error
    return results, problems
