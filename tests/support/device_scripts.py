"""Shell scripts in place of the runner, for this computer and phones, and tricky names."""

from pathlib import Path

EVIL_NAMES = (
    "with space.sh",
    "it's $(touch pwned) `touch pwned`.sh",
    'a "quoted" name; touch pwned',
    "two\nlines.sh",
    "-rf",
    "*?[a]~#&|<>",
    "名前é.sh",
)

EVIL_ARGUMENTS = (
    "",
    " ",
    "a b",
    "$(touch pwned)",
    "`touch pwned`",
    "it's",
    '"; touch pwned; "',
    "two\nlines",
    "back\\slash\\n",
    "-n",
    "*",
    "$HOME",
    "é名",
)

ECHO = r"""for argument in "$@"; do printf '<%s>\n' "$argument"; done
echo to stderr >&2
printf 'no line end'
exit 3
"""
"""Prints its arguments, writes to stderr, and ends with status 3."""

HANG = """echo begun
sleep 1000 &
sleep 1000
"""
"""Starts another process; neither of them ends."""


def write_script(path: Path, shell: str, text: str) -> Path:
    path.write_text(f"#!{shell}\n{text}")
    return path


def echoed(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the lines that `ECHO` prints."""
    text = "".join(f"<{argument}>\n" for argument in arguments)
    return tuple(f"{text}no line end".split("\n"))
