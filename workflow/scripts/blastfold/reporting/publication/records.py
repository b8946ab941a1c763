"""The stored records of an experiment, from which methods and checklists are made.

The standard library alone: nothing here needs a network, a GPU or TensorFlow. Records that are
missing are left out, so that nothing is reported that was not carried out.
"""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from blastfold.core.errors import InputError
from blastfold.core.names import ROLES, TRAIN
from blastfold.experiment.random_backbones import model_title

Paths = Iterable[str | os.PathLike]


class Run(NamedTuple):
    """One training: its names and its record."""

    dataset: str
    protocol: str
    model: str
    fold: int
    record: dict


class Split(NamedTuple):
    """One data set split by one protocol.

    Attributes:
        counts: By fold, the images of each role that the fold has.
        crossings: Images of the test parts that share something with their training part, by
            what they share (copy, subject, picture, parent), None where that is unknown; None
            without an audit.
        tested: Test images of all folds together, as the audit counted them.
    """

    counts: dict[int, dict[str, int]]
    crossings: dict[str, int | None] | None = None
    tested: int = 0


class ExternalTest(NamedTuple):
    """Networks of one training, tested on another data set.

    Attributes:
        dataset, protocol, model: Names of the training.
        external: Name of the data set tested on.
        networks: Number of networks that predicted.
        left_out: Images by class that the networks do not know.
        absent: Classes of the networks without images.
    """

    dataset: str
    protocol: str
    model: str
    external: str
    networks: int
    left_out: Mapping[str, int] = MappingProxyType({})
    absent: Sequence[str] = ()


class Records(NamedTuple):
    """Everything that is known of an experiment.

    Attributes:
        config: The checked config with all defaults.
        asked: Every (data set, protocol, model, number of folds) of the experiment.
        expected: What the public data set of the same format holds, by name of the data set.
        datasets: Descriptions (``dataset.json``) by name, of those imported.
        splits: By (data set, protocol), of those assigned.
        runs: Trainings that were finished, in the config's order.
        layers: Rows of ``layers.tsv`` by (data set, model).
        metrics: Names of the metrics that were computed, in order.
        intervals: Rows of all tables of intervals; empty where there are none.
        comparisons: Rows of all tables that compare models; empty where there are none.
        fitted: What was fitted on validation images in each fold (``fitted.json``).
        gaps: Rows of the protocol gap by data set.
        banded: (data set, protocol, model) with a band of its ROC curve.
        points: Rows of all tables of operating points; empty where there are none.
        external: Tests on other data sets that ran.
        class_metrics: Names of the metrics over all classes that were computed, in order.
    """

    config: dict
    asked: list[tuple[str, str, str, int]]
    expected: dict[str, dict]
    datasets: dict[str, dict]
    splits: dict[tuple[str, str], Split]
    runs: list[Run]
    layers: dict[tuple[str, str], list[dict[str, str]]]
    metrics: list[str]
    intervals: list[dict[str, str]]
    comparisons: list[dict[str, str]]
    fitted: list[dict]
    gaps: dict[str, list[dict[str, str]]]
    banded: list[tuple[str, str, str]]
    points: list[dict[str, str]]
    external: list[ExternalTest]
    class_metrics: tuple[str, ...] = ()

    def title(self, kind: str, name: str) -> str:
        """Return the title of an entry; ``kind`` is dataset, protocol or model."""
        entry = self.config[f"{kind}s"][name]
        title = entry.get("title", name)
        return model_title({**entry, "title": title}) if kind == "model" else title

    def runs_of(self, **names: str) -> list[Run]:
        """Return the runs with these names, for instance ``dataset="demo"``."""
        return [
            run
            for run in self.runs
            if all(getattr(run, kind) == name for kind, name in names.items())
        ]

    def is_canary(self, dataset: str) -> bool:
        """Return whether a data set has permuted labels."""
        return self.config["datasets"][dataset]["format"] == "permuted"

    def without_canaries(self) -> "Records":
        """Return the records of the data sets whose labels are true."""
        return self._replace(
            asked=[entry for entry in self.asked if not self.is_canary(entry[0])],
            datasets={
                name: record for name, record in self.datasets.items() if not self.is_canary(name)
            },
            splits={key: split for key, split in self.splits.items() if not self.is_canary(key[0])},
            runs=[run for run in self.runs if not self.is_canary(run.dataset)],
            layers={key: rows for key, rows in self.layers.items() if not self.is_canary(key[0])},
        )

    def origin(self, name: str) -> dict:
        """Return the config's entry of the data set that a derived one was made from in the end."""
        entry = self.config["datasets"][name]
        return self.origin(entry["of"]) if "of" in entry else entry

    def missing(self) -> list[tuple[str, str, str, list[int]]]:
        """List (data set, protocol, model, folds) that were asked for and did not finish."""
        found = {run[:4] for run in self.runs}
        lacking = []
        for *names, count in self.asked:
            folds = [fold for fold in range(count) if (*names, fold) not in found]
            if folds:
                lacking.append((*names, folds))
        return lacking


