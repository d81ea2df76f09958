# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.utils.support.lazy import Lazy, LazyDict, resolved


class Owner:
    reads = 0

    @property
    def number(self) -> int:
        self.reads += 1
        return 5


def test_a_deferred_value_is_read_when_asked_for() -> None:
    owner = Owner()
    deferred = Lazy(owner, "number")
    assert (repr(deferred), owner.reads) == ("Lazy(Owner.number)", 0)
    assert (resolved(deferred), resolved("plain"), owner.reads) == (5, "plain", 1)


def test_the_dict_reads_by_name_and_its_copies_do_not_read() -> None:
    owner = Owner()
    values = LazyDict(n=Lazy(owner, "number"))
    copies = [dict(values), {**values}]
    assert owner.reads == 0
    assert [type(copied["n"]) for copied in copies] == [Lazy, Lazy]
    assert (values["n"], values.get("n"), values.get("x"), values.get("x", 1)) == (5, 5, None, 1)
