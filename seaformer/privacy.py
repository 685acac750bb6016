"""Switching off the telemetry of all libraries and programs that seaformer uses.

Some libraries send usage data to their vendors unless an environment variable forbids it. They read
it when they are imported or loaded, so `seaformer/__init__.py` sets all of them before it imports
anything. Child processes inherit them; for a phone, `benchmark/devices/phone.py` exports them.
Values from the user's environment are replaced.

pip and npm look for newer versions of themselves; options in `packages` prevent that.
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
    # A convention that many libraries follow, in case a later version adds telemetry. Source:
    # https://donottrack.sh
    "DO_NOT_TRACK": "1",
}
"""Environment variables that switch telemetry off, with their values."""


def switch_telemetry_off() -> None:
    """Set `SWITCHES` in the environment of this process and its child processes."""
    os.environ.update(SWITCHES)
    # If it was imported before us, it has a device id and will connect. Its API at least stops
    # further events.
    if (loaded := sys.modules.get("onnxruntime")) is not None:
        loaded.disable_telemetry_events()
