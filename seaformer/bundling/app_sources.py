"""Where the sources of the app are, which are not in the installed package."""

import json
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

FOLDER = "android_demo"
"""Name of the folder of the app, in a checkout and in the source distribution."""


def is_app(folder: Path) -> bool:
    """Whether a folder is the app."""
    return (folder / "app" / "src" / "main" / "AndroidManifest.xml").is_file()


def how_to_get_app() -> str:
    """Return where the sources of the app are that belong to this version of the package."""
    url, commit = _installed_from()
    checkout = Path(url2pathname(urlsplit(url).path)) / FOLDER
    if url.startswith("file:") and is_app(checkout):
        return f"Give that of the checkout: --app '{checkout}'."
    if commit:
        return (
            f"pip installs no sources of the app. Clone them: git clone {url} seaformer && "
            f"git -C seaformer checkout {commit}. Then add --app seaformer/{FOLDER}."
        )
    return (
        f"pip installs no sources of the app: they are the folder {FOLDER} of the repository and "
        f"of the source distribution, seaformer-{version('seaformer')}.tar.gz. Give it with --app."
    )


def _installed_from() -> tuple[str, str]:
    """The URL that pip installed the package from, and the commit of a repository; or empty ones.

    They are in direct_url.json of the installed package, see PEP 610.
    """
    try:
        text = distribution("seaformer").read_text("direct_url.json")
        found = json.loads(text or "{}")
        return str(found.get("url", "")), str(found.get("vcs_info", {}).get("commit_id", ""))
    except (PackageNotFoundError, ValueError, AttributeError):
        return "", ""
