"""Nothing that seaformer starts reports to anyone.

Libraries underneath send usage data to their makers unless an environment variable forbids it. They
read it when they are imported or loaded, so `seaformer/__init__.py` sets them all before it imports
anything. Processes started from here inherit them; on a phone, where nothing is inherited,
`benchmark/devices/phone.py` exports them. Whatever the user's environment says of them is replaced.

pip and npm, which look for a newer version of themselves, are told not to by options: `packages`.
"""

import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Switch:
    """An environment variable that switches telemetry off.

    `reason` is what happens without it, `source` where that is documented.
    """

    variable: str
    value: str
    reason: str
    source: str


SWITCHES = (
    Switch(
        "ORT_DISABLE_TELEMETRY",
        "1",
        "ONNX Runtime writes a device id into the user's cache when it is loaded, and connects to "
        "Microsoft nine seconds later. `disable_telemetry_events` of its API prevents neither.",
        "Privacy.md in the wheel onnxruntime 1.32.0",
    ),
    Switch(
        "HF_HUB_DISABLE_TELEMETRY",
        "1",
        "huggingface_hub, which accelerate imports, sends usage data to Hugging Face.",
        "https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables",
    ),
    Switch(
        "DO_NOT_TRACK",
        "1",
        "A library may begin to report in a later version; this is what many agreed to heed.",
        "https://donottrack.sh",
    ),
)


def switch_telemetry_off() -> None:
    """Set `SWITCHES` in the environment of this process and of all that it starts."""
    for switch in SWITCHES:
        os.environ[switch.variable] = switch.value
    # Imported before us, it has its device id and will connect. Its API at least stops what is
    # not yet recorded.
    if (loaded := sys.modules.get("onnxruntime")) is not None:
        loaded.disable_telemetry_events()
