"""Nothing that seaformer starts reports to anyone.

Libraries underneath send usage data to their makers unless an environment variable forbids it. They
read it when they are imported or loaded, so `seaformer/__init__.py` sets them all before it imports
anything. Processes started from here inherit them; on a phone, where nothing is inherited,
`benchmark/devices/phone.py` exports them. Whatever the user's environment says of them is replaced.

pip and npm, which look for a newer version of themselves, are told not to by options: `packages`.
"""

import os
import sys
from collections.abc import Mapping

SWITCHES: Mapping[str, str] = {
    # ONNX Runtime writes a device id into the user's cache when it is loaded, and connects to
    # Microsoft nine seconds later. `disable_telemetry_events` of its API prevents neither.
    # Source: Privacy.md in the wheel onnxruntime 1.32.0.
    "ORT_DISABLE_TELEMETRY": "1",
    # huggingface_hub, which accelerate imports, sends usage data to Hugging Face. Source:
    # https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # A library may begin to report in a later version; this is what many agreed to heed. Source:
    # https://donottrack.sh
    "DO_NOT_TRACK": "1",
}
"""Environment variables that switch telemetry off, and what to set them to."""


def switch_telemetry_off() -> None:
    """Set `SWITCHES` in the environment of this process and of all that it starts."""
    os.environ.update(SWITCHES)
    # Imported before us, it has its device id and will connect. Its API at least stops what is
    # not yet recorded.
    if (loaded := sys.modules.get("onnxruntime")) is not None:
        loaded.disable_telemetry_events()
