"""The command line of `benchmark_model`, of which there are two kinds.

The classic tool of TensorFlow Lite knows `--enable_op_profiling`; later versions of it can be given
an input and asked for the output. LiteRT's newer tool knows `--use_profiler` and runs on random
numbers only, so its output cannot be compared. Which one a binary is, its `--help` tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from seaformer.errors import SeaformerError

CLASSIC_FLAG = "--enable_op_profiling"
NEWER_FLAG = "--use_profiler"
OUTPUT_FLAG = "--output_filepath"
INPUT_FLAG = "--input_layer_value_files"

FOREVER_S = 86400
"""The tool stops after a time of its own otherwise, whatever number of runs it was asked for."""


@dataclass(frozen=True)
class Tool:
    """A binary of the tool."""

    title: str
    is_classic: bool
    shows_output: bool  # whether it takes an input and writes the output


@dataclass(frozen=True)
class Input:
    """What a model is given, and where its answer goes."""

    name: str  # of the tensor in the model
    shape: Sequence[int]
    file: str  # of its bytes, beside the tool
    output_file: str  # to be written


def recognise(help_text: str) -> Tool:
    """Tell by its `--help` which of the tools a binary is; SeaformerError if it is neither."""
    if CLASSIC_FLAG in help_text:
        shows = OUTPUT_FLAG in help_text and INPUT_FLAG in help_text
        return Tool("benchmark_model (TensorFlow Lite)", True, shows)
    if NEWER_FLAG in help_text:
        return Tool("benchmark_model (LiteRT)", False, False)
    raise SeaformerError(
        "the program given with --binary is no benchmark_model: its --help knows neither "
        f"{CLASSIC_FLAG} nor {NEWER_FLAG}. Give the official binary for the device."
    )


def arguments(
    tool: Tool, graph: str, *, threads: int, warmup_runs: int, runs: int, given: Input | None = None
) -> list[str]:
    """Return the arguments that time `runs` inferences of a model's file, after the warm-up.

    What it is `given` is for a tool that `shows_output`.
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
