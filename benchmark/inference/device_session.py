"""An exported file on a device, with the interface of sessions of local runtimes."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from seaformer.artifact.accelerators import ACCELERATORS, CPU
from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.devices.errors import DeviceError
from seaformer.benchmark.devices.selection import select_one
from seaformer.benchmark.devices.server import AdbServer
from seaformer.benchmark.inference.device_inference import (
    DEFAULT,
    Inference,
    Settings,
    open_inference,
)
from seaformer.benchmark.inference.device_model import DeviceModel, read_device_model
from seaformer.benchmark.measure.backends import backend_on
from seaformer.benchmark.results.schema import Coverage
from seaformer.errors import SeaformerError, UsageError
from seaformer.runtimes.session import Array, Session


class DeviceSession(Session):
    """A file that runs on a device; its inputs and outputs are read on this computer."""

    def __init__(self, inference: Inference, model: DeviceModel) -> None:
        """Wrap a ready device without sending anything.

        Raises:
            SeaformerError: the model does not have exactly one input of a fixed shape.
        """
        path = model.path
        self.inputs, self.outputs = model.inputs, model.outputs
        self.metadata_text = model.metadata_text
        accelerator = ACCELERATORS[inference.backend.accelerator].title
        self.place = f"the {accelerator} of {inference.device}"
        self.path, self.runtime = path, inference.runtime
        if len(self.inputs) != 1 or None in self.inputs[0].shape:
            raise SeaformerError(
                f"'{path}' has {len(self.inputs)} inputs, or one of any size. Allowed on a device: "
                "one, of a fixed shape. Export it with --input-size."
            )
        self._inference, self._opened = inference, ExitStack()

    def resize(self, shape: Sequence[int]) -> None:
        """Refuse: the shape is fixed."""
        raise SeaformerError(
            f"'{self.path}' has a fixed shape on a device, which is not {list(shape)}. Export it "
            "with another --input-size."
        )

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Run once."""
        return self.run_many([inputs])[0]

    def run_many(self, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
        """Run on each sample; all samples are sent to the device together."""
        done = self._inference.run(self.path, [one for (one,) in samples])
        self.remark = _remark(self._inference, done.coverage)
        return done.outputs

    def close(self) -> None:
        """Release the device, if it was opened for this session.

        A disconnected phone is cleaned up by its next user.
        """
        with suppress(DeviceError):
            self._opened.close()


def _remark(inference: Inference, coverage: Coverage | None) -> str:
    """Describe unexpected conditions of the results."""
    accelerator, found = inference.backend.accelerator, []
    if accelerator != CPU and coverage is None:
        found.append(f"How much of it ran on the {accelerator} of {inference.device} is unknown.")
    elif coverage is not None and not coverage.full:
        counted = "the" if coverage.left is None else str(coverage.left)
        found.append(
            f"The CPU ran {counted} operators that the {accelerator} of {inference.device} did not "
            "support."
        )
    if inference.accelerator.is_emulated:
        found.append(f"Computed by {inference.accelerator.driver}, a program on the CPU.")
    if inference.device.is_emulated:
        found.append(f"The processor of {inference.device} is emulated: this is not a real phone.")
    return " ".join(found)


def opener_on(
    choice: str,
    accelerator: str,
    settings: Settings = DEFAULT,
    describe: Callable[[str], None] = lambda _: None,
    adb_servers: Sequence[AdbServer] = (),
) -> Callable[[Path], DeviceSession]:
    """Select the single device of --device; return a function that opens files on its accelerator.

    `adb_servers` are the servers whose phones are used; empty for this computer's.

    Raises:
        DeviceError: it does not exist, or is not ready.
    """
    selection = select_one(choice, "A model and its reference", adb_servers)
    if selection.note:
        describe(selection.note)
    (device,) = selection.devices
    return lambda path: open_device_session(path, device, accelerator, settings, describe)


def open_device_session(
    path: Path,
    device: Device,
    accelerator: str,
    settings: Settings = DEFAULT,
    describe: Callable[[str], None] = lambda _: None,
) -> DeviceSession:
    """Open a file on the accelerator of a device, which is released when the session closes.

    Raises:
        UsageError: no backend runs the file there.
        SeaformerError: as `open_inference` and `DeviceSession`.
    """
    backend = backend_on(accelerator, path)
    if settings.in_half and not backend.has_half:
        raise UsageError(f"{backend.title} has no option for half precision. Omit --half.")
    with ExitStack() as opened:
        model = read_device_model(path)
        inference = opened.enter_context(
            open_inference(device, backend, settings, describe, [model])
        )
        session = DeviceSession(inference, model)
        session._opened = opened.pop_all()
    return session
