# SPDX-License-Identifier: Apache-2.0
"""A dict that cannot be changed."""

from __future__ import annotations

from typing import Any, NoReturn


def not_implemented_method(*args: object, **kwargs: object) -> NoReturn:
    """Refuse to change a dict."""
    raise NotImplementedError("Cannot set values in a PDict")


class PDict(dict[Any, Any]):
    """A dict without the methods that change it; equal to an ordinary dict of the same content.

    Its values may be mutable. It can be copied and pickled.
    """

    __setitem__ = not_implemented_method
    __delitem__ = not_implemented_method
    __ior__ = not_implemented_method
    update = not_implemented_method
    setdefault = not_implemented_method
    clear = not_implemented_method
    pop = not_implemented_method
    popitem = not_implemented_method

    def __reduce__(self) -> tuple[type[PDict], tuple[dict[Any, Any]]]:
        # The default would fill an empty instance item by item, which is not allowed
        return type(self), (self._as_transient(),)

    def _as_transient(self) -> dict[Any, Any]:
        return dict(self)

    def copy(self) -> PDict:
        """Return a second dict with the same items."""
        return type(self)(self)

    def using(self, **kwargs: object) -> PDict:
        """Return a copy with some values added or replaced."""
        return type(self)({**self, **kwargs})

    def without(self, *keys: object) -> PDict:
        """Return a copy without some keys; ``KeyError`` when one is absent."""
        remaining = self._as_transient()
        for key in keys:
            del remaining[key]
        return type(self)(remaining)


make_dict = PDict
