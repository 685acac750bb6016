"""The folder for downloaded files: the user's cache, or the value of SEAFORMER_CACHE."""

import os
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "SEAFORMER_CACHE"


def cache_folder(name: str) -> Path:
    """Return the folder with this name in the cache. It may not exist yet."""
    folder = os.environ.get(CACHE_VARIABLE)
    root = Path(folder) if folder else platformdirs.user_cache_path("seaformer", appauthor=False)
    return root / name
