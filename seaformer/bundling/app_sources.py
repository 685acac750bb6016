"""Where to get the sources of the app, which are not in the installed package."""

import json
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

FOLDER = "android_demo"
"""Name of the folder of the app, in a checkout and in the source distribution."""


def is_app(folder: Path) -> bool:
    """Whether a folder has the sources of the app."""
    return (folder / "app" / "src" / "main" / "AndroidManifest.xml").is_file()


def how_to_get_app() -> str:
    """Return instructions for getting the app's sources that match this version of the package."""
    url, commit = _installed_from()
    checkout = Path(url2pathname(urlsplit(url).path)) / FOLDER
    if url.startswith("file:") and is_app(checkout):
        return f"Give the folder in the checkout: --app '{checkout}'."
    if commit:
        return (
            "pip does not install the sources of the app. Clone them: "
            f"git clone {url} seaformer && git -C seaformer checkout {commit}. "
            f"Then add --app seaformer/{FOLDER}."
        )
    return (
        f"pip does not install the sources of the app: they are in the folder {FOLDER} of the "
        f"repository and of the source distribution, seaformer-{version('seaformer')}.tar.gz. Give "
        "that folder with --app."
    )


def _installed_from() -> tuple[str, str]:
    """Return the URL that the package was installed from, and its commit; empty if unknown.

    They are read from direct_url.json of the installed package, see PEP 610.
    """
    try:
        text = distribution("seaformer").read_text("direct_url.json")
        found = json.loads(text or "{}")
        return str(found.get("url", "")), str(found.get("vcs_info", {}).get("commit_id", ""))
    except (PackageNotFoundError, ValueError, AttributeError):
        return "", ""
