"""Prints what the audits of an experiment found before any training: part of ``make check``."""

import sys
from pathlib import Path

from blastfold.core.errors import BlastfoldError
from blastfold.experiment.config_file import read_config_file
from blastfold.experiment.folders import experiment_folders


def main(config: str) -> None:
    """Print the table of leakage of an experiment whose splits are audited.

    Args:
        config: Its config file.
    """
    results = Path(experiment_folders(read_config_file(config).get("name"))["results"])
    print((results / "tables" / "leakage.md").read_text("utf-8"))
    print(f"Files that are not used: {results}/datasets/*/rejected.tsv")
    print("What make results runs next:")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except BlastfoldError as error:
        sys.exit(str(error))
