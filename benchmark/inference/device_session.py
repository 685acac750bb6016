"""An exported file on a device, as a session like those of this computer's runtimes."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from seaformer.benchmark.devices.device import Device
from seaformer.benchmark.inference.device_inference import (
    DEFAULT,
    Inference,
    Settings,
    open_inference,
)
from seaformer.benchmark.measure.backends import backend_on
from seaformer.errors import SeaformerError
from seaformer.runtimes import open_session
from seaformer.runtimes.session import Array, Session


class DeviceSession(Session):
    """A file that runs on a device; what it takes and gives is read on this computer."""

    def __init__(self, inference: Inference, path: Path) -> None:
        """Take a device that is ready; nothing is sent yet.

        Raises:
            SeaformerError: the file cannot be read, or has not one input of a fixed shape.
        """
        with open_session(path) as here:
            self.inputs, self.outputs = here.inputs, here.outputs
            self.metadata_text = here.metadata_text
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
            f"'{self.path}' has a fixed shape on a device, not {list(shape)}. Export another file."
        )

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Run once."""
        return self.run_many([inputs])[0]

    def run_many(self, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
        """Run on each sample; all go to the device together."""
        return self._inference.run(self.path, [one for (one,) in samples]).outputs

    def close(self) -> None:
        """Give the device back, if it was opened for this session."""
        self._opened.close()


def open_device_session(
    path: Path,
    device: Device,
    accelerator: str,
    settings: Settings = DEFAULT,
    describe: Callable[[str], None] = lambda _: None,
) -> DeviceSession:
    """Open a file on the accelerator of a device, which is given back when the session closes.

    Raises:
        UsageError: no backend runs such a file there.
        SeaformerError: as `open_inference` and `DeviceSession`.
    """
    backend = backend_on(accelerator, path)
    with ExitStack() as opened:
        inference = opened.enter_context(open_inference(device, backend, settings, describe))
        session = DeviceSession(inference, path)
        session._opened = opened.pop_all()
    return session
