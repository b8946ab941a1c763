"""Reporting checklists (CLAIM 2024, TRIPOD+AI), filled in from the records of an experiment.

A checklist is data: a TSV with one row per item, which names the facts that answer it. The items
are in our own words; the numbers are those of the published lists:

* CLAIM 2024: Tejani et al., Radiology: Artificial Intelligence 6(4), 2024, e240300.
* TRIPOD+AI: Collins et al., BMJ 385, 2024, e078378.
"""

import csv
import io
import os
from pathlib import Path

from blastfold.core.errors import InputError
from blastfold.core.files import written_whole
from blastfold.core.names import THRESHOLD
from blastfold.reporting.publication import data_facts, methods, training_facts
from blastfold.reporting.publication.records import Records, Run, read_rows
from blastfold.reporting.publication.wording import count, listing, sentence

TILED = ("tiles", "pcam")
"""Formats whose images are tiles of slides."""

COLUMNS = ("item", "section", "topic", "answered_by")

AUTHORS = "authors"
"""Marks an item that the records answer only in part or not at all."""

TO_COMPLETE = "to be completed by the authors"
STATUS = {(True, False): "from the run", (True, True): "in part", (False, True): TO_COMPLETE}
"""What an item is, by whether the run answers and whether the authors must."""


def write_checklist(
    records: Records,
    checklist: str | os.PathLike,
    repository: dict[str, str | bool | None],
    paths: list[str | os.PathLike],
) -> None:
    """Write a checklist with its answers as TSV and Markdown, by the paths' suffixes.

    Args:
        records: Records of the experiment.
        checklist: TSV with the items: item, section, topic, answered_by.
        repository: Commit of the workflow (see :mod:`blastfold.experiment.repository`).
        paths: Files to write, .tsv and .md.

    Raises:
        InputError: When the checklist names a fact that does not exist.
    """
    rows = fill_checklist(read_checklist(checklist), facts(records, repository))
    for path in map(Path, paths):
        render = {".tsv": to_tsv, ".md": to_markdown}[path.suffix]
        with written_whole(path) as partial:
            partial.write_text(render(rows), encoding="utf-8", newline="\n")


def facts(records: Records, repository: dict[str, str | bool | None]) -> dict[str, str]:
    """Return everything that a checklist can be answered with; empty where nothing is known."""
    sentences = {
        "technique": _technique(records),
        "data": data_facts.data_sentences(records),
        "excluded": data_facts.exclusion_sentences(records),
        "sizes": data_facts.size_sentences(records),
        "splits": data_facts.split_sentences(records),
        "disjointness": data_facts.disjointness_sentences(records),
        "preprocessing": training_facts.preprocessing_sentences(records),
        "augmentation": training_facts.augmentation_sentences(records),
        "networks": training_facts.network_sentences(records),
        "start_weights": training_facts.start_sentences(records),
        "optimisation": training_facts.optimisation_sentences(records),
        "selection": training_facts.selection_sentences(records),
        "seeds": training_facts.seed_sentences(records),
        "class_balance": _class_balance(records),
        "evaluation": methods.evaluation_sentences(records),
        "intervals": methods.interval_sentences(records),
        "comparisons": methods.comparison_sentences(records),
        "calibration": methods.calibration_sentences(records),
        "software": training_facts.software_sentences(records),
        "code": _code(repository),
        "results": _results(records),
        "sample_size": _sample_size(records),
        "output": _output(records),
        "updating": _updating(records),
        "combination": methods.combination_sentences(records),
        "bootstrap": methods.bootstrap_sentences(records),
        "protocol_gap": methods.gap_sentences(records),
        "external_test": methods.external_sentences(records),
    }
    return {name: " ".join(texts) for name, texts in sentences.items()}


def read_checklist(path: str | os.PathLike) -> list[dict[str, str]]:
    """Read the items of a checklist; see :data:`COLUMNS`."""
    return read_rows(Path(path), *COLUMNS)


