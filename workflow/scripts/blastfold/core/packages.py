"""Versions of the packages that compute: the pinned ones, and those that a job really has."""

import logging
from collections.abc import Callable, Mapping
from importlib import metadata

from blastfold.core.errors import InputError

DISTRIBUTIONS = {"tensorflow": ("tensorflow", "tensorflow-cpu")}
"""Packages that several distributions provide."""

logger = logging.getLogger(__name__)


def installed_version(package: str) -> str | None:
    """Return the version of a package in this environment; None where it is absent."""
    for name in DISTRIBUTIONS.get(package, (package,)):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def check_versions(
    pinned: Mapping[str, str],
    other_versions: str,
    installed: Callable[[str], str | None] = installed_version,
) -> None:
    """Compare what a job computes with to what its results are said to be computed with.

    Snakemake plans by the pinned versions: another pin runs the job again. A job in an environment
    with other versions would mix results of two versions in one table.

    Args:
        pinned: Version by package; a version such as 1.8 includes 1.8.0 and 1.8.1.
        other_versions: What happens with others: error or warn.
        installed: Returns the version of a package here; an absent package is not compared.

    Raises:
        InputError: A version differs, and ``other_versions`` is error.
    """
    different = [
        f"{package} {version} (pinned: {pin})"
        for package, pin in pinned.items()
        if (version := installed(package)) and not f"{version}.".startswith(f"{pin}.")
    ]
    if not different:
        return
    found = (
        f"This job has {', '.join(different)}. Results of two versions would be mixed in one table."
    )
    if other_versions == "error":
        raise InputError(
            f"{found} Install the versions of envs/*.yaml and requirements.lock, or set "
            "other_versions: warn in the config."
        )
    logger.warning(found)
