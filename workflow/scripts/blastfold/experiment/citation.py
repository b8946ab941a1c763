"""How the workflow is cited, read from its CITATION.cff."""

import os
from pathlib import Path

import yaml

FILE = "CITATION.cff"


def citation(folder: str | os.PathLike) -> dict[str, str]:
    """Read how to cite the workflow.

    Args:
        folder: Root of the workflow.

    Returns:
        title, version, authors (joined by commas), license and message; without the file all of
        them are empty.
    """
    path = Path(folder) / FILE
    entry = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else {}
    texts = {key: str(entry.get(key, "")) for key in ("title", "version", "license", "message")}
    return texts | {"authors": ", ".join(_name(author) for author in entry.get("authors", []))}


def _name(author: dict) -> str:
    """Return a person's given and family names, or the name of a group."""
    names = [author.get(key) for key in ("given-names", "family-names")]
    return author.get("name") or " ".join(filter(None, names))
