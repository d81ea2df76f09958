# SPDX-License-Identifier: Apache-2.0
"""The decorator stacks that the documentation shows."""

from __future__ import annotations

from typing import Any

from ducktape.mark import defaults, env, ignore, matrix, parametrize
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test


class ExamplesTest(Test):
    @matrix(x=[1, 2], y=["a", "b"])
    def test_matrix(self, x: int, y: str) -> None:
        pass

    @parametrize(x=1)
    @parametrize(x=2)
    @matrix(x=[3, 4])
    def test_parametrize_over_matrix(self, x: int) -> None:
        pass

    @defaults(z=[1, 2])
    @matrix(x=[1], y=[1, 2])
    @parametrize(x=3, y=4)
    @parametrize(x=3, y=4, z=999)
    def test_defaults_over_all(self, x: int, y: int, z: int) -> None:
        pass

    @parametrize(x=1)
    @defaults(z=[1, 2])
    @parametrize(x=2)
    def test_defaults_in_the_middle(self, x: int, z: int = 0) -> None:
        pass

    @defaults(z=[1, 2])
    def test_defaults_alone(self, z: int) -> None:
        pass

    @cluster(num_nodes=10)
    @parametrize(x=1)
    @cluster(num_nodes=20)
    @parametrize(x=2)
    def test_cluster_between(self, x: int) -> None:
        pass

    @cluster(num_nodes=3)
    @cluster()
    @parametrize(x=1)
    def test_empty_cluster(self, x: int) -> None:
        pass

    @cluster(num_nodes=5)
    @cluster(num_nodes=4)
    def test_cluster_twice(self) -> None:
        pass

    @ignore(x=1)
    @parametrize(x=1, y=2)
    @parametrize(x=1)
    def test_ignore_exactly(self, x: int, y: int = 0) -> None:
        pass

    @ignore(x=1, y="b")
    @matrix(x=[1, 2], y=["a", "b"])
    def test_ignore_one_of_a_matrix(self, x: int, y: str) -> None:
        pass

    @matrix()
    def test_empty_matrix(self) -> None:
        pass

    @parametrize()
    def test_empty_parametrize(self) -> None:
        pass

    @ignore()
    @parametrize()
    @parametrize(x=1)
    def test_ignore_the_empty_one(self, x: int = 0) -> None:
        pass

    @matrix(x="abc")
    def test_string_is_iterated(self, x: str) -> None:
        pass

    @matrix(x={"k": 1, "l": 2})
    def test_dict_is_iterated(self, x: str) -> None:
        pass

    @matrix(x=(n * n for n in range(3)))
    def test_one_shot_iterator(self, x: int) -> None:
        pass

    @parametrize(x=1)
    @env(CORPUS_FLAG="yes")
    def test_env_below_the_only_parametrize(self, x: int) -> None:
        pass

    @env(CORPUS_FLAG="yes")
    @parametrize(x=1)
    def test_env_over_parametrize(self, x: int) -> None:
        pass

    @env(CORPUS_FLAG="yes", CORPUS_OTHER="2")
    def test_env_of_two(self) -> None:
        pass

    @ignore
    def test_ignored(self) -> None:
        pass

    @parametrize(x=1)
    @ignore
    @parametrize(x=2)
    def test_ignored_below(self, x: int) -> None:
        pass

    @matrix(x=[1], y=[{"a": 1}, {"b": [2]}])
    @parametrize(**{"x": 9, "y": None})
    def test_mixed(self, x: int, y: Any) -> None:
        pass
