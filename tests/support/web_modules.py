"""Runs modules of the page, seaformer/web/src/, under Node.js."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from locations import ROOT

from seaformer.locks import locked

WEB = ROOT / "seaformer" / "web"
PACKAGES = ROOT / "build" / "web"
"""Folder of the page's npm packages, which `make lint` installs too."""

REQUIRED = os.environ.get("SEAFORMER_REQUIRE_CHROMIUM") == "1"
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")

needs_node = pytest.mark.skipif(
    not REQUIRED and None in (shutil.which("node"), shutil.which("npm")),
    reason="Node.js and npm are not installed",
)


def _run(*command: str | Path, stdin: str = "") -> str:
    done = subprocess.run(
        command, cwd=PACKAGES, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _esbuild() -> Path:
    """Return the script of the pinned esbuild, which is installed if necessary."""
    found = PACKAGES / "node_modules" / "esbuild" / "bin" / "esbuild"
    PACKAGES.mkdir(parents=True, exist_ok=True)
    with locked(PACKAGES, wait=True):
        if not found.is_file():
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(WEB / name, PACKAGES / name)
            _run(*INSTALL)
    return found


def call(folder: Path, module: str, expression: str, value: object) -> Any:
    """Evaluate an expression of a module's names and `value` under Node.js; return its JSON.

    Args:
        folder: folder for temporary files.
        module: name of a file in seaformer/web/src/ without suffix.
        expression: TypeScript, in which `module` and `value` are defined; it may be a promise.
        value: becomes `value`, through JSON.
    """
    entry, script = folder / f"{module}_call.ts", folder / f"{module}_call.mjs"
    entry.write_text(
        f"import * as module from {json.dumps(str(WEB / 'src' / module))};\n"
        'import { readFileSync } from "node:fs";\n'
        'const value: any = JSON.parse(readFileSync(0, "utf-8"));\n'
        f"console.log(JSON.stringify(await ({expression})));\n"
    )
    _run(
        "node", _esbuild(), entry, "--bundle", "--format=esm", "--platform=node",
        f"--outfile={script}", "--log-level=warning",
    )  # fmt: skip
    return json.loads(_run("node", script, stdin=json.dumps(value)))
