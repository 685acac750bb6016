"""Options without a meaning for runs of minutes, for --sustain and --energy."""

from seaformer.benchmark.measure.options import Options
from seaformer.errors import UsageError


def refuse_options_of_rounds(options: Options, study: str) -> None:
    """Raise UsageError for options of usual benchmarks; `study` is the option of the study."""
    for option, is_given in (
        ("--table", options.table is not None),
        ("--runs", options.runs is not None),
        ("--until", options.until is not None),
        ("--compare", options.compare is not None),
        ("--breakdown", options.breakdown),
        ("--frame", options.frame_size is not None),
    ):
        if is_given:
            raise UsageError(f"{option} cannot be combined with {study}. Omit one of them.")
    if not options.models:
        raise UsageError(f"{study} needs a MODEL. Give a .tflite or .onnx from seaformer-export.")
