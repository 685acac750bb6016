"""The command line of the two versions of `benchmark_model`.

TensorFlow Lite's classic tool has `--enable_op_profiling`, and later versions of it accept an input
and write the output. LiteRT's newer tool has `--use_profiler` and only runs on random numbers, so
its output cannot be compared. They are distinguished by `--help`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from seaformer.errors import SeaformerError

CLASSIC_FLAG = "--enable_op_profiling"
NEWER_FLAG = "--use_profiler"
OUTPUT_FLAG = "--output_filepath"
INPUT_FLAG = "--input_layer_value_files"

FOREVER_S = 86400
"""Without this limit, the tool stops after its default time, with fewer runs than requested."""


@dataclass(frozen=True)
class Tool:
    """A binary of the tool."""

    title: str
    is_classic: bool
    shows_output: bool  # whether it accepts an input and writes the output


@dataclass(frozen=True)
class Input:
    """The input of a model, and the file for its output."""

    name: str  # of the tensor in the model
    shape: Sequence[int]
    file: str  # with its bytes, next to the tool
    output_file: str  # file to write


def recognize(help_text: str) -> Tool:
    """Recognize a tool by its `--help`; raises SeaformerError if it is neither."""
    if CLASSIC_FLAG in help_text:
        shows = OUTPUT_FLAG in help_text and INPUT_FLAG in help_text
        return Tool("benchmark_model (TensorFlow Lite)", True, shows)
    if NEWER_FLAG in help_text:
        return Tool("benchmark_model (LiteRT)", False, False)
    raise SeaformerError(
        "the program given with --binary is not benchmark_model: its --help has neither "
        f"{CLASSIC_FLAG} nor {NEWER_FLAG}. Give the official binary for the device."
    )


def arguments(
    tool: Tool, graph: str, *, threads: int, warmup_runs: int, runs: int, given: Input | None = None
) -> list[str]:
    """Return the arguments to time `runs` inferences of a model's file, after the warm-up.

    `given` is used by a tool that `shows_output`.
    """
    words = [
        f"--graph={graph}",
        f"--num_threads={threads}",
        f"--warmup_runs={warmup_runs}",
        f"--num_runs={runs}",
        "--warmup_min_secs=0",
        "--min_secs=0",
        f"--max_secs={FOREVER_S}",
        "--report_peak_memory_footprint=true",
    ]
    if tool.is_classic:
        words.append("--use_xnnpack=true")
    if given is not None:
        words += [
            f"--input_layer={given.name}",
            f"--input_layer_shape={','.join(map(str, given.shape))}",
            f"{INPUT_FLAG}={given.name.replace(':', chr(92) + ':')}:{given.file}",
            f"{OUTPUT_FLAG}={given.output_file}",
        ]
    return words
