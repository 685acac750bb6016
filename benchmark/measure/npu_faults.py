"""Error messages of Qualcomm's libraries when a phone's NPU cannot be used, and their meaning.

These faults cannot be reproduced without a phone. The messages are from published logs:
pytorch/executorch#2788 and #8762, microsoft/onnxruntime#22288 and #27676, qualcomm/ai-hub-apps#35
and #158, qualcomm/fastrpc#379.
"""

import re
from dataclasses import dataclass, replace

_SAME_VERSION = "Give --qairt a folder with libraries of a single version"
_ELSEWHERE = "Measure on the CPU or the GPU instead"


@dataclass(frozen=True)
class NpuFault:
    """A message and its meaning.

    Attributes:
        pattern: regular expression for the message.
        meaning: explanation and advice without a final period; the pattern's groups are filled in.
        is_of_model: whether only this model is affected.
    """

    pattern: str
    meaning: str
    is_of_model: bool = False


_FAULTS = (
    NpuFault(
        r"[Ss]tub lib id mismatch: expected \(v?(\d+\.\d+\.\d+)[^)]*\), detected "
        r"\(v?(\d+\.\d+\.\d+)",
        f"libraries of QNN {{0}} and {{1}} are mixed. {_SAME_VERSION}",
    ),
    NpuFault(
        r"untrusted app trying to offload to signed|signature verif|\bError 0x72\b",
        "the phone does not allow unsigned code on its NPU, and only its vendor can sign code. "
        f"{_ELSEWHERE}",
    ),
    NpuFault(
        r"0x80000406|cannot open \S*Skel\.so",
        "the NPU did not find its skel library (libQnnHtpV*Skel.so) in the folder in "
        "ADSP_LIBRARY_PATH. Run again; if it fails again, check 'adb logcat'",
    ),
    NpuFault(
        r"0x80000600|0x80000442|outside ELF segment",
        "the NPU refuses the skel library: its version is not supported by the phone's system. "
        "Give --qairt another version of QNN",
    ),
    NpuFault(
        r"\"?libcdsprpc\.so\"? not found|libcdsprpc\.so: cannot open",
        f"the phone has no libcdsprpc.so, which programs need to use the NPU. {_ELSEWHERE}",
    ),
    NpuFault(
        r"qnn_open failed|apps_dev_init failed|open_dev \(-1\) failed",
        "FastRPC cannot open a session on the NPU: the phone does not allow shell programs to use "
        f"it, or it is busy. {_ELSEWHERE}",
    ),
    NpuFault(
        r"Unable to load Skel Library|Failed to load skel|Failed to retrieve skel build id",
        f"the NPU cannot load its skel library (libQnnHtpV*Skel.so). {_SAME_VERSION}",
    ),
    NpuFault(
        r"Unable to load (?:backend|system lib), error:\s*(.+)",
        "Qualcomm's library cannot be loaded: {0}. Check that the folder of --qairt is complete",
    ),
    NpuFault(
        r"[Ff]ailed to create (?:QNN )?context|CONTEXT_ERROR_CREATE_FROM_BINARY",
        "QNN cannot read the compiled file. Give --qairt the version that compiled it or a newer "
        "one, or compile the file again",
        is_of_model=True,
    ),
    NpuFault(
        r"No Snapdragon SOC detected|Transport layer setup failed|DEVICE_ERROR",
        "QNN does not find a supported NPU. Give --qairt a newer version of QNN",
    ),
    NpuFault(
        r"QNN_COMMON_ERROR_MEM_ALLOC|Code: 1002\b",
        "QNN cannot prepare the model: it is too large for the NPU, or has a type that the NPU "
        "does not support, such as floating point on Hexagon V68",
        is_of_model=True,
    ),
)


def find_npu_fault(output: str) -> NpuFault | None:
    """Return the first fault whose pattern a message matches; None if no pattern does."""
    for one in _FAULTS:
        if (found := re.search(one.pattern, output)) is not None:
            groups = (group.strip().rstrip(".") for group in found.groups())
            return replace(one, meaning=one.meaning.format(*groups))
    return None
