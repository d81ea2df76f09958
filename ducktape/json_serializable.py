# SPDX-License-Identifier: Apache-2.0
"""Values on their way into JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

# Far below the depth at which the standard encoder gives up
_MAX_DEPTH = 100
_MAX_SHOWN_KEY = 60


class DucktapeJSONEncoder(json.JSONEncoder):
    """Encodes every object that has a method ``to_json()`` as what that method returns."""

    def default(self, o: Any) -> Any:
        """Return the replacement of an object that JSON does not know; ``TypeError`` when it offers none."""
        if _offers_to_json(o):
            return o.to_json()
        return super().default(o)


def jsonable(value: object) -> Any:
    """Return a copy of any value that ``json.dumps`` accepts; never raises.

    Args:
        value: whatever user code produced. Objects with ``to_json()`` are replaced by its result, tuples and sets
            become lists, enumerations with a string or number base their value, keys what ``json.dumps`` makes of
            them, and everything else its text. What contains itself is cut off with a note.

    Returns:
        A value of dicts with string keys, lists, strings, numbers (the non-finite ones too), booleans and ``None``.
    """
    return _jsonable(value, ())


def unserializable_part(value: object, name: str = "data") -> str | None:
    """Say in one line what keeps a value from being written as JSON.

    Args:
        value: the value to look through.
        name: what the line calls the value itself.

    Returns:
        ``None`` when ``json.dumps(value, cls=DucktapeJSONEncoder)`` works, otherwise a line such as
        ``data['x'][2] is a set, which JSON cannot express``.
    """
    try:
        json.dumps(value, cls=DucktapeJSONEncoder)
    except Exception as error:
        return _explain(value, name, error)
    return None


def _offers_to_json(value: object) -> bool:
    return not isinstance(value, type) and callable(getattr(value, "to_json", None))


def _jsonable(value: object, ancestors: tuple[int, ...]) -> Any:
    try:
        return _convert(value, ancestors)
    except Exception:  # foreign iterators, properties and to_json() run here, and a report must not die of them
        return _text(value)


def _convert(value: object, ancestors: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    plain = _plain_scalar(value)
    if plain is not None:
        return plain
    if id(value) in ancestors:
        return f"<{type(value).__name__} that contains itself>"
    if len(ancestors) >= _MAX_DEPTH:
        return _text(value)
    path = (*ancestors, id(value))
    if isinstance(value, dict):
        return {_key(key): _jsonable(item, path) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item, path) for item in value]
    if _offers_to_json(value):
        return _jsonable(value.to_json(), path)  # type: ignore[attr-defined]
    if isinstance(value, (set, frozenset)):
        return _ordered([_jsonable(item, path) for item in value])
    return _text(value)


def _plain_scalar(value: object) -> str | int | float | None:
    """Strip a string or number of its subclass without running code of that subclass."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    return None


def _key(key: object) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, (bool, int, float)):
        return json.dumps(key)
    return _text(key)


def _ordered(items: list[Any]) -> list[Any]:
    """Sort, so that the order of a set does not change from run to run."""
    try:
        return sorted(items)
    except TypeError:
        return sorted(items, key=repr)


def _text(value: object) -> str:
    for spell in (str, repr):
        try:
            return str.__str__(spell(value))
        except Exception:  # user code; the next spelling may work
            continue
    return f"<{type(value).__name__} without a text>"


def _explain(value: object, name: str, error: Exception) -> str:
    try:
        found = _culprit(value, name, ())
    except RecursionError:
        return f"{name} is nested too deeply for JSON"
    except Exception as failure:  # foreign iterators run during the search
        error, found = failure, None
    return found or f"{name} cannot be written as JSON: {_first_line(error)}"


def _culprit(value: object, place: str, ancestors: tuple[int, ...]) -> str | None:
    if value is None or isinstance(value, (str, int, float)):
        return None
    if id(value) in ancestors:
        return f"{place} contains itself, which JSON cannot express"
    path = (*ancestors, id(value))
    if isinstance(value, dict):
        return _culprit_in_dict(value, place, path)
    if isinstance(value, (list, tuple)):
        return _first(_culprit(item, f"{place}[{index}]", path) for index, item in enumerate(value))
    if not _offers_to_json(value):
        return f"{place} is {_a(value)}, which JSON cannot express"
    try:
        replacement = value.to_json()  # type: ignore[attr-defined]
    except Exception as error:
        return f"{place}.to_json() failed: {_first_line(error)}"
    return _culprit(replacement, f"{place}.to_json()", path)


def _culprit_in_dict(value: dict[Any, Any], place: str, path: tuple[int, ...]) -> str | None:
    for key, item in value.items():
        if not (key is None or isinstance(key, (str, int, float))):
            return f"{place} has a key that is {_a(key)}, which JSON cannot express"
        found = _culprit(item, f"{place}[{repr(key)[:_MAX_SHOWN_KEY]}]", path)
        if found:
            return found
    return None


def _first(findings: Iterable[str | None]) -> str | None:
    return next((finding for finding in findings if finding), None)


def _a(value: object) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _first_line(error: Exception) -> str:
    lines = _text(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"
