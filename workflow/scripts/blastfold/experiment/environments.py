"""The environment files of the rules: which versions of which packages they pin."""

import re
from pathlib import Path

import yaml

from blastfold.core.errors import InputError


def pinned_versions(path: str | Path, packages: tuple[str, ...]) -> dict[str, str]:
    """Read the pinned versions of some packages.

    Args:
        path: Conda environment file.
        packages: Their names, as both PyPI and conda-forge know them.

    Returns:
        Version by package.

    Raises:
        InputError: A package is not in the file, or not pinned to one version.
    """
    entries = yaml.safe_load(Path(path).read_text("utf-8"))["dependencies"]
    lines = [
        line
        for entry in entries
        for line in (entry.get("pip", []) if isinstance(entry, dict) else [entry])
    ]
    pattern = re.compile(r"([\w.-]+)(?:\[[^\]]*\])?\s*={1,2}\s*([\w.]+)")
    pins = dict(match.groups() for line in lines if (match := pattern.fullmatch(line.strip())))
    for package in packages:
        if package not in pins:
            raise InputError(
                f"'{path}': the package {package} is not pinned to one version; expected a line "
                f"such as '{package} =1.2.3'. Results depend on it."
            )
    return {package: pins[package] for package in packages}
