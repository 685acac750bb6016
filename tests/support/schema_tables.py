"""Tables of the members of JSON files, from the JSON Schema of their types."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

Schema = Mapping[str, Any]

_NAMES = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false"}


def members(file_type: type) -> str:
    """Return a table of the top-level object of a file, and one for each nested type."""
    schema = TypeAdapter(file_type).json_schema(mode="serialization")
    types = schema.get("$defs", {})
    inherited = "\n\n".join(inspect.getdoc(base) or "" for base in file_type.__mro__[1:-2])
    parts = [_table(schema | {"description": f"{schema['description']}\n\n{inherited}"})]
    for name in _in_order(schema, types):
        parts += [f"**{name}**. {_summary(types[name])}", _table(types[name])]
    return "\n\n".join(parts)


def _in_order(schema: Schema, types: Mapping[str, Schema]) -> list[str]:
    """Return the names of the nested types in the order of their first mention."""
    found: list[str] = []
    waiting = [schema]
    while waiting:
        for name in re.findall(r"'#/\$defs/(\w+)'", str(waiting.pop(0).get("properties"))):
            if name not in found:
                found.append(name)
                waiting.append(types[name])
    return found


def _summary(schema: Schema) -> str:
    text = schema.get("description", "").split("\n\nAttributes:")[0]
    return _words(text)


def _table(schema: Schema) -> str:
    meanings = _meanings(schema.get("description", ""))
    required = schema.get("required", ())
    rows = [
        f"| `{name}` | {_type_name(member)}{'' if name in required else ', optional'} | "
        f"{_words(member.get('description', meanings.get(name, '')))} |"
        for name, member in schema["properties"].items()
    ]
    return "\n".join(["| member | type | |", "|---|---|---|", *rows])


def _meanings(description: str) -> dict[str, str]:
    """Return the descriptions of members under `Attributes:` in a docstring."""
    return dict(re.findall(r"^    (\w+): (.*(?:\n      +.*)*)", description, re.MULTILINE))


def _words(text: str) -> str:
    """Return the text of a docstring on one line, with JSON's null instead of None."""
    return re.sub(r"\bNone\b", "null", re.sub(r"\s+", " ", text)).replace("|", "\\|").strip()


def _type_name(member: Schema) -> str:
    """Return the type of a member as text."""
    if "$ref" in member:
        return member["$ref"].rpartition("/")[2]
    if "anyOf" in member or "oneOf" in member:
        names = [_type_name(each) for each in member.get("anyOf", member.get("oneOf"))]
        return " or ".join(dict.fromkeys(names))
    if "const" in member:
        return f"`{_shown(member['const'])}`"
    if "enum" in member:
        return ", ".join(f"`{_shown(value)}`" for value in member["enum"])
    if member.get("type") == "array":
        if "prefixItems" in member:
            return f"[{', '.join(map(_type_name, member['prefixItems']))}]"
        return f"list of {_type_name(member.get('items', {}))}"
    if member.get("type") == "object":
        return f"object of {_type_name(member.get('additionalProperties', {}))}"
    if member.get("format") == "date-time":
        return "date and time"
    return _NAMES.get(member.get("type", ""), member.get("type", "any"))


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
