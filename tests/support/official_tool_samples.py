"""Sample output of TensorFlow Lite's benchmark tools."""

from locations import SAMPLES

from seaformer.benchmark.official_tool.arguments import (
    CLASSIC_FLAG,
    INPUT_FLAG,
    OUTPUT_FLAG,
)

CLASSIC = SAMPLES / "tflite_text_2.15plus_xnnpack_x86.txt"


CLASSIC_HELP = (
    f"usage: benchmark_model\n\t{CLASSIC_FLAG}=false\tbool\toptional\tenable op profiling"
)


SHOWING_HELP = f"{CLASSIC_HELP}\n\t{INPUT_FLAG}=\tstring\n\t{OUTPUT_FLAG}=\tstring"
