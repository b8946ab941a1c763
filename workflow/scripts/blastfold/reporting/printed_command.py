"""Audit printed results of several classes, without images: ``make printed SHEET=<sheet>``."""

import argparse
import sys

import pandas as pd

from blastfold.core.errors import BlastfoldError, InputError
from blastfold.evaluation.printed_classes import CLASS_NAMES, audit_sheet
from blastfold.reporting.notes import sentences

EXPLAINED = (
    "A result is possible where whole numbers of correct images per class print all of its recalls "
    "and its accuracy, each rounded or cut off to the decimals that are printed. Possible does not "
    "mean true."
)


def report(audit: pd.DataFrame) -> str:
    """Return the audit of a sheet as text: one paragraph per result.

    Args:
        audit: As :func:`blastfold.evaluation.printed_classes.audit_sheet` returns it.
    """
    lines = []
    for row in audit.to_dict("records"):
        size = f"{row['classes']} classes, {row['images']} images"
        lines.append(f"{row['result']} ({size}): {row['verdict']}")
        if row["possible_counts"]:
            lines.append(f"  Ways to predict that many images correctly: {row['possible_counts']}")
        names = {f"class-{place}": name for place, name in enumerate(row[CLASS_NAMES], 1)}
        told = sentences(row["note"], names=names)
        lines += [f"  {sentence}" for sentence in told.split("; ") if sentence]
    return "\n".join([*lines, "", EXPLAINED])


def main(arguments: list[str]) -> None:
    """Read the command line, audit, print.

    Raises:
        InputError: Also where the sheet cannot be read.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sheet", help="tab-separated: result, class, images, recall, accuracy")
    sheet = parser.parse_args(arguments).sheet
    try:
        print(report(audit_sheet(sheet)))
    except OSError as error:
        raise InputError(
            f"SHEET: '{sheet}' cannot be read ({error.strerror}). Name a tab-separated file."
        ) from error


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BlastfoldError as error:
        sys.exit(str(error))
