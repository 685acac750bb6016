"""What a model can be computed on: one table for checks, help, reports and documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from seaformer.errors import look_up


@dataclass(frozen=True)
class Accelerator:
    """A kind of processor, and how its results are verified.

    The thresholds are those of the precision: the GPU computes in single precision for the
    verification. Thresholds for results on a phone are looser, see `Precision`.

    Attributes:
        name: as given to --accelerator.
        title: name to show to people.
        runtimes: format -> what computes there.
        refuses: precision -> why it has none.
        verified_by: how it is verified on a computer.
        needs: what a user installs for that; "" for nothing.
        computes_half: whether phones compute files of floating point in half precision there,
            unless told otherwise.
    """

    name: str
    title: str
    runtimes: Mapping[str, str]
    refuses: Mapping[str, str]
    verified_by: str
    needs: str
    computes_half: bool

    def refusal(self, format: str, precision: str) -> str | None:
        """Return why it does not take such a file; None if it does."""
        if format not in self.runtimes:
            return f"it takes .{' and .'.join(self.runtimes)}, not .{format}"
        return self.refuses.get(precision)


CPU, GPU = "cpu", "gpu"
"""Every file is verified on the CPU, and on the others where that is possible."""

ACCELERATORS: Mapping[str, Accelerator] = MappingProxyType(
    {
        row.name: row
        for row in (
            Accelerator(
                name=CPU,
                title="CPU",
                runtimes={"tflite": "LiteRT, XNNPACK", "onnx": "ONNX Runtime"},
                refuses={},
                verified_by="the same runtime on this computer's processor",
                needs="",
                computes_half=False,
            ),
            Accelerator(
                name=GPU,
                title="GPU",
                runtimes={"tflite": "LiteRT's GPU accelerator"},
                refuses={"int16x8": "16-bit integers end its process"},
                verified_by="the same accelerator through WebGPU, on SwiftShader, a driver in "
                "software, or on this computer's GPU",
                needs="a Vulkan driver: apt-get install chromium brings one in software",
                computes_half=True,
            ),
        )
    }
)


def parse_accelerators(given: Sequence[str]) -> tuple[Accelerator, ...]:
    """Read the values of --accelerator: names, or lists of names with commas.

    Returns:
        Each once; none if none is given.

    Raises:
        UsageError: a name is unknown.
    """
    names = dict.fromkeys(name.strip() for value in given for name in value.split(","))
    return tuple(look_up(ACCELERATORS, "accelerator", name) for name in names)
