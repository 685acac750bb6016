"""The load of --beside: what runs on other cores while models are measured."""

from collections.abc import Sequence

from seaformer.benchmark.candidates.candidate import Candidate
from seaformer.benchmark.devices.cores import CoreChoice, Setting, choose_beside, choose_cores
from seaformer.benchmark.devices.device import Core
from seaformer.benchmark.measure.options import CAMERA_LOAD, Options
from seaformer.benchmark.results.schema import CameraFrames, CoresUsed, LoadUsed
from seaformer.benchmark.runner.plan import PlannedCamera

CAMERA = PlannedCamera()
CAMERA_THREADS = 1

LOAD_ID = "load"
"""Id of the model that is the load."""


def choose(cores: Sequence[Core], options: Options) -> tuple[CoreChoice, Setting | None]:
    """Select the cores of the models, and cores and threads of the load; None without a load.

    Raises:
        UsageError: the device has no such cores, or too few.
    """
    if options.beside is None:
        return choose_cores(cores, options.cores, options.threads), None
    threads = CAMERA_THREADS if options.beside == CAMERA_LOAD else options.threads
    chosen, others = choose_beside(cores, options.cores, options.threads, threads)
    return chosen, Setting(threads, others)


def load_used(load: Candidate | None, cores: CoresUsed, threads: int) -> LoadUsed:
    """Describe the load for the results."""
    if load is None:
        width, height = reversed(CAMERA.frame_size)
        frames = CameraFrames(
            frame_size=(width, height),
            size=(CAMERA.size[1], CAMERA.size[0]),
            rate_per_s=CAMERA.rate,
        )
        return LoadUsed(
            kind="camera", threads=threads, cores=cores, file=None, sha256=None, camera=frames
        )
    return LoadUsed(
        kind="model",
        threads=threads,
        cores=cores,
        file=str(load.path),
        sha256=load.sha256,
        camera=None,
    )
