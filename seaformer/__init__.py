"""SeaFormer: squeeze-enhanced axial Transformer for mobile semantic segmentation (ICLR 2023).

    model = seaformer.load("build/seaformer_tiny_ade20k_512x512_fp32.tflite")
    model.predict("photo.jpg").overlay.save("overlay.png")

    network = seaformer.create_model("tiny", task="ade20k", weights="ade20k")  # an nn.Module

Names are imported lazily, on first access, so that importing the package is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seaformer.extras import missing_extras_named
from seaformer.privacy import switch_telemetry_off

if TYPE_CHECKING:
    from seaformer.api.model import Model, load
    from seaformer.models.catalog import list_models
    from seaformer.models.create import create_model

__all__ = ["Model", "create_model", "list_models", "load"]

switch_telemetry_off()  # before anything else in the package, or any library, is imported

_MODULES = {
    "Model": "seaformer.api.model",
    "create_model": "seaformer.models.create",
    "list_models": "seaformer.models.catalog",
    "load": "seaformer.api.model",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'seaformer' has no attribute '{name}'")
    with missing_extras_named():
        return getattr(import_module(_MODULES[name]), name)
