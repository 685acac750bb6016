"""Registry of `--table` kinds, used by checks, exports, help texts, documents and tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from seaformer.models.seaformer.variants import VARIANTS

TableName = Literal["precision", "threads", "cores", "sizes", "variants", "accelerators"]

THREADS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Kind:
    """A kind of table.

    Attributes:
        name: value of --table.
        title: heading of the table.
        row: noun for a row, such as "a precision".
        varies: the property (`studies.tables.arrangement`) in which the files differ, or the
            setting ("threads", "cores") that varies for one file, or "accelerator", where every
            row is a separate benchmark (`studies.accelerators`).
        alike: properties that all files must share.
        exported: the models that are exported when no MODEL is given, as text.
        variants: variants that are exported; empty for the requested one.
        sizes: input sizes in the notation of seaformer-export; empty for the task's size.
        precisions: whether every precision is exported, or only fp32.
        runs: default timed runs of each row: fewer where one row may take as long as all others
            together.
        columns: names of columns in `presentation.paper_table`.
    """

    name: TableName
    title: str
    row: str
    varies: str
    alike: tuple[str, ...]
    exported: str
    columns: tuple[str, ...]
    variants: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    precisions: bool = False
    runs: int = 50

    @property
    def is_of_accelerators(self) -> bool:
        """Whether every row is a separate benchmark."""
        return self.varies == "accelerator"

    @property
    def has_settings(self) -> bool:
        """Whether one file is measured with several settings."""
        return self.varies in ("threads", "cores")


_KINDS = (
    Kind(
        name="precision",
        title="Precisions",
        row="a precision",
        varies="precision",
        alike=("network", "input size", "head"),
        exported="every precision of Tiny with the built-in trained weights, at 256x256; of "
        "another --variant with random weights, for latency only",
        precisions=True,
        runs=20,
        columns=("precision", "time", "ratio", "megabytes", "score", "difference", "agreement"),
    ),
    Kind(
        name="threads",
        title="Threads",
        row="a number of threads: 1, 2, 4, 8, up to the number of cores",
        varies="threads",
        alike=(),
        exported="Tiny in fp32",
        columns=("threads", "cores", "time", "ratio", "speed-up", "efficiency"),
    ),
    Kind(
        name="cores",
        title="Classes of cores",
        row="a class of cores of the device: prime, big, little",
        varies="cores",
        alike=(),
        exported="Tiny in fp32",
        columns=("cores", "threads", "time", "ratio"),
    ),
    Kind(
        name="sizes",
        title="Input sizes",
        row="an input size",
        varies="input size",
        alike=("network", "precision", "head"),
        exported="Tiny in fp32 for images of 256, 384, 512 and 640 squared and 512x1024",
        sizes=("256", "384", "512", "640", "512x1024"),
        columns=(
            "input size",
            "pixels",
            "parameters",
            "MACs",
            "time",
            "ratio",
            "GFLOP/s",
            "per megapixel",
        ),
    ),
    Kind(
        name="variants",
        title="Variants",
        row="a network",
        varies="network",
        alike=("task", "precision", "input size", "head"),
        exported="Tiny, Small, Base and Large in fp32",
        variants=tuple(VARIANTS),
        columns=(
            "network",
            "parameters",
            "MACs",
            "time",
            "ratio",
            "GFLOP/s",
            "per megapixel",
            "paper",
            "paper ratio",
        ),
    ),
    Kind(
        name="accelerators",
        title="Accelerators",
        row="an accelerator: CPU with 1 and 4 threads, GPU in single and half precision, NPU",
        varies="accelerator",
        alike=(),
        exported="Tiny in fp32, for CPU and GPU",
        columns=(),
    ),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})
