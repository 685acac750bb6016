"""The names of compiled files, which include the chip."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from seaformer.artifact.chips import Chip


def compiled_name(name: str, chip: Chip) -> str:
    """The name of the compiled version of a file, such as net_fp32_SM8650.onnx."""
    path = Path(name)
    return f"{path.stem}_{chip.name}{path.suffix}"


def binary_name(name: str) -> str | None:
    """The name of the binary beside a compiled file, as ONNX Runtime names it, or None."""
    path = Path(name)
    return f"{path.stem}_qnn.bin" if path.suffix == ".onnx" else None


def compiled_paths(path: Path, chips: Sequence[Chip]) -> Iterator[Path]:
    """Yield the paths of the compiled versions of a file, without the JSON files beside them."""
    for chip in chips:
        name = compiled_name(path.name, chip)
        yield path.with_name(name)
        if (binary := binary_name(name)) is not None:
            yield path.with_name(binary)
