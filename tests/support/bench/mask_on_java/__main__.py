"""Time the mask computation of Android apps: core/'s Kotlin against argmax.c through JNI.

    PYTHONPATH=tests/support:android_demo python -m bench.mask_on_java [--document FILE]

A round is one Java process, in which both are interleaved after a warm-up; the interval is over
rounds. Both masks have to be equal.
"""

import argparse
from pathlib import Path

import numpy as np
from android_app import APP
from android_jvm_runtime import without_android

from bench.machine import machine_name, write_section
from bench.upsample_argmax import CLASSES, SIDE, SIZE, packaged_logits, smooth
from seaformer.bundling.jni_library import NAME, build
from seaformer.statistics.bootstrap import paired_ratio
from seaformer.temporary_folders import temporary_folder
from smoke_build.build import SmokeBuild
from smoke_build.tools import debian, package, run

HERE = Path(__file__).parent
KOTLIN, C = 0, 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--document", type=Path, help="file whose section to update")
    arguments = parser.parse_args()
    with temporary_folder("bench") as folder:
        java, *options = prepare(folder)
        files = write_logits(folder)
        parts = [str(part) for file in files for part in file]
        times: list[list[np.ndarray]] = [[] for _ in files]
        for _ in range(arguments.rounds):
            lines = run(java, *options, SIDE, SIZE[0], *parts).splitlines()
            for one, line in zip(times, lines, strict=True):
                one.append(np.array(line.split(), float).reshape(-1, 2).T / 1e6)
    text = table(files, times)
    print(text)
    if arguments.document:
        write_section(arguments.document, "mask-on-java", text)


def prepare(folder: Path) -> tuple[Path, *tuple[str, ...]]:
    """Compile both; return the command that runs a round."""
    work = folder / "work"
    work.mkdir()
    app = SmokeBuild(APP, work)
    native = APP / "library/src/main/kotlin/seaformer/library/NativeUpsampling.kt"
    app.kotlin(work / "bench.jar", [HERE, native], [app.core])
    build("x86_64", work / NAME)
    (work / NAME).write_bytes(without_android((work / NAME).read_bytes()))
    jars = [work / "bench.jar", app.core, package("kotlin") / "package/lib/kotlin-stdlib.jar"]
    class_path = ":".join(map(str, jars))
    path = f"-Djava.library.path={work}"
    return (debian("java"), path, "-cp", class_path, "bench.MaskOnJavaKt")


def write_logits(folder: Path) -> list[tuple[Path, int, str]]:
    """Write logits in both layouts; return file, number of classes and layout of each."""
    noise = np.random.default_rng(0).standard_normal((CLASSES, SIDE, SIDE), np.float32)
    fields = {
        "trained": packaged_logits(),
        "smooth, sigma 4": smooth(noise, 4),
        "smooth, sigma 2": smooth(noise, 2),
        "noise": noise,
    }
    files = []
    for name, logits in fields.items():
        for layout, axes in (("HWC", (1, 2, 0)), ("CHW", (0, 1, 2))):
            file = folder / f"{name}, {len(logits)}x{SIDE}x{SIDE}, {layout}"
            np.ascontiguousarray(logits.transpose(axes), "<f4").tofile(file)
            files.append((file, len(logits), layout))
    return files


def table(files: list[tuple[Path, int, str]], times: list[list[np.ndarray]]) -> str:
    java = run(debian("java"), "-version").splitlines()[0]
    lines = [
        f"Measured on: {machine_name()}, {java}, one thread. Not a phone.",
        "",
        "| logits | Kotlin | C through JNI | Kotlin / C [95 %] |",
        "|---|---|---|---|",
    ]
    for (file, _, _), rounds in zip(files, times, strict=True):
        kotlin, c = ([one[which] for one in rounds] for which in (KOTLIN, C))
        ratio = paired_ratio(kotlin, c, seed=0)
        interval = ratio.interval
        between = f" [{interval.low:.2f}, {interval.high:.2f}]" if interval else ""
        medians = (f"{np.median(np.concatenate(one)):.2f} ms" for one in (kotlin, c))
        lines.append(f"| {file.name} | {' | '.join(medians)} | {ratio.value:.2f}{between} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
