"""The command `seaformer-bundle`: put models into the Android app, a library or a web page."""

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seaformer.cli.command import PATH, Command
from seaformer.cli.statement_options import read_statement, statement_options
from seaformer.errors import UsageError

if TYPE_CHECKING:
    from seaformer.bundling.model import Model
    from seaformer.tasks.statement import Statement

APP = ("app", "samples", "apk")
"""Parameters that only the app takes."""

# Heavy modules are imported when the work starts, which keeps --help fast.


@click.command(cls=Command)
@click.argument("models", metavar="MODEL...", type=PATH, nargs=-1)
@click.option(
    "--app", type=PATH, default="android_demo", show_default=True, help="Folder of the app."
)
@click.option(
    "--sample",
    "samples",
    type=PATH,
    multiple=True,
    help="Sample image to add to the app. Repeatable.",
)
@click.option(
    "--apk",
    type=PATH,
    help="Also build a signed debug APK without Gradle, for .onnx models; only in a checkout.",
)
@click.option(
    "--library",
    type=PATH,
    help="Instead of adding the models to the demo app, write an Android library module (Gradle, "
    "Kotlin) with them to this folder, for use in your own app.",
)
@click.option(
    "--web",
    type=PATH,
    help="Instead, write to this folder a page that runs one .tflite MODEL in a browser; any web "
    "server can serve it, see docs/web.md.",
)
@click.option(
    "--serve",
    "is_served",
    is_flag=True,
    help="Serve the page of --web until Ctrl-C. Without MODEL, serve the page that the folder "
    "already contains.",
)
@click.option(
    "--host",
    default="localhost",
    show_default=True,
    help="Address to listen on; 0.0.0.0 serves devices in the same network, over https and with a "
    "QR code.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@statement_options(defaults=dict.fromkeys(("labels", "palette"), "the model's"))
@click.option("--force", is_flag=True, help="Overwrite the APK, the library or the page.")
@click.pass_context
def main(
    ctx: click.Context,
    models: tuple[Path, ...],
    app: Path,
    samples: tuple[Path, ...],
    apk: Path | None,
    library: Path | None,
    web: Path | None,
    is_served: bool,
    host: str,
    port: int,
    force: bool,
    **statement_values: str | None,
) -> None:
    """Add each MODEL (.tflite or .onnx), its JSON and sample images to the app.

    Models already in the app are replaced. The app starts with the first model and lists the
    others. A model that the app cannot run is refused. Each model is run once on this computer's
    CPU: before the app uses an accelerator, it compares the accelerator's output with this output.

    With --library, write a module for your own app instead, which prepares images, runs the models
    and computes masks. With --web, write a page for browsers: MODEL then needs no metadata if
    options such as --input-range and --labels describe it, as for seaformer-predict.
    """
    from seaformer.bundling.apk import build_apk, require_builder
    from seaformer.bundling.assets import assets_of, write_assets
    from seaformer.bundling.model import read_model
    from seaformer.console import Console
    from seaformer.files import refuse_existing

    statement = read_statement(**statement_values)
    if not is_served:
        _refuse_given(ctx, ("host", "port"), "applies only to --serve. Omit it, or give --serve.")
    elif web is None:
        raise UsageError("--serve has no page. Give --web, the folder of the page.")
    if not models and not is_served:
        raise UsageError("no MODEL is given. Give an exported .tflite or .onnx file.")
    if web is not None:
        _refuse_given(ctx, (*APP, "library"), "does not apply to --web. Omit one of them.")
        if len(models) > 1:
            raise UsageError(f"--web takes one model, but {len(models)} are given. Name one.")
        for model in models:
            _write_web_page(model, web, force, statement)
        if is_served:
            _serve(web, host, port)
        else:
            _print_how_to_serve(web)
        return
    described = [name for name in statement_values if name not in ("labels", "palette")]
    _refuse_given(ctx, described, "applies only to --web. Omit it, or give --web.")
    if library is not None:
        _refuse_given(ctx, APP, "does not apply to --library. Omit one of them.")
        _write_library([read_model(model, statement) for model in models], library, force)
        return
    assets_of(app)
    found = [read_model(model, statement) for model in models]
    progress = Console(stderr=True, soft_wrap=True)
    if apk is not None:
        if apk.suffix.lower() != ".apk":
            raise UsageError(f"--apk is '{apk}'. Allowed: a file name that ends in .apk.")
        for model in models:
            _refuse_litert(model, app)
        refuse_existing(apk, force)
        require_builder(app, progress)
    console = Console(soft_wrap=True)
    for path in write_assets(found, samples, app):
        console.print(f"{path.relative_to(app)}: {path.stat().st_size:,} bytes")
    for one in found:
        console.print(f"{one.path.name} runs with {one.runtime} in the app; SHA-256 {one.sha256}")
    if apk is None:
        console.print()
        console.print("Next, with the Android SDK and a connected phone:")
        console.print(f"  cd {app} && ./gradlew :app:installDebug")
    else:
        progress.print("building the APK, which takes about a minute")
        build_apk(app, apk, progress, force)
        console.print()
        console.print(f"{apk}: {apk.stat().st_size:,} bytes, signed with a debug key. Next:")
        console.print(f"  adb install -r {apk}")


def _refuse_given(ctx: click.Context, names: Collection[str], why: str) -> None:
    """Refuse the parameters of these names if they are given, as they would have no effect."""
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(f"{parameter.opts[0]} {why}")


def _write_web_page(model: Path, folder: Path, force: bool, statement: "Statement") -> None:
    from seaformer.bundling.web_page import write_web_page
    from seaformer.console import Console

    written, note = write_web_page(model, folder, force, statement)
    console = Console(soft_wrap=True)
    if note:
        console.print(note, style="bold yellow")
    size = sum(path.stat().st_size for path in written)
    console.print(f"{folder}: {len(written)} files, {size:,} bytes")
    console.print("The page has been opened in Chromium on a computer, but never on a phone.")


def _print_how_to_serve(folder: Path) -> None:
    from seaformer.console import Console

    console = Console(soft_wrap=True)
    console.print()
    console.print("Next, to open it on this computer, or on a phone in the same network:")
    for options in ((), ("--host", "0.0.0.0")):
        command = shlex.join(["seaformer-bundle", "--web", str(folder), "--serve", *options])
        console.print(f"  {command}")


def _serve(folder: Path, host: str, port: int) -> None:
    from seaformer.console import Console
    from seaformer.serving.serve import serve

    serve(folder, host, port, Console(soft_wrap=True))


def _write_library(models: Sequence["Model"], folder: Path, force: bool) -> None:
    from seaformer.bundling.library import next_steps, write_library
    from seaformer.console import Console

    written = write_library(models, folder, force)
    console = Console(soft_wrap=True)
    console.print(
        f"{folder}: {len(written)} files, {sum(p.stat().st_size for p in written):,} bytes"
    )
    for model in models:
        console.print(f"{model.name} runs with {model.runtime}; SHA-256 {model.sha256}")
    console.print("The code of these modules has been run on computers, but never on a phone.")
    console.print()
    console.print("Next, in your project:")
    console.print()
    for line in next_steps(models, folder):
        console.print(line)
    console.print()
    console.print(f"A usage example is in {folder / 'README.md'}.")


def _refuse_litert(model: Path, app: Path) -> None:
    """Refuse a model that needs LiteRT, which an APK built without Gradle does not have."""
    if model.suffix.lower() == ".onnx":
        return
    onnx = model.with_suffix(".onnx")
    instead = (
        f"Give '{onnx}' in the same folder instead"
        if onnx.is_file()
        else "Export the same model with --format onnx and give that file"
    )
    raise UsageError(
        f"--apk builds an app without LiteRT, which '{model}' needs. {instead}; or omit --apk "
        f"and build with Gradle, which adds LiteRT: cd {app} && ./gradlew :app:installDebug"
    )


if __name__ == "__main__":
    main()
