# SPDX-License-Identifier: Apache-2.0
"""How the package is built and what it needs; `python3 setup.py develop install` works in a mounted checkout."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent


def version() -> str:
    """Return the version without importing the package, whose requirements may not be installed yet."""
    text = (HERE / "ducktape" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if match is None:
        raise SystemExit('setup.py: ducktape/__init__.py has no line of the form __version__ = "..."')
    return match[1]


setup(
    name="ducktape",
    version=version(),
    description="Test distributed systems on real nodes",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    platforms=["Linux", "macOS"],
    keywords=["testing", "distributed systems", "integration tests", "system tests"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Software Development :: Testing",
        "Topic :: System :: Distributed Computing",
        "Typing :: Typed",
    ],
    # Only the package: a top-level "tests" or "systests" in site-packages would hide the user's own.
    packages=find_packages(include=["ducktape", "ducktape.*"]),
    package_data={"ducktape": ["py.typed", "templates/report/*"]},
    include_package_data=False,
    zip_safe=False,
    entry_points={"console_scripts": ["ducktape = ducktape.command_line.main:main"]},
    python_requires=">=3.10",
    install_requires=[
        "boto3>=1.20.0",
        "cryptography>=3.4",
        "filelock>=3.0.6",
        "jinja2>=3.0.0",
        "paramiko>=3.4.0",
        "psutil>=5.9.4",
        "pywinrm>=0.3.0",
        "pyyaml>=6.0",
        "requests>=2.25.0",
    ],
    extras_require={
        "test": [
            "hypothesis>=6.100.0",
            "moto[server]>=5.0.0",
            "mypy>=1.11",
            "pytest>=8.0.0",
            "pytest-xdist>=3.7.0",
            "ruff>=0.6",
            "setuptools>=64.0.0",
            "types-paramiko>=3.4.0.20240423",
            "types-psutil>=5.9.5.20240516",
            "types-PyYAML>=6.0.12.20240311",
            "types-requests>=2.31.0.20240406",
            "wheel>=0.38.1",
        ],
        "docs": ["sphinx>=7.2"],
    },
)
