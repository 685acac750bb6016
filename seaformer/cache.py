"""Where files are kept that are fetched once: the user's cache, or what SEAFORMER_CACHE names."""

import os
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "SEAFORMER_CACHE"


def cache_folder(name: str) -> Path:
    """Return the folder for files of a kind. It need not exist yet."""
    folder = os.environ.get(CACHE_VARIABLE)
    root = Path(folder) if folder else platformdirs.user_cache_path("seaformer", appauthor=False)
    return root / name
