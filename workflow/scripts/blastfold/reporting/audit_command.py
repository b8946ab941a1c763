"""Judge somebody else's split, without training: ``make audit IMAGES=<folder> SPLIT=<split>``.

Looks for duplicates, counts what is in test and training, prints a verdict, and writes the tables,
a picture of the pairs and a corrected split.
"""

import argparse
import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from blastfold.core.errors import BlastfoldError, InputError
from blastfold.core.files import written_whole
from blastfold.core.group_table import UNKNOWN
from blastfold.core.names import TRAIN
from blastfold.core.plurals import agreeing
from blastfold.core.progress import Progress
from blastfold.core.tables import write_table
from blastfold.images.decoding import (
    ImageError,
    StoreWriter,
    decode_image,
    fit_image,
    one_opencv_thread,
)
from blastfold.leakage.duplicates import DuplicateSettings, find_duplicates
from blastfold.leakage.given_split import (
    as_folds,
    correct_split,
    images_in,
    read_given_split,
)
from blastfold.leakage.groups import audit_folds, leakage_groups
from blastfold.leakage.relations import SUPPLY, mark_unknown, relations_of
from blastfold.leakage.summaries import crossings_of_split
from blastfold.reporting.figures.audits import plot_duplicates
from blastfold.reporting.tables.leakage import leakage_rows, show_crossings
from blastfold.reporting.tables.writing import write_both

logger = logging.getLogger(__name__)

SIDE = 257
"""Largest height and width in pixels at which images are compared, as in an experiment by default;
smaller images are not enlarged."""

SETTINGS = DuplicateSettings(minimum_similarity=0.8, minimum_overlap=0.5, candidates=60)
"""The defaults of the config's ``duplicates``."""

CORRECTED = "corrected_split.tsv"


class Audit(NamedTuple):
    """What was found.

    Attributes:
        table: The judged images, see :func:`blastfold.leakage.given_split.read_given_split`.
        rejected: file and reason of images that cannot be read.
        duplicates: Pairs of duplicates.
        groups: Leakage group and relations of every image.
        summary: What crosses, by fold; missing where it is unknown.
        crossings: Every crossing image.
        outside: Number of images in the folder that are in no part.
    """

    table: pd.DataFrame
    rejected: pd.DataFrame
    duplicates: pd.DataFrame
    groups: pd.DataFrame
    summary: pd.DataFrame
    crossings: pd.DataFrame
    outside: int


def judge_split(
    images: str | os.PathLike,
    split: str | os.PathLike,
    output: str | os.PathLike,
    pattern: str | None = None,
    independent: bool = False,
    threads: int = 1,
) -> list[str]:
    """Judge a split and write what was found.

    Args:
        images: The folder of images.
        split: Sheet or folder, see :func:`blastfold.leakage.given_split.read_given_split`.
        output: Folder to write to: verdict.txt, leakage.tsv and .md, crossings.tsv,
            duplicates.tsv, rejected.tsv, pairs.png and, where one is needed and possible,
            corrected_split.tsv.
        pattern: How subjects are read from paths.
        independent: Whether images without a named subject are declared as independent.
        threads: Worker threads.

    Returns:
        The verdict, five lines.

    Raises:
        InputError: The split cannot be read, or no image can.
    """
    table = read_given_split(images, split, pattern)
    outside = len(images_in(split if Path(split).is_dir() else images)) - len(table)
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    # An older one would be taken for the correction of this split.
    (output / CORRECTED).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=output) as folder:
        store = Path(folder) / "images.npy"
        parts = set(table["part"])
        table, rejected = _read_images(table, store)
        _require_parts(parts - set(table["part"]), rejected)
        found = find_duplicates(
            np.load(store, mmap_mode="r"), table["image_id"].tolist(), SETTINGS, threads
        )
        audit = _audit(table, rejected, found, outside, independent)
        _draw_pairs(audit, store, Path(folder), output / "pairs.png")
    _write_tables(audit, output)
    lines = [*map(agreeing, _findings(audit)), _correct(audit, output, independent)]
    with written_whole(output / "verdict.txt") as partial:
        partial.write_text("\n".join(lines) + "\n", "utf-8")
    return lines


