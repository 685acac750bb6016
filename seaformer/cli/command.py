"""Base classes of all commands: errors are one line on stderr and an exit status.

    0    done
    1    the job failed: SeaformerError, a full disk, no memory
    2    invalid request: UsageError, an unknown option
    130  interrupted: Ctrl-C, or the signal TERM or HUP

Every command is made with `@click.command(cls=Command)` or `@click.group(cls=Group)`.
"""

import io
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click
from click.exceptions import NoArgsIsHelpError

from seaformer.cli.termination import signals_as_ctrl_c
from seaformer.errors import TRACEBACK, UsageError, explanation, is_expected
from seaformer.extras import missing_extras_named
from seaformer.terminal import printable

FAILED = 1
USAGE = 2
INTERRUPTED = 130

VERSION_OPTION = "--version"

PATH = click.Path(path_type=Path)
"""Type of an option that takes the path of a file or folder."""


def _print_version(ctx: click.Context, param: click.Parameter, is_asked: bool) -> None:
    del param
    if is_asked:
        from seaformer.cli.versions import version_report

        click.echo(version_report())
        ctx.exit()


_VERSION = click.Option(
    [VERSION_OPTION],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the versions that a bug report needs, and exit.",
)


class _OneLineErrors(click.Command):
    """Ends the process with `error: ...` on stderr and an exit status, never with a traceback."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options, with --version unless this is a subcommand."""
        params = super().get_params(ctx)
        return [*params, _VERSION] if ctx.parent is None else params

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command, as `click.Command.main` does."""
        run = partial(super().main, args, prog_name, complete_var, standalone_mode=False, **extra)
        if not standalone_mode:
            return run()
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A file name may contain characters that the terminal's encoding lacks.
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            with signals_as_ctrl_c(), missing_extras_named():
                status: Any = run()
        except NoArgsIsHelpError as error:
            error.show()
            sys.exit(USAGE)
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else self.name
            _fail(f"{error.format_message()} See '{command} --help'.", USAGE)
        except click.ClickException as error:
            _fail(error.format_message(), error.exit_code)
        except click.Abort:
            _fail("interrupted", INTERRUPTED)
        except UsageError as error:
            _fail(str(error), USAGE)
        except Exception as error:
            if os.environ.get(TRACEBACK) and not is_expected(error):
                raise
            _fail(explanation(error), FAILED)
        # In this mode click returns the status given to `Context.exit`, or the command's result.
        sys.exit(status if isinstance(status, int) else 0)


class Command(_OneLineErrors):
    """A command with one-line errors; for `@click.command(cls=Command)`."""


class Group(_OneLineErrors, click.Group):
    """A command with subcommands and one-line errors; for `@click.group(cls=Group)`."""

    command_class = Command


def print_error(message: str) -> None:
    """Write `error: ...` to stderr, as one line of printable characters."""
    line = re.sub(r"\s*\n\s*", " ", message.strip())
    with suppress(OSError):  # the terminal was closed, so nobody can read it
        click.echo(f"error: {printable(line)}", err=True)


def _fail(message: str, status: int) -> NoReturn:
    print_error(message)
    sys.exit(status)
