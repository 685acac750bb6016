"""SeaFormer: squeeze-enhanced axial Transformer for mobile semantic segmentation (ICLR 2023).

    model = seaformer.create_model("tiny", task="ade20k", weights="ade20k")
    logits = model(image)

Both names load torch when they are first asked for; importing the package does not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seaformer.extras import missing_extras_named
from seaformer.privacy import switch_telemetry_off

if TYPE_CHECKING:
    from seaformer.models.catalog import list_models
    from seaformer.models.create import create_model

__all__ = ["create_model", "list_models"]

switch_telemetry_off()  # before anything else of the package, or beneath it, can be imported

_HOMES = {"create_model": "seaformer.models.create", "list_models": "seaformer.models.catalog"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'seaformer' has no attribute '{name}'")
    with missing_extras_named():
        return getattr(import_module(_HOMES[name]), name)
