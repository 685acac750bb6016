"""Several commands' output in one: a shell script that names its parts, and its reading."""

from collections.abc import Mapping

_MARK = "==== seaformer "


def script_of(commands: Mapping[str, str]) -> str:
    """Return a shell script that runs commands one after another.

    Args:
        commands: name of a part -> shell command. One that fails, or is not there, leaves its part
            empty and does not keep the others from running.
    """
    return "\n".join(
        f"echo '{_MARK}{name}'; {{ {command}; }} 2>/dev/null; echo"
        for name, command in commands.items()
    )


def parse_sections(text: str) -> dict[str, str]:
    """Return name -> output of the commands of a script that `script_of` made."""
    parts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.split("\n"):
        if line.startswith(_MARK):
            current = parts.setdefault(line.removeprefix(_MARK).strip(), [])
        else:
            current.append(line)
    return {name: "\n".join(lines) for name, lines in parts.items()}