def fill_checklist(items: list[dict[str, str]], known: dict[str, str]) -> list[dict[str, str]]:
    """Answer each item with the facts that it names.

    Args:
        items: Rows of a checklist.
        known: Texts by the name of the fact, empty where the run has no record.

    Returns:
        item, section, topic, status and answer.

    Raises:
        InputError: When an item names a fact that does not exist.
    """
    rows = []
    for item in items:
        names = item["answered_by"].split(", ")
        if unknown := sorted(set(names) - set(known) - {AUTHORS}):
            raise InputError(
                f"checklist item {item['item']}: received the facts {unknown}, "
                f"expected {AUTHORS!r} or among {sorted(known)}"
            )
        texts = [known[name] for name in names if known.get(name)]
        # A fact that this experiment has no record of is left to the authors.
        open_part = AUTHORS in names or len(texts) < len(names)
        status = STATUS[bool(texts), open_part]
        answer = " ".join([*texts, *([sentence(TO_COMPLETE)] if open_part and texts else [])])
        rows.append(
            {key: item[key] for key in COLUMNS[:3]}
            | {"status": status, "answer": answer or TO_COMPLETE}
        )
    return rows


def to_tsv(rows: list[dict[str, str]]) -> str:
    """Return the filled checklist as TSV; answers hold neither tabs nor line breaks."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: " ".join(value.split()) for key, value in row.items()} for row in rows)
    return text.getvalue()


def to_markdown(rows: list[dict[str, str]]) -> str:
    """Return the filled checklist as a Markdown table."""
    lines = ["| Item | Section | Topic | Status | Answer |", "| ---: | --- | --- | --- | --- |"]
    for row in rows:
        cells = [methods.escape_markdown(value) for value in row.values()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _technique(records: Records) -> list[str]:
    models = dict.fromkeys(records.title("model", run.model) for run in records.runs)
    if not models:
        return []
    formats = {records.origin(run.dataset)["format"] for run in records.runs}
    of_tiles = formats & set(TILED)
    kinds = ["images of cells"] if formats - of_tiles else []
    kinds += ["tiles of tissue"] if of_tiles else []
    return [
        "Deep learning: convolutional networks that distinguish the classes of "
        f"{listing(kinds)} ({listing(models)})."
    ]


def _updating(records: Records) -> list[str]:
    """Report whether networks were changed after they had been tested."""
    if not records.runs:
        return []
    transferred = [run.model for run in records.runs if _is_transferred(records, run)]
    if not transferred:
        return ["No trained network was updated afterwards."]
    models = listing(dict.fromkeys(records.title("model", model) for model in transferred))
    return [
        f"{models} began with the weights of a network that was trained and tested on a source "
        "task; no other trained network was updated afterwards."
    ]


def _is_transferred(records: Records, run: Run) -> bool:
    return isinstance(records.config["models"][run.model]["weights"], dict)


def _class_balance(records: Records) -> list[str]:
    if not records.runs:
        return []
    weighted = {bool(run.record["settings"]["class_weights"]) for run in records.runs}
    classes = "all classes" if data_facts.several_classes(records) else "both classes"
    if len(weighted) > 1:
        return [f"The loss of some networks was weighted so that {classes} have equal influence."]
    if weighted == {True}:
        return [f"The loss was weighted so that {classes} have equal influence."]
    return ["The loss was not weighted by class."]


def _code(repository: dict[str, str | bool | None]) -> list[str]:
    if not repository.get("commit"):
        return []
    changed = " with changes that are not committed" if repository.get("dirty") else ""
    return [
        f"The code is the workflow Blastfold at commit {repository['commit']}{changed}; "
        "provenance.json lists versions and digests of every run."
    ]


def _results(records: Records) -> list[str]:
    if not records.metrics:
        return []
    return ["The tables in tables/ and the figures in figures/ hold the results of every run."]


def _sample_size(records: Records) -> list[str]:
    sizes = [
        f"{records.title('dataset', name)}: {count(description['images'], 'image')}"
        f" ({_positive_images(records, name)})"
        for name, description in records.datasets.items()
    ]
    return [f"The sample is what the data sets hold: {listing(sizes)}."] if sizes else []


def _positive_images(records: Records, name: str) -> str:
    counts = records.datasets[name]["class_images"]
    if name in data_facts.several_classes(records):
        return ", ".join(f"{number:,} {kind}" for kind, number in counts.items())
    positive = data_facts.positive_of(records, name)[0]
    return f"{counts[positive]:,} {positive}"


def _output(records: Records) -> list[str]:
    if not records.runs:
        return []
    several = any(len(data_facts.positive_of(records, name)) > 1 for name in records.datasets)
    what = "the sum of their probabilities" if several else "the probability of that class"
    return [
        "A network gives the probability of each class for one image; an image is predicted as "
        f"positive ({data_facts.positive_classes(records)}) when {what} is at least {THRESHOLD}."
    ]
