"""The record of the openings of a locked test set: lines are added and none is changed.

Each line holds the SHA-256 of the file before it, so that a line that was changed or taken away
later is found. A file that was deleted as a whole is not: keep it under version control.
"""

import csv
import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from blastfold.core.errors import InputError

COLUMNS = ("number", "opened", "dataset", "runs", "images", "commit", "changed", "config", "before")
"""number from 1; opened (UTC); runs (protocol/model, separated by spaces); images (locked); commit
of the workflow and whether its files were changed (yes, no, unknown); config (SHA-256); before
(SHA-256 of all lines above)."""


def add_opening(path: str | os.PathLike, facts: Mapping[str, object]) -> dict[str, str]:
    """Add a line to the record and return it.

    Args:
        path: The record; made with its heading where it does not exist.
        facts: dataset, runs, images, commit, changed and config.

    Raises:
        InputError: The record was changed after it was written.
    """
    file = Path(path)
    lines = read_openings(file) if file.exists() else []
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text("\t".join(COLUMNS) + "\n", "utf-8")
    row = {
        "number": len(lines) + 1,
        "opened": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
        "before": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    row = {name: str(row[name]) for name in COLUMNS}
    with file.open("a", encoding="utf-8") as record:
        record.write("\t".join(row.values()) + "\n")
        record.flush()
        os.fsync(record.fileno())
    return row


def read_openings(path: str | os.PathLike) -> list[dict[str, str]]:
    """Read the record.

    Raises:
        InputError: It has other columns, or was changed after it was written.
    """
    content = Path(path).read_bytes()
    rows = list(csv.DictReader(content.decode("utf-8").splitlines(), delimiter="\t"))
    lines = content.splitlines(keepends=True)
    if not lines or tuple(lines[0].decode().strip("\n").split("\t")) != COLUMNS:
        raise InputError(f"{path}: is no record of openings, expected the columns {COLUMNS}")
    for number, row in enumerate(rows, start=1):
        above = hashlib.sha256(b"".join(lines[:number])).hexdigest()
        if row["number"] != str(number) or row["before"] != above:
            raise InputError(
                f"{path}: line {number + 1} does not fit the lines above it; the record was "
                "changed after it was written. Restore it from version control"
            )
    return rows
