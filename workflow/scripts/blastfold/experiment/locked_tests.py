"""What the rules of locked test sets read, by wildcards.

Paths begin with Snakemake's path variable ``<results>``.
"""

from functools import cached_property
from types import SimpleNamespace

from blastfold.core.errors import InputError
from blastfold.core.files import digest_settings
from blastfold.experiment.config_locked_tests import OPEN, locked_name
from blastfold.experiment.runs import Run, Runs
from blastfold.experiment.stored_files import EXTERNAL, StoredFiles
from blastfold.experiment.targets import ENDINGS

FOLDER = "<results>/locked_test"
"""Where everything is that is known of locked images."""


class LockedTests:
    """What the rules of locked test sets read.

    Args:
        runs: The runs of the experiment.
        files: Their files.
        results: The folder of results.
    """

    def __init__(self, runs: Runs, files: StoredFiles, results: str):
        self.runs = runs
        self.files = files
        self.results = results

    @cached_property
    def datasets(self) -> list[str]:
        """The data sets that have a locked part and that networks are trained on."""
        entries = self.runs.config["datasets"]
        return [name for name in self.runs.true_datasets if entries[name]["format"] == OPEN]

    @cached_property
    def described(self) -> list[dict]:
        """Return every run that a locked test set is for.

        Returns:
            Dicts with dataset, protocol, model and external (the locked part), their titles, and
            repeats where the protocol has several.
        """
        titles = self.runs.titles
        return [
            {
                **{**run._asdict(), "external": locked_name(run.dataset)},
                **self.runs.titles_of(run._asdict()),
                "external_title": titles["dataset"][locked_name(run.dataset)],
                **self._repeats(run),
            }
            for run in self.runs.true
            if run.dataset in self.datasets
        ]

    def _repeats(self, run: Run) -> dict[str, int]:
        repeats = self.runs.config["protocols"][run.protocol]["repeats"]
        return {"repeats": repeats} if repeats > 1 else {}

    # Input and parameter functions, by wildcards.

    def opened(self, wildcards) -> str:
        """Return the record that must exist before the locked images of a data set do."""
        entry = self.runs.config["datasets"][wildcards.dataset]
        return f"{FOLDER}/{entry['open_part']}/opening.json"

    def chosen(self, wildcards) -> str:
        """Return the table of the locked images of a data set."""
        entry = self.runs.config["datasets"][wildcards.dataset]
        return f"<results>/datasets/{entry['open_part']}/locked.tsv"

    def networks(self, wildcards) -> list[str]:
        """Return the networks of all runs of a data set, which are complete before it is opened."""
        return self.files.networks(self.runs.true_of(wildcards.dataset))

    def evaluations(self, wildcards) -> list[str]:
        """Return the results of all runs of a data set, which are known before it is opened."""
        return self.files.evaluated("intervals.tsv", self.runs.true_of(wildcards.dataset))

    def place(self, wildcards) -> SimpleNamespace:
        """Return what an opening is recorded with, in a namespace, which is not compared.

        Returns:
            record (the file that every opening adds a line to) and facts (config, a digest, and
            runs, protocol/model).
        """
        facts = SimpleNamespace(
            config=digest_settings(self.runs.config),
            runs=" ".join("/".join(run[1:]) for run in self.runs.true_of(wildcards.dataset)),
        )
        return SimpleNamespace(record=self._record(wildcards.dataset), facts=facts)

    def records(self, wildcards) -> SimpleNamespace:
        """Return the record of openings of every data set, in a namespace, by data set."""
        return SimpleNamespace(**{name: self._record(name) for name in self.datasets})

    def _record(self, dataset: str) -> str:
        return f"{self.results}/locked_test/{dataset}/openings.tsv"

    def openings(self, wildcards) -> list[str]:
        """Return the opening of every data set that has a locked part."""
        return [f"{FOLDER}/{name}/opening.json" for name in self.datasets]

    def of_runs(self, name: str) -> list[str]:
        """Return one file of the test of every run on its locked part."""
        return self.files.filled(f"{EXTERNAL}/{name}", self.described)

    def of_request(self, wildcards) -> list[str]:
        """Return the tables that ``snakemake locked_test`` asks for.

        Raises:
            InputError: No data set that networks are trained on has a locked part.
        """
        if not self.datasets:
            raise InputError(
                "locked_test: no data set of the experiments has the key locked_test, expected one"
            )
        names = ("results", "openings")
        return [f"{FOLDER}/{name}.{ending}" for name in names for ending in ENDINGS["tables"]]
