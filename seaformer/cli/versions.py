"""The output of `--version`: the versions that affect what a command computes."""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "torch",
    "onnx",
    "onnx2tf",
    "tensorflow",
    "onnxruntime",
    "onnxruntime-qnn",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "numpy",
    "Pillow",
)


def version_report() -> str:
    """Return the version of seaformer, Python, the system and the packages that are installed."""
    lines = [
        f"seaformer {version('seaformer')}",
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    ]
    for name in PACKAGES:
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            lines.append(f"{name} is not installed")
    return "\n".join(lines)