def read_records(
    config: dict,
    asked: Iterable[tuple[str, str, str, int]],
    expected: dict[str, dict] | None = None,
    datasets: Paths = (),
    folds: Paths = (),
    leakage: Paths = (),
    runs: Paths = (),
    layers: Paths = (),
    metrics: Paths = (),
    intervals: Paths = (),
    comparisons: Paths = (),
    fitted: Paths = (),
    gaps: Paths = (),
    roc_bands: Paths = (),
    operating_points: Paths = (),
    external: Paths = (),
    external_intervals: Paths = (),
    class_metrics: Paths = (),
) -> Records:
    """Read the records of an experiment; whatever is not there is left out.

    Args:
        config: The checked config with all defaults.
        asked: Every (data set, protocol, model, number of folds) of the experiment, in order.
        expected: What the public data set of the same format holds, by name of the data set.
        datasets: Files ``{dataset}/dataset.json``.
        folds: Files ``{dataset}/{protocol}.tsv``.
        leakage: Files ``{dataset}/{protocol}.leakage.tsv``.
        runs: Files ``{dataset}/{protocol}/{model}/runs.json``.
        layers: Files ``{dataset}/{protocol}/{model}/layers.tsv``.
        metrics: Files ``{dataset}/{protocol}/{model}/metrics.tsv``.
        intervals: Files ``{dataset}/{protocol}/{model}/intervals.tsv``.
        comparisons: Files ``{dataset}/{protocol}/comparisons.tsv``.
        fitted: Files ``{dataset}/{protocol}/{model}/fitted.json``.
        gaps: Files ``{dataset}/protocol_gap.tsv``.
        roc_bands: Files ``{dataset}/{protocol}/{model}/roc_band.tsv``.
        operating_points: Files ``{dataset}/{protocol}/{model}/operating_points.tsv``.
        external: Files ``{dataset}/{protocol}/{model}/{external}/record.json``.
        external_intervals: Files ``{dataset}/{protocol}/{model}/{external}/intervals.tsv``.
        class_metrics: Files ``{dataset}/{protocol}/{model}/class_metrics.tsv``.

    Raises:
        InputError: When a file exists but does not hold what its name promises.
    """
    asked = [tuple(entry) for entry in asked]
    return Records(
        config=config,
        asked=asked,
        expected=expected or {},
        datasets={path.parent.name: read_json(path) for path in _there(datasets)},
        splits=_read_splits(_there(folds), _there(leakage)),
        runs=_sort([run for path in _there(runs) for run in _read_runs(path)], asked),
        layers={path.parts[-4:-1:2]: read_rows(path, "kind") for path in _there(layers)},
        metrics=_metric_names(_there(metrics)),
        intervals=_read_all(
            [*intervals, *external_intervals], "view", "method", "level", "recommended"
        ),
        comparisons=_read_all(comparisons, "view", "method", "recommended"),
        fitted=[fold for path in _there(fitted) for fold in read_json(path, list)],
        gaps={
            path.parent.name: read_rows(path, "view", "method", "recommended", "common_images")
            for path in _there(gaps)
        },
        banded=[path.parts[-4:-1] for path in _there(roc_bands)],
        points=_read_all(operating_points, "operating_point", "sensitivity_lower"),
        external=[_read_external(path) for path in _there(external)],
        class_metrics=tuple(_over_all(_there(class_metrics))),
    )


