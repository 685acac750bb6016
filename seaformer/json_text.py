"""Parsing untrusted JSON: strictly, with limits, and with uniform error messages.

Python's own parser accepts NaN, numbers of any size, and any nesting that fits the stack; code that
computes with such values fails far from the file that they came from.
"""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from seaformer.errors import quoted

MAX_NUMBER = 1e100
"""Limit for numbers: larger than any measurement or count, with finite sums and squares."""

_Model = TypeVar("_Model", bound=BaseModel)


class JsonError(ValueError):
    """An error in a JSON text: the member, its value, and the allowed values.

    The message is a clause without file name and full stop, for a message that names the file.
    """


def parse_json(text: bytes | str) -> Any:
    """Parse a JSON text.

    Raises:
        JsonError: the text is not JSON, is nested deeper than 200 levels, or has a number beyond
            `MAX_NUMBER`.
    """
    try:
        content = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise JsonError(f"it is not JSON ({error})") from error
    _check_numbers(content, ())
    return content


def parse_object(text: bytes | str) -> dict[str, Any]:
    """Parse a JSON object; raise JsonError like `parse_json`."""
    content = parse_json(text)
    if not isinstance(content, dict):
        raise JsonError(f"it is {quoted(content)}. Allowed: a JSON object")
    return content


def parse_model(kind: type[_Model], text: bytes | str) -> _Model:
    """Parse a JSON text into a pydantic type.

    Raises:
        JsonError: as `parse_json`, or the content does not fit the type.
    """
    parse_json(text)
    return parse_members(kind, text)


def parse_members(kind: type[_Model], text: bytes | str) -> _Model:
    """Parse the members of a type, which limits their numbers itself, from a large JSON text.

    Unlike `parse_model`, it does not look at the other members of the text.

    Raises:
        JsonError: the text is not JSON, or the members do not fit the type.
    """
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise JsonError(_first(error)) from error


def _check_numbers(value: object, path: tuple[str, ...]) -> None:
    if isinstance(value, dict):
        for key, member in value.items():
            _check_numbers(member, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_numbers(item, (*path, str(index)))
    elif isinstance(value, int | float) and not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise JsonError(
            f"{_member(path)} is {quoted(value)}. Allowed: numbers up to {MAX_NUMBER:g}"
        )


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return f"it is not JSON ({first['ctx']['error']})"
    path = tuple(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"{_member(path[:-1])} has no {quoted(path[-1])}"
    if first["type"] == "value_error":
        return str(first["ctx"]["error"]).rstrip(".")
    return f"{_member(path)} is {quoted(first['input'])}. {first['msg']}"


def _member(path: tuple[str, ...]) -> str:
    """Format the path of a member, whose keys are untrusted."""
    return quoted(".".join(path))[1:-1] if path else "it"
