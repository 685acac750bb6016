"""Checks the distributions by installing them in clean virtual environments, as users do.

    python tests/support/installs.py dist                               # every Python found
    python tests/support/installs.py dist --python python3.12 --export  # also with [export]

A file is exported in the environment of this script. A plain install of the wheel predicts,
evaluates, benchmarks and bundles it, and its export command names the missing extra. Then the sdist
is installed over it and benchmarks again. With --export, seaformer-export is installed and run too,
and the golden outputs are compared. The commands run inside and outside the checkout.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from locations import ROOT

VERSIONS = ("3.11", "3.12", "3.13")
MAX_PLAIN_MB = 700
HEAVY = ("torch", "tensorflow", "ziglang")
GOLDEN = "tests/seaformer/models/test_golden_outputs.py"
STEM = "seaformer_tiny_shapes_256x256_fp32"
WRITE_SCENES = """
import sys
from pathlib import Path
from seaformer.datasets.shapes import write
write(Path(sys.argv[1]), 1, validation=2)
"""


def main() -> None:
    """Check every requested install; stop at the first failure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dist", type=Path, help="folder of the wheel and the sdist")
    parser.add_argument("--python", action="append", help="interpreter to use; repeatable")
    parser.add_argument("--export", action="store_true", help="install [export] and export too")
    arguments = parser.parse_args()
    (wheel,), (sdist,) = (arguments.dist.resolve().glob(kind) for kind in ("*.whl", "*.tar.gz"))
    pythons = arguments.python or [*filter(None, map(find_python, VERSIONS))]
    if not pythons:
        sys.exit(f"no Python of {', '.join(VERSIONS)} is found. Name one with --python.")
    with tempfile.TemporaryDirectory(prefix="seaformer-installs-") as folder:
        work = Path(folder)
        command = [sys.executable, "-m", "seaformer.export.cli", "--weights", "shapes"]
        run([*command, "--output", work], work)
        for number, python in enumerate(pythons):
            plain = Install(python, work / f"plain{number}", str(wheel))
            plain.check_use(work / f"{STEM}.tflite")
            plain.add("--no-deps", "--force-reinstall", str(sdist))
            plain.check_benchmark(work / f"{STEM}.tflite", ROOT)
            if arguments.export:
                exporting = Install(python, work / f"export{number}", f"{wheel}[export]")
                exporting.check_export()
                exporting.check_golden_outputs()


def find_python(version: str) -> str | None:
    """Find an interpreter of a version such as "3.12", on the PATH or installed by pyenv."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates = [shutil.which(name), *map(str, sorted(pyenv.glob(f"{version}.*/bin/{name}")))]
    # pyenv also has a shim of that name for inactive versions, which fails.
    return next((path for path in candidates if path and is_running(path)), None)


def is_running(python: str) -> bool:
    """Whether an interpreter starts."""
    return not subprocess.run([python, "-V"], capture_output=True, check=False).returncode


class Install:
    """A virtual environment with the package.

    Args:
        python: interpreter that creates it.
        folder: folder of the environment.
        requirement: the file to install, with or without extras.
    """

    def __init__(self, python: str, folder: Path, requirement: str) -> None:
        self.folder, self.elsewhere = folder, folder / "elsewhere"
        run([python, "-m", "venv", folder], folder.parent)
        self.elsewhere.mkdir()
        start = perf_counter()
        self.add(requirement)
        (self.packages,) = folder.glob("lib/python*/site-packages")
        self.size_mb = sum(f.lstat().st_size for f in self.packages.rglob("*")) / 1e6
        kind = requirement.rpartition("/")[2]
        cost = f"{self.size_mb:.0f} MB in {perf_counter() - start:.0f} s"
        print(f"{self.packages.parent.name}: {kind}: {cost}", flush=True)

    def add(self, *requirement: str) -> None:
        """Install with pip."""
        pip = [self.folder / "bin/python", "-m", "pip", "install", "--quiet"]
        run([*pip, "--disable-pip-version-check", *requirement], self.elsewhere)

    def check_use(self, model: Path) -> None:
        """Run all commands that need no extra on an exported file."""
        assert self.size_mb < MAX_PLAIN_MB, f"a plain install takes {self.size_mb:.0f} MB"
        assert not [name for name in HEAVY if (self.packages / name).exists()]
        for where in (ROOT, self.elsewhere):
            overlay = self.elsewhere / f"{where.name}.png"
            self.command("predict", "--model", model, "--output", overlay, where=where)
            assert overlay.exists()
        scenes = self.elsewhere / "scenes"
        run([self.folder / "bin/python", "-c", WRITE_SCENES, scenes], self.elsewhere)
        report = self.elsewhere / "evaluation"
        self.command("evaluate", model, "--data", scenes, "--report", report)
        self.check_benchmark(model, self.elsewhere)
        app = self.elsewhere / "app"
        shutil.copytree(ROOT / "android_demo/app", app / "app")
        self.command("bundle", model, "--app", app)
        self.command("bundle", model, "--library", self.elsewhere / "library")
        done = self.command("export", "--variant", "tiny", status=2)
        assert "pip install 'seaformer[export]'" in done.stderr, done.stderr

    def check_benchmark(self, model: Path, where: Path) -> None:
        """Benchmark an exported file on this computer."""
        output = self.elsewhere / f"benchmark {where.name}"
        options = ["--device", "host", "--runs", "10", "--force", "--output"]
        self.command("benchmark", model, *options, output, where=where)
        assert (output / "results.json").exists()

    def check_export(self) -> None:
        """Export with verification on the CPU."""
        for where in (ROOT, self.elsewhere):
            start = perf_counter()
            output = self.elsewhere / f"out {where.name}"
            options = ["--variant", "tiny", "--format", "tflite", "--accelerator", "cpu"]
            self.command("export", *options, "--output", output, where=where)
            assert list(output.glob("*.tflite"))
            print(f"    exports Tiny in {perf_counter() - start:.0f} s", flush=True)

    def check_golden_outputs(self) -> None:
        """Compare the networks of the installed package with the official code's outputs."""
        self.add("pytest")
        # The program pytest does not add the working directory to the path, so the installed
        # package is imported. Fixtures of other tests need further packages.
        command = [self.folder / "bin/pytest", "--noconftest", "-p", "no:cacheprovider", GOLDEN]
        done = run(command, ROOT)
        print(f"    golden outputs: {done.stdout.splitlines()[-1]}", flush=True)

    def command(
        self, name: str, *arguments: str | Path, where: Path | None = None, status: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the package, by default outside the checkout; check its exit status."""
        command = [self.folder / f"bin/seaformer-{name}", *arguments]
        return run(command, where or self.elsewhere, status)


def run(
    command: list[str | Path], where: Path, status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder; check its exit status."""
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


if __name__ == "__main__":
    main()
