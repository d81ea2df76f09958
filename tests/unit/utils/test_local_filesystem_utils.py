# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from ducktape.utils.local_filesystem_utils import mkdir_p


def test_parents_are_made_and_existing_directories_are_fine(tmp_path: Path) -> None:
    mkdir_p(str(tmp_path / "a" / "b"))
    mkdir_p(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()


def test_a_file_of_that_name_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        mkdir_p(str(tmp_path / "file"))
