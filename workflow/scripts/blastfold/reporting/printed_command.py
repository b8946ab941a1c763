"""Audit printed results of several classes, without images: ``make printed SHEET=<sheet>``."""

import argparse
import sys

import pandas as pd

from blastfold.core.errors import BlastfoldError
from blastfold.evaluation.printed_classes import audit_sheet
from blastfold.reporting.notes import sentences

EXPLAINED = (
    "A result is possible where whole numbers of correct images per class print all of its recalls "
    "and its accuracy, each to 0.01 percentage points. Possible does not mean true."
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
        lines += [f"  {sentence}" for sentence in sentences(row["note"]).split("; ") if sentence]
    return "\n".join([*lines, "", EXPLAINED])


def main(arguments: list[str]) -> None:
    """Read the command line, audit, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sheet", help="tab-separated: result, class, images, recall, accuracy")
    print(report(audit_sheet(parser.parse_args(arguments).sheet)))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BlastfoldError as error:
        sys.exit(str(error))
