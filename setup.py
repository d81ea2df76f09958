# SPDX-License-Identifier: Apache-2.0
"""Makes `python3 setup.py develop install` work in a mounted checkout; everything else is in pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path

import setuptools

HERE = Path(__file__).resolve().parent


def settings() -> dict[str, object]:
    """Return what setuptools before 61, such as that of Ubuntu 22.04, does not read from pyproject.toml."""
    if int(setuptools.__version__.split(".")[0]) >= 61:
        return {}
    project = (HERE / "pyproject.toml").read_text(encoding="utf-8")
    package = (HERE / "ducktape" / "__init__.py").read_text(encoding="utf-8")
    dependencies = re.findall(r"^dependencies = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL)[0]
    return {
        "name": "ducktape",
        "version": re.findall(r'^__version__ = "(.+)"$', package, re.MULTILINE)[0],
        "packages": setuptools.find_packages(include=["ducktape", "ducktape.*"]),
        "package_data": {"ducktape": ["py.typed", "templates/report/*", "templates/init/*", "cluster/account/*.sh"]},
        "entry_points": {"console_scripts": ["ducktape = ducktape.command_line.main:main"]},
        "install_requires": re.findall(r'"(.+)"', dependencies),
        "python_requires": ">=3.10",
        "zip_safe": False,
    }


setuptools.setup(**settings())
