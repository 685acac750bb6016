"""What Qualcomm's libraries say when a phone's NPU cannot be used, and what that means.

None of these faults can be had without a phone. The texts are those of logs that were published:
pytorch/executorch#2788 and #8762, microsoft/onnxruntime#22288 and #27676, qualcomm/ai-hub-apps#35
and #158, qualcomm/fastrpc#379.
"""

import re
from dataclasses import dataclass, replace

_SAME_VERSION = "Give --qairt the libraries of one version"
_ELSEWHERE = "Measure on the CPU or the GPU"


@dataclass(frozen=True)
class NpuFault:
    """What is said -> what it means.

    Attributes:
        pattern: of what is said.
        meaning: and what to do, without a full stop; groups of the pattern are filled in.
        is_of_model: whether other models may run.
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
        "the phone refuses an unsigned process domain on its NPU, and only its vendor can sign. "
        f"{_ELSEWHERE}",
    ),
    NpuFault(
        r"0x80000406|cannot open \S*Skel\.so",
        "the NPU does not find its skel (libQnnHtpV*Skel.so) in the folder that ADSP_LIBRARY_PATH "
        "names. Run again, and look at 'adb logcat' if it comes back",
    ),
    NpuFault(
        r"0x80000600|0x80000442|outside ELF segment",
        "the NPU refuses to load the skel: it is of another version than the phone's system takes. "
        "Give --qairt of another version of QNN",
    ),
    NpuFault(
        r"\"?libcdsprpc\.so\"? not found|libcdsprpc\.so: cannot open",
        f"the phone has no libcdsprpc.so, by which programs reach the NPU. {_ELSEWHERE}",
    ),
    NpuFault(
        r"qnn_open failed|apps_dev_init failed|open_dev \(-1\) failed",
        "FastRPC opens no session on the NPU: the phone does not let programs of the shell use it, "
        f"or it is busy. {_ELSEWHERE}",
    ),
    NpuFault(
        r"Unable to load Skel Library|Failed to load skel|Failed to retrieve skel build id",
        f"the NPU does not load its skel (libQnnHtpV*Skel.so). {_SAME_VERSION}",
    ),
    NpuFault(
        r"Unable to load (?:backend|system lib), error:\s*(.+)",
        "Qualcomm's library cannot be loaded: {0}. See that the folder of --qairt is whole",
    ),
    NpuFault(
        r"[Ff]ailed to create (?:QNN )?context|CONTEXT_ERROR_CREATE_FROM_BINARY",
        "QNN does not read the compiled file. Give --qairt the version that compiled it, or a "
        "newer one, or compile it again",
        is_of_model=True,
    ),
    NpuFault(
        r"No Snapdragon SOC detected|Transport layer setup failed|DEVICE_ERROR",
        "QNN does not find an NPU that it knows. Give --qairt of a newer version of QNN",
    ),
    NpuFault(
        r"QNN_COMMON_ERROR_MEM_ALLOC|Code: 1002\b",
        "QNN cannot prepare the model: it is too large for the NPU, or of a type that the NPU does "
        "not compute, as floating point is on Hexagon V68",
        is_of_model=True,
    ),
)


def find_npu_fault(said: str) -> NpuFault | None:
    """Return the first fault that a text is of; None if it is of none that is known."""
    for one in _FAULTS:
        if (found := re.search(one.pattern, said)) is not None:
            groups = (group.strip().rstrip(".") for group in found.groups())
            return replace(one, meaning=one.meaning.format(*groups))
    return None