def _read_images(table: pd.DataFrame, store: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write all images that can be read to a store; return their rows, and the others."""
    kept, rejected = [], []
    progress = Progress(len(table), logger.info, "images read", 5.0)
    size = _common_size(table["file"])
    with StoreWriter(store, (len(table), *size, 3)) as writer, one_opencv_thread():
        for row, file in enumerate(table["file"]):
            try:
                writer.append(np.ascontiguousarray(fit_image(decode_image(file), size)))
                kept.append(row)
            except (ImageError, OSError) as error:
                rejected.append((table["path"].iloc[row], str(error)))
            progress.advance(1)
        writer.finish()
    if not kept:
        raise InputError(f"No image can be read, for instance '{rejected[0][0]}': {rejected[0][1]}")
    return (
        table.iloc[kept].reset_index(drop=True),
        pd.DataFrame(rejected, columns=["file", "reason"]),
    )


def _require_parts(lost: set[str], rejected: pd.DataFrame) -> None:
    if lost:
        file, reason = rejected.iloc[0]
        raise InputError(
            f"No image of {', '.join(map(repr, sorted(lost)))} can be read, so that nothing is "
            f"judged; for instance '{file}': {reason}"
        )


def _common_size(files: Iterable[str]) -> tuple[int, int]:
    """Return the height and width to compare at: those of the first image that can be read."""
    for file in files:
        with contextlib.suppress(ImageError, OSError):
            height, width = decode_image(file).shape[:2]
            return min(height, SIDE), min(width, SIDE)
    return SIDE, SIDE


def _audit(
    table: pd.DataFrame,
    rejected: pd.DataFrame,
    found: pd.DataFrame,
    outside: int,
    independent: bool,
) -> Audit:
    groups = leakage_groups(table, found)
    groups["relations"] = relations_of(table, independent).to_numpy()
    counted, crossings = audit_folds(as_folds(table), table, groups, found)
    summary = mark_unknown(counted, table, independent)
    return Audit(table, rejected, found, groups, summary, crossings, outside)


def _draw_pairs(audit: Audit, store: Path, folder: Path, figure: Path) -> None:
    """Draw the pairs of duplicates that are in different parts of the split."""
    part = audit.table.set_index("image_id")["part"]
    ends = [audit.duplicates[end].map(part).to_numpy() for end in ("first", "second")]
    across = audit.duplicates[ends[0] != ends[1]]
    manifest, pairs = folder / "manifest.tsv", folder / "pairs.tsv"
    write_table(audit.table.assign(label=0), manifest)
    write_table(across, pairs)
    plot_duplicates(store, manifest, pairs, "Pairs in different parts of the split", [figure])


def _write_tables(audit: Audit, output: Path) -> None:
    rows = leakage_rows(crossings_of_split(audit.summary))
    caption = (
        "Test images that are related to training or validation images: those with a copy, their "
        "subject, their picture, their original (parent) or any image of their leakage group there."
    )
    paths = [output / "leakage.tsv", output / "leakage.md"]
    write_both(rows, show_crossings(rows), paths, caption, "tab:leakage")
    write_table(audit.crossings, output / "crossings.tsv")
    write_table(audit.duplicates, output / "duplicates.tsv")
    write_table(audit.rejected, output / "rejected.tsv")


def _findings(audit: Audit) -> list[str]:
    """Return the first four lines of the verdict."""
    counts = _against_training(audit.summary)
    tested = int(audit.summary.groupby("fold")["test_images"].first().sum())
    unknown = int((audit.groups["relations"] == UNKNOWN).sum())
    first = f"Judged: {len(audit.table)} images, {_parts(audit.table['part'])}"
    if len(audit.rejected):
        first += f"; {len(audit.rejected)} cannot be read (rejected.tsv)"
    if audit.outside:
        first += f"; in no part: {audit.outside} more images of the folder"
    copies = (
        f"Copies: {_of(counts['copy'], tested)} have a copy in training "
        f"({len(audit.duplicates)} pairs of duplicates in all)."
    )
    subjects = (
        f"Subjects and pictures: {_of(counts['subject'], tested)} share their subject with "
        f"training, {_of(counts['picture'], tested)} their picture."
    )
    if unknown:
        subjects += f" The subject of {unknown} images is unknown. {SUPPLY['subject']}"
    return [_verdict(counts["group"], tested, unknown), f"{first}.", copies, subjects]


def _verdict(crossing: int | None, tested: int, unknown: int) -> str:
    if crossing:
        return (
            f"LEAKS: {_of(crossing, tested)} are related to training images, so that results "
            "are too good."
        )
    if unknown:
        return "UNKNOWN: no leakage was found, but nobody knows which images share a subject."
    return "NO LEAKAGE: no test image is related to a training image by what is known of them."


def _against_training(summary: pd.DataFrame) -> dict[str, int | None]:
    """Return the crossing test images of all folds by reason; None where that is unknown."""
    rows = summary[summary["against"] == TRAIN]
    return {
        reason: int(part["crossing"].sum()) if part["crossing"].notna().any() else None
        for reason, part in rows.groupby("reason")
    }


def _of(crossing: int | None, tested: int) -> str:
    if crossing is None:
        return f"an unknown number of {tested} test images"
    share = f" ({100 * crossing / tested:.1f} %)" if tested else ""
    return f"{crossing} of {tested} test images{share}"


def _parts(parts: pd.Series) -> str:
    counts = parts.value_counts().sort_index()
    return ", ".join(f"{part} {number}" for part, number in counts.items())


def _correct(audit: Audit, output: Path, independent: bool) -> str:
    """Write the corrected split; return the last line of the verdict."""
    if not _crosses(audit.summary):
        return "Corrected split: none is needed."
    table = audit.table
    try:
        parts = correct_split(table, audit.groups["group"])
    except InputError as error:
        return f"Corrected split: none. {error}."
    moved_table = table.assign(part=parts)
    corrected = _audit(moved_table, audit.rejected, audit.duplicates, audit.outside, independent)
    if _crosses(corrected.summary):
        raise BlastfoldError("the corrected split still leaks; please report this")
    columns = ["path", "image_id", "label", "subject", "picture", "parent", "part"]
    write_table(corrected.table[columns], output / CORRECTED)
    moved = int((parts != table["part"]).sum())
    unknown = (audit.groups["relations"] == UNKNOWN).any()
    passes = "keeps together what is known" if unknown else "passes leakage: forbid"
    return f"Corrected split: {CORRECTED} {passes}; {moved} images moved, {_parts(parts)}."


def _crosses(summary: pd.DataFrame) -> bool:
    """Return whether a test image is known to be related to a training or validation image."""
    return bool((summary["crossing"].fillna(0) > 0).any())


def main(arguments: list[str]) -> None:
    """Read the command line, judge, print.

    Raises:
        InputError: Also where a file cannot be written.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", help="folder of images")
    parser.add_argument("--split", help="sheet, or folder with train and test; else the images")
    parser.add_argument("--output", help="folder to write to; else results/audit/<images>")
    parser.add_argument("--pattern", help="subjects in paths, for instance {subject}_{picture}_*")
    parser.add_argument(
        "--independent-images", action="store_true", help="declare unnamed subjects as different"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    output = Path(chosen.output or Path("results", "audit", Path(chosen.images).resolve().name))
    try:
        lines = judge_split(
            chosen.images,
            chosen.split or chosen.images,
            output,
            chosen.pattern or None,
            chosen.independent_images,
            chosen.threads,
        )
    except OSError as error:
        raise InputError(
            f"OUTPUT: '{error.filename or output}' cannot be written ({error.strerror}). Name "
            "another folder, or make room."
        ) from error
    print("\n".join([*lines, f"Tables and picture: {output}"]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BlastfoldError as error:
        sys.exit(str(error))
