"""Writing TOML: Python reads it, and this writes as much of it as the stack and its tests need."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def dumps(table: Mapping[str, Any]) -> str:
    """A table of strings, numbers, booleans, arrays of them, and tables, as TOML."""
    return "\n".join(_lines((), table)) + "\n"


def _lines(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    if path and plain:
        yield f"\n[{'.'.join(_scalar(step) for step in path)}]"
    yield from (f"{_scalar(key)} = {_scalar(value)}" for key, value in plain.items())
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _lines((*path, key), value)


def _scalar(value: Any) -> str:
    """JSON writes these as TOML does; in a string, what lies beyond U+FFFF must stand for itself."""
    return json.dumps(value, ensure_ascii=False)
