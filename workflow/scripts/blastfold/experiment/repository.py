"""The version of the workflow itself; the standard library alone, for Snakemake imports it."""

import os
import subprocess
from pathlib import Path

CODE = ("Snakefile", "rules", "workflow", "envs", "resources")
"""The files that decide a result, in addition to the config; ignored files do not count."""


def repository_state(folder: str | os.PathLike) -> dict[str, str | bool | None]:
    """Read which commit of the workflow is checked out, and whether it was changed since.

    Args:
        folder: Root of the workflow.

    Returns:
        ``commit`` (hexadecimal) and ``dirty`` (whether the workflow's own files differ from it);
        both None where the folder is no Git repository of its own or git is not installed.
    """
    unknown = {"commit": None, "dirty": None}
    try:
        # A copy of the workflow inside someone else's repository is not that repository.
        if Path(_git(folder, "rev-parse", "--show-toplevel")).resolve() != Path(folder).resolve():
            return unknown
        commit = _git(folder, "rev-parse", "HEAD")
        changes = _git(folder, "status", "--porcelain", "--", *CODE)
    except (OSError, subprocess.CalledProcessError):
        return unknown
    return {"commit": commit, "dirty": bool(changes)}


def _git(folder: str | os.PathLike, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return run.stdout.strip()
