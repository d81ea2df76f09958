# SPDX-License-Identifier: Apache-2.0
"""Texts of values that are the same in every process, for ids, directories and symbols of tests.

A value with a stable text keeps it. Otherwise sets are sorted, functions are named, and other objects are represented
by their class; equal texts are numbered. No text contains an address or a secret.
"""

from __future__ import annotations

import copy
import itertools
import re
import types
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence, Set
from typing import TypeVar

from ducktape.utils.support.guard import tolerated, value_or
from ducktape.utils.support.masking import MASK, is_secret_argument, is_secret_name, masked_text

_SCALARS = (str, int, float, bool, bytes, complex, type(None))
_COLLECTIONS = (list, tuple, set, frozenset)
_DEEPEST = 20
_MOST_PARTS = 500
_LARGEST_NUMBER_BITS = 14_000  # above the limit of Python for converting integers
# Such a text may contain an address, an id, a hash, or a set
_AT_RISK = re.compile(r"0x[0-9a-f]{4}|[0-9a-f]{8}|\{", re.IGNORECASE)
_ADDRESS = re.compile(r"\bat 0x[0-9a-f]+", re.IGNORECASE)
_PATH_OF_MODULE = re.compile(r" from '.*'(?=>$)")

T = TypeVar("T")
Numbers = Mapping[Hashable, int]
_NO_NUMBERS: Numbers = {}


def stable_text(value: object, numbers: Numbers = _NO_NUMBERS) -> str:
    """Return the text of a value, as ``str`` does, but the same in every process; never raises."""
    return _Speller(lambda key, text: _numbered(text, numbers.get(key, 1))).spell(value, top=True)


def stable_argument(name: object, value: object, numbers: Numbers = _NO_NUMBERS) -> str:
    """Return the text of an argument of a test as :func:`stable_text` does; a mask for a secret."""
    if is_secret_argument(name, value):
        return _numbered(MASK, numbers.get(_secret_key(value), 1))
    return stable_text(value, numbers)


def numbers_of(arguments: Iterable[Mapping[str, object] | None]) -> dict[Hashable, int]:
    """Return the numbers, from 2, of objects with equal texts in all parametrizations of a test, in a stable order."""
    seen: dict[str, dict[Hashable, int]] = {}

    def register(key: Hashable, text: str) -> str:
        known = seen.setdefault(text, {})
        return _numbered(text, known.setdefault(key, len(known) + 1))

    for each in arguments:
        _spell_arguments(each, register)
    return {key: number for known in seen.values() for key, number in known.items() if number > 1}


def numbers_in_order(arguments: Mapping[str, object] | None, numbers: Numbers) -> list[int]:
    """Return the numbers of one set of arguments as a list, for another process."""
    found: list[int] = []

    def note(key: Hashable, text: str) -> str:
        found.append(numbers.get(key, 1))
        return text

    if numbers:
        _spell_arguments(arguments, note)
    return found


def numbers_from_order(arguments: Mapping[str, object] | None, order: Sequence[int]) -> dict[Hashable, int]:
    """Return the numbers that :func:`numbers_in_order` has listed in another process."""
    left = iter(order)
    numbers: dict[Hashable, int] = {}

    def assign(key: Hashable, text: str) -> str:
        numbers[key] = next(left, 1)
        return text

    if order:
        _spell_arguments(arguments, assign)
    return {key: number for key, number in numbers.items() if number > 1}


def in_stable_order(values: Iterable[T]) -> list[T]:
    """Return values in an order that is the same in every process, as far as possible."""

    def order(value: T) -> tuple[str, str, int]:
        code = getattr(value, "__code__", None)
        return _plain_text(value), type(value).__name__, getattr(code, "co_firstlineno", 0)

    return sorted(values, key=order)


def _spell_arguments(arguments: Mapping[str, object] | None, name: Callable[[Hashable, str], str]) -> None:
    if not isinstance(arguments, Mapping):
        return
    for key, value in arguments.items():
        if is_secret_argument(key, value):
            name(_secret_key(value), MASK)
        elif type(value) not in _SCALARS:
            _Speller(name).spell(value, top=True)


def _secret_key(value: object) -> Hashable:
    return ("secret", stable_text(value))


def _numbered(text: str, number: int) -> str:
    return text if number == 1 else f"{text}-{number}"


