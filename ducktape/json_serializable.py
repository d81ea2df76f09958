# SPDX-License-Identifier: Apache-2.0
"""Converts values to JSON."""

from __future__ import annotations

import decimal
import json
import math
import numbers
import operator
import re
from collections.abc import Iterable
from typing import Any, Protocol, TypeGuard

from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.masking import is_secret_argument, masked_text
from ducktape.utils.support.stable_text import Numbers, stable_argument, stable_text

# Far below the limit of the standard encoder
_MAX_DEPTH = 100
_MAX_SHOWN_KEY = 60
# Above the limit of Python for converting integers
_LARGEST_NUMBER_BITS = 14_000
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF = "\\ud"  # in ASCII, whole characters beyond the first 65,536 have it as well
_REPLACEMENT = "\ufffd"


class DucktapeJSONEncoder(json.JSONEncoder):
    """Encodes objects by their method ``to_json()``, and numbers of any library."""

    def default(self, o: object) -> Any:
        """Return the replacement of an object; raises ``TypeError`` without one."""
        if _offers_to_json(o):
            return o.to_json()
        number = _foreign_number(o)
        return super().default(o) if number is None else number


def strict(value: object) -> Any:
    """Return a copy of a result of :func:`jsonable` that every JSON parser accepts.

    NaN and infinities become ``None``, and lone surrogates U+FFFD, in keys as well. Equal keys are numbered.
    """
    if isinstance(value, str):
        return _HALF_CHARACTER.sub(_REPLACEMENT, value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return _with_distinct_keys((strict(_key(key)), strict(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return [strict(item) for item in value]
    return value


def strict_dumps(value: object, **options: Any) -> str:
    """Encode a result of :func:`jsonable` as ASCII JSON that every parser accepts, with options of ``json.dumps``."""
    try:
        text = json.dumps(value, allow_nan=False, **options)
    except ValueError:
        return json.dumps(strict(value), allow_nan=False, **options)
    return json.dumps(strict(value), **options) if _ESCAPED_HALF in text else text


def jsonable(value: object) -> Any:
    """Return a copy of any value that ``json.dumps`` accepts; never raises.

    Args:
        value: any value. Objects with ``to_json()`` are replaced by its result, tuples and sets by lists, enumerations
            with a string or number base by their value, keys as by ``json.dumps``, and everything else by its text.
            Circular references are replaced by a note.

    Returns:
        A value of dicts with string keys, lists, strings, numbers (the non-finite ones too), booleans and ``None``.
    """
    return _Converter().convert(value)


def jsonable_arguments(arguments: object, numbers: Numbers) -> Any:
    """Return the arguments of a test for symbols and reports: the same in every process, without secrets."""
    return _Converter(numbers).convert(arguments)


def unserializable_part(value: object, name: str = "data") -> str | None:
    """Return why a value cannot be encoded as JSON, as in ``data['x'][2] is a set, which JSON cannot express``."""
    with tolerated() as encoding:
        json.dumps(value, cls=DucktapeJSONEncoder)
    if encoding.error is None:
        return None
    found = None
    with tolerated() as search:
        found = _culprit(value, name, ())
    if isinstance(search.error, RecursionError):
        return f"{name} is nested too deeply for JSON"
    return found or f"{name} cannot be written as JSON: {_first_line(search.error or encoding.error)}"


class _Convertible(Protocol):
    def to_json(self) -> object: ...


def _offers_to_json(value: object) -> TypeGuard[_Convertible]:
    return not isinstance(value, type) and callable(getattr(value, "to_json", None))


class _Converter:
    """Converts values for JSON; with ``numbers``, those of the arguments of a test, whose secrets are masked."""

    def __init__(self, numbers: Numbers | None = None) -> None:
        self._numbers = numbers

    def convert(self, value: object, ancestors: tuple[int, ...] = ()) -> object:
        # Most values by far; the guard would double their time
        if value is None or type(value) in (bool, float) or (type(value) is str and self._numbers is None):
            return value
        with tolerated():  # iterators, properties and to_json() of users
            # To plain strings and numbers, without running code of subclasses
            if isinstance(value, str):
                return str.__str__(value) if self._numbers is None else masked_text(str.__str__(value))
            if isinstance(value, int):
                return int.__int__(value) if value.bit_length() <= _LARGEST_NUMBER_BITS else hex(value)
            if isinstance(value, float):
                return float.__float__(value)
            if id(value) in ancestors:
                return f"<{type(value).__name__} that contains itself>"
            if len(ancestors) < _MAX_DEPTH:
                return self._convert_object(value, (*ancestors, id(value)))
        return self._text(value)

    def _convert_object(self, value: object, path: tuple[int, ...]) -> object:
        if isinstance(value, dict):
            return _with_distinct_keys((self._key(key), self._item(key, item, path)) for key, item in value.items())
        if isinstance(value, (list, tuple)):
            return [self.convert(item, path) for item in value]
        if _offers_to_json(value):
            return self.convert(value.to_json(), path)
        if isinstance(value, (set, frozenset)):
            # The same order in every run
            items = sorted((self.convert(item, path) for item in value), key=repr)
            texts = [item for item in items if isinstance(item, str)]
            finite = [item for item in items if isinstance(item, (int, float)) and math.isfinite(item)]
            if len(texts) == len(items):
                return sorted(texts)
            return sorted(finite) if len(finite) == len(items) else items
        number = _foreign_number(value)
        return self._text(value) if number is None else number

    def _text(self, value: object) -> str:
        return stable_text(value, self._numbers or {})

    def _key(self, key: object) -> str:
        return _plain_key(key) or self._text(key)

    def _item(self, key: object, value: object, path: tuple[int, ...]) -> object:
        if self._numbers is not None and is_secret_argument(key, value):
            return stable_argument(key, value, self._numbers)
        return self.convert(value, path)


def _with_distinct_keys(items: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Return a dict in which keys that became equal, such as 1 and "1", are numbered."""
    found: dict[str, object] = {}
    for key, item in items:
        number, distinct = 1, key
        while distinct in found:
            number += 1
            distinct = f"{key} ({number})"
        found[distinct] = item
    return found


def _foreign_number(value: object) -> int | float | bool | None:
    """Return the number of a scalar of another library, such as numpy; ``None`` for other values."""
    if isinstance(value, (type, decimal.Decimal, numbers.Rational)) or getattr(value, "shape", ()) != ():
        return None  # JSON has no exact numbers
    found: object = None
    item = getattr(value, "item", None)
    if callable(item) and hasattr(value, "dtype"):
        found = item()
    elif hasattr(value, "__index__"):
        found = operator.index(value)
    elif hasattr(value, "__float__"):
        found = float(value)
    return found if isinstance(found, (int, float)) and type(found) in (int, float, bool) else None


def _key(key: object) -> str:
    return _plain_key(key) or stable_text(key)


def _plain_key(key: object) -> str | None:
    if isinstance(key, str):
        return str.__str__(key)
    return json.dumps(key) if key is None or isinstance(key, (bool, int, float)) else None


def _culprit(value: object, place: str, ancestors: tuple[int, ...]) -> str | None:
    if value is None or isinstance(value, (str, int, float)):
        return None
    if id(value) in ancestors:
        return f"{place} contains itself, which JSON cannot express"
    path = (*ancestors, id(value))
    if isinstance(value, dict):
        for key, item in value.items():
            if not (key is None or isinstance(key, (str, int, float))):
                return f"{place} has a key that is {_a(key)}, which JSON cannot express"
            found = _culprit(item, f"{place}[{repr(key)[:_MAX_SHOWN_KEY]}]", path)
            if found:
                return found
        return None
    if isinstance(value, (list, tuple)):
        findings = (_culprit(item, f"{place}[{index}]", path) for index, item in enumerate(value))
        return next(filter(None, findings), None)
    if not _offers_to_json(value):
        return f"{place} is {_a(value)}, which JSON cannot express" if _foreign_number(value) is None else None
    replacement = None
    with tolerated() as call:
        replacement = value.to_json()
    if call.error is not None:
        return f"{place}.to_json() failed: {_first_line(call.error)}"
    return _culprit(replacement, f"{place}.to_json()", path)


def _a(value: object) -> str:
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _first_line(error: BaseException) -> str:
    lines = stable_text(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"