def read_json(path: Path, kind: type = dict) -> Any:
    """Read a JSON object, or a list of them.

    Raises:
        InputError: When the file holds something else.
    """
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error}); expected a record of a run") from error
    if not isinstance(content, kind):
        raise InputError(f"{path}: holds {type(content).__name__}, expected {kind.__name__}")
    return content


def read_rows(path: Path, *columns: str) -> list[dict[str, str]]:
    """Read a TSV file as one dict of text per row.

    Raises:
        InputError: When one of ``columns`` is missing.
    """
    with Path(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t")
        rows = list(reader)
    absent = [column for column in columns if column not in (reader.fieldnames or [])]
    if absent:
        raise InputError(f"{path}: the columns {absent} are missing")
    return rows


def _read_all(paths: Paths, *columns: str) -> list[dict[str, str]]:
    return [row for path in _there(paths) for row in read_rows(path, *columns)]


def _there(paths: Paths) -> list[Path]:
    return [path for path in map(Path, paths) if path.is_file()]


def _read_runs(path: Path) -> Iterator[Run]:
    expected = ("fold", "settings", "device", "seed", "seconds", "digests", "images", "versions")
    for record in read_json(path, list):
        if absent := [key for key in expected if key not in record]:
            raise InputError(
                f"{path}: the keys {absent} are missing, expected a record of a training"
            )
        yield Run(*path.parts[-4:-1], record["fold"], record)


def _read_external(path: Path) -> ExternalTest:
    record = read_json(path)
    networks, classes = record.get("networks"), record.get("classes", {})
    if not isinstance(networks, list):
        raise InputError(f"{path}: the key 'networks' is missing, expected a record of a test")
    missing = classes.get("left_out", {}), classes.get("absent", ())
    return ExternalTest(*path.parts[-5:-1], len(networks), *missing)


def _sort(runs: list[Run], asked: list[tuple[str, str, str, int]]) -> list[Run]:
    order = {names[:3]: place for place, names in enumerate(asked)}
    known = [run for run in runs if run[:3] in order]
    return sorted(known, key=lambda run: (order[run[:3]], run.fold))


def _read_splits(folds: list[Path], leakage: list[Path]) -> dict[tuple[str, str], Split]:
    splits = {}
    for path in folds:
        counts: dict[int, dict[str, int]] = {}
        for row in read_rows(path, "image_id", "fold", "role"):
            roles = counts.setdefault(int(row["fold"]), dict.fromkeys(ROLES, 0))
            roles[row["role"]] += 1
        splits[path.parent.name, path.stem] = Split(dict(sorted(counts.items())))
    for path in leakage:
        names = path.parent.name, path.name.removesuffix(".leakage.tsv")
        if names in splits:
            splits[names] = splits[names]._replace(**_read_audit(path))
    return splits


def _read_audit(path: Path) -> dict:
    columns = ("fold", "against", "reason", "test_images", "crossing")
    crossings: dict[str, int | None] = {}
    tested: dict[str, int] = {}
    for row in read_rows(path, *columns):
        # A leakage group only takes together what the other reasons name.
        if row["against"] == TRAIN and row["reason"] != "group":
            found = int(float(row["crossing"])) if row["crossing"] else None
            known = crossings.get(row["reason"])
            crossings[row["reason"]] = known if found is None else found + (known or 0)
            tested[row["fold"]] = int(row["test_images"])
    return {"crossings": crossings, "tested": sum(tested.values())}


def _over_all(paths: list[Path]) -> list[str]:
    """Return the metrics over all classes; those of single classes are left out."""
    rows = (row for path in paths for row in read_rows(path, "metric", "class"))
    return list(dict.fromkeys(row["metric"] for row in rows if not row["class"]))


def _metric_names(paths: list[Path]) -> list[str]:
    return list(dict.fromkeys(row["metric"] for path in paths for row in read_rows(path, "metric")))