class _Speller:
    """Converts one value to text; ``name`` numbers the text of an object, given its key."""

    def __init__(self, name: Callable[[Hashable, str], str]) -> None:
        self._name = name
        self._ancestors: list[int] = []
        self._spelled: dict[tuple[int, bool], tuple[object, str]] = {}  # what is kept alive keeps its id
        self._parts_left = _MOST_PARTS

    def spell(self, value: object, *, top: bool) -> str:
        """Return the text as ``str`` (top) or ``repr`` does."""
        if isinstance(value, int) and type(value) is int and value.bit_length() > _LARGEST_NUMBER_BITS:
            return hex(value)
        if type(value) in _SCALARS:
            plain = masked_text(value) if isinstance(value, str) else value
            return str(plain) if top else repr(plain)
        if id(value) in self._ancestors:
            return "{...}" if isinstance(value, dict) else "[...]"
        if len(self._ancestors) >= _DEEPEST:
            return self._name(id(value), _class_name(value))
        if (id(value), top) not in self._spelled:  # otherwise each level of nested objects would double the work
            self._ancestors.append(id(value))
            text = value_or(None, self._text_of, value, top)
            self._ancestors.pop()
            self._spelled[id(value), top] = (value, self._name(id(value), _class_name(value)) if text is None else text)
        return self._spelled[id(value), top][1]

    def _text_of(self, value: object, top: bool) -> str:
        kind = type(value)
        if isinstance(value, dict) and kind is dict:
            items = []
            for key, item in value.items():
                text = self.spell(key, top=False)
                is_secret = is_secret_argument(key, item)
                shown = repr(self._name(_secret_key(item), MASK)) if is_secret else self.spell(item, top=False)
                items.append(f"{text}: {shown}")
            return f"{{{', '.join(items)}}}"
        is_plain_set = kind.__repr__ in (set.__repr__, frozenset.__repr__) and kind.__str__ is object.__str__
        if isinstance(value, Collection) and (kind in _COLLECTIONS or is_plain_set):
            return self._collection(value)
        return self._object(value, top=top)

    def _collection(self, value: Collection[object]) -> str:
        kind = type(value)
        ordered = in_stable_order(value) if isinstance(value, (set, frozenset)) else value
        items = ", ".join([self.spell(item, top=False) for item in ordered])
        if isinstance(value, (set, frozenset)):
            if not value:
                return f"{kind.__name__}()"
            return f"{{{items}}}" if kind is set else f"{kind.__name__}({{{items}}})"
        if kind is tuple and len(value) == 1:
            items += ","
        return f"[{items}]" if kind is list else f"({items})"

    def _object(self, value: object, *, top: bool) -> str:
        # Where one of the texts cannot be made, the other may
        spelled = value_or(None, str, value) if top else None
        spell, text = (repr, repr(value)) if spelled is None else (str, spelled)
        if isinstance(value, str):
            return masked_text(text)
        if isinstance(value, types.ModuleType):
            return _PATH_OF_MODULE.sub("", text)
        in_order = _with_sorted_sets(value)
        if in_order is not value:
            text = spell(in_order)
        has_secrets = any(map(is_secret_name, _attributes(value)))
        parts = self._parts(value) if has_secrets or _AT_RISK.search(text) else []
        for part, replacement in self._replacements(parts):
            text = text.replace(part, replacement)
        if not _has_address(text, [value, in_order, *parts]) and spell(in_order) == spell(in_order):
            return masked_text(text)
        return self._name(id(value), _own_name(value) or _class_name(value))

    def _parts(self, value: object) -> list[object]:
        """Return the parts of an object, limited in number, since mocks have an infinite one."""
        parts: list[object] = []
        with tolerated():
            parts.extend(itertools.islice(_parts(value), max(self._parts_left, 0)))
        self._parts_left -= len(parts)
        return parts

    def _replacements(self, parts: Iterable[object]) -> list[tuple[str, str]]:
        """Return the replacements in the text of an object, the longest first."""
        pairs: dict[str, str] = {}
        for part in parts:
            if isinstance(part, _Secret):
                pairs[repr(part.value)] = repr(self._name(_secret_key(part.value), MASK))
                pairs[str(part.value)] = MASK
            elif type(part) not in _SCALARS:
                for spell, top in ((repr, False), (str, True)):
                    stable = self.spell(part, top=top)
                    pairs[value_or("", spell, part)] = stable
        return sorted(((old, new) for old, new in pairs.items() if old and old != new), key=lambda pair: -len(pair[0]))


