"""The stage environments (envs/*.yaml) and the locks, as tables of packages and versions."""

import re
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# conda-forge's names of packages that are called otherwise on PyPI.
PYPI_NAMES = {"matplotlib-base": "matplotlib", "py-opencv": "opencv-python-headless"}

# What no lock holds: the interpreter, and the installer of an environment's `pip:` section.
NOT_LOCKED = {"python", "pip"}

# One import, several distributions: the lock names the one that suits the machine.
SAME_PACKAGE = {"tensorflow-cpu": "tensorflow"}


def read_environment(path: Path) -> dict[str, str]:
    """Return PyPI name -> pinned version of everything that an environment file lists.

    Raises:
        ValueError: If a line is not pinned as ``name =version`` or, below ``pip:``,
            ``name==version``.
    """
    packages = {}
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]:
        lines = entry["pip"] if isinstance(entry, dict) else [entry]
        pattern = (
            r"([a-z0-9-]+)(?:\[[a-z-]+\])?==([\w.]+)"
            if isinstance(entry, dict)
            else (r"([a-z0-9-]+) =([\w.]+)")
        )
        for line in lines:
            match = re.fullmatch(pattern, line)
            if match is None:
                raise ValueError(f"{path.name}: {line!r} is not pinned to one version")
            packages[PYPI_NAMES.get(match[1], match[1])] = match[2]
    return packages


def read_lock(path: Path) -> dict[str, str]:
    """Return PyPI name -> version of the lock's requirements that hold on this machine."""
    packages = {}
    for line in re.findall(r"^[a-z0-9].*", path.read_text(encoding="utf-8"), re.MULTILINE):
        requirement = Requirement(line.removesuffix("\\").strip())
        if requirement.marker is None or requirement.marker.evaluate():
            name = canonicalize_name(requirement.name)
            packages[SAME_PACKAGE.get(name, name)] = str(requirement.specifier).removeprefix("==")
    return packages


def satisfies(version: str, pin: str) -> bool:
    """Return whether a version is the pinned one or a refinement of it (conda's ``=``)."""
    return version == pin or version.startswith(f"{pin}.")