class _Secret:
    def __init__(self, value: object) -> None:
        self.value = value


class _SortedSet(frozenset[object]):
    """A set in the order of the texts of its members."""

    original: Set[object]

    @classmethod
    def of(cls, original: Set[object]) -> _SortedSet:
        in_order = cls(original)
        in_order.original = original
        return in_order

    def __iter__(self) -> Iterator[object]:
        return iter(in_stable_order(self.original))

    def __repr__(self) -> str:
        return _plain_text(self.original)


def _plain_text(value: object) -> str:
    return _Speller(lambda key, text: text).spell(value, top=False)


def _own_name(value: object) -> str | None:
    """Return the name of a function, method or the like."""
    name, module = getattr(value, "__qualname__", None), getattr(value, "__module__", None)
    if not isinstance(name, str) or not callable(value):
        return None
    return f"{module}.{name}" if isinstance(module, str) and module != "builtins" else name


def _class_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _attributes(value: object) -> dict[str, object]:
    if isinstance(value, type):
        return {}
    found = dict(getattr(value, "__dict__", None) or {})
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if isinstance(name, str) and hasattr(value, name):
                found[name] = getattr(value, name)
    return found


def _with_sorted_sets(value: object) -> object:
    """Return a copy of an object with sorted sets as attributes; the object itself if it has no sets."""
    sets = {
        name: _SortedSet.of(each)
        for name, each in _attributes(value).items()
        if isinstance(each, (set, frozenset)) and type(each) in (set, frozenset) and len(each) > 1
    }
    if not sets:
        return value
    twin = copy.copy(value)
    shared = getattr(twin, "__dict__", None) is getattr(value, "__dict__", None)
    if twin is value or (shared and hasattr(value, "__dict__")):
        return value  # a member of an enumeration, or another single object
    for name, each in sets.items():
        object.__setattr__(twin, name, each)
    return twin


def _parts(value: object) -> Iterator[object]:
    """Yield the parts of an object that may show in its text."""
    seen = {id(value)}
    waiting = [value]
    while waiting:
        owner = waiting.pop()
        for part in _direct_parts(owner):
            if id(part) in seen or isinstance(part, (type, types.ModuleType)):
                continue
            seen.add(id(part))
            yield part
            if type(part) not in _SCALARS and not isinstance(part, types.FunctionType):
                waiting.append(part)


def _direct_parts(owner: object) -> Iterator[object]:
    for name, attribute in _attributes(owner).items():
        yield _Secret(attribute) if is_secret_argument(name, attribute) else attribute
    if isinstance(owner, Mapping):
        for key, item in list(owner.items()):
            yield key
            yield _Secret(item) if is_secret_argument(key, item) else item
    elif isinstance(owner, Collection) and not isinstance(owner, (str, bytes, bytearray, memoryview)):
        names = getattr(owner, "_fields", ()) if isinstance(owner, tuple) else ()
        for position, item in enumerate(list(owner)[:_MOST_PARTS]):
            field = names[position] if position < len(names) else None
            yield _Secret(item) if is_secret_argument(field, item) else item
    for name in ("func", "args", "keywords", "default_factory", "__self__", "__func__", "__wrapped__"):
        # Mocks and proxies would create one
        if hasattr(type(owner), name) and (part := value_or(None, getattr, owner, name)) is not None:
            yield part


def _has_address(text: str, parts: Iterable[object]) -> bool:
    """Return whether a text contains an address, or a number derived from one or from a seeded hash."""
    parts = list(parts)
    lowered = text.lower()
    for part in parts:
        if type(part) in (int, float, bool, complex, type(None)):
            continue
        numbers = {id(part), id(part) >> 4}
        if not isinstance(part, (int, float, complex)):
            numbers.add(value_or(0, hash, part))
        if any(str(number) in lowered or f"{number:x}" in lowered for number in numbers if abs(number) >= 1 << 24):
            return True
    for part in parts:
        if isinstance(part, str) and _ADDRESS.search(part):  # it is part of a string of users
            text = text.replace(repr(part), "").replace(part, "")
    return _ADDRESS.search(text) is not None
