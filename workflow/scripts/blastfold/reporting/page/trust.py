"""Can the results be trusted? Traffic lights that are computed from stored tables."""

import math
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

import pandas as pd

from blastfold.core.names import GROUPINGS, MACRO_AUC, UNIT_LEVELS
from blastfold.core.notes import (
    FIRST_HIGHER,
    NO_DIFFERENCE,
    NO_VERDICT,
    SECOND_HIGHER,
    join_notes,
    note_codes,
    only_notes,
)
from blastfold.core.tables import read_text_table
from blastfold.datasets.accounting import odd_sentence
from blastfold.leakage.remedies import NAME_SUBJECTS, duplicates_of_subjects, remedy_of
from blastfold.reporting.notes import sentences
from blastfold.reporting.page.answer import procedure_rows
from blastfold.reporting.page.baselines import ABOVE, baseline_name, baseline_rows, baseline_value
from blastfold.reporting.page.numbers import percent_text
from blastfold.reporting.page.study import Standing, Study, effective_groups
from blastfold.reporting.publication.data_facts import QUOTED
from blastfold.reporting.publication.wording import count, listing, percent, sentence
from blastfold.reporting.tables.canaries import LABELS
from blastfold.reporting.tables.identity import VERDICTS
from blastfold.reporting.tables.writing import heading_of
from blastfold.reporting.verdicts import outcome_words

GOOD, CAUTION, BAD, OPEN, LEAKS = "good", "caution", "bad", "open", "leaks"
"""States of a light: the check holds, it holds in part, it does not hold, it was not measured; and
test images of a protocol are related to training images, often on purpose."""

WORDS = {
    **{GOOD: "passed", CAUTION: "caution", BAD: "not passed"},
    **{LEAKS: "leaks", OPEN: "not measured"},
}
"""The states in words, so that no reader depends on colours."""

CHANCE = 0.5
"""The AUC of a model that distinguishes nothing."""

WITHOUT_GROUPS = (
    *("images_instead_of_groups", "images_taken_as_independent", "too_narrow"),
    "groups_of_unknown_subjects",
)
"""Notes of intervals that are too narrow where images of one group are similar."""

SIGNIFICANT = 0.05
"""Largest p value of a permutation test that is taken as a finding."""


def word_of(state: str, number: int = 1) -> str:
    """Return a state in words after a number of lights."""
    return "leak" if state == LEAKS and number > 1 else WORDS[state]


class Light(NamedTuple):
    """One traffic light.

    Attributes:
        about: Title of the data set, or "all data sets".
        check: What is checked: a topic without an outcome, so that it fits every state.
        state: One of the states above.
        text: What was found, as a sentence.
        table: The table behind it, below the folder of tables, without ending; may be empty.
    """

    about: str
    check: str
    state: str
    text: str
    table: str = ""

    @property
    def word(self) -> str:
        """The state in words."""
        return WORDS[self.state]


def lights(study: Study) -> list[Light]:
    """Return the lights of every data set, then those of the whole experiment."""
    found = []
    for dataset in study.datasets:
        found += [*_files(study, dataset), *_subjects(study, dataset), *_leakage(study, dataset)]
        found += [*_duplicates(study, dataset), *_few_groups(study, dataset)]
        found += [*_baselines(study, dataset), *_controls(study, dataset)]
    found += _identity(study)
    return [*found, *_canaries(study), *_permutations(study), *_fitted(study)]


def _files(study: Study, dataset: str) -> Iterator[Light]:
    """Yield what of a folder of images was not used, or looks like a mistake."""
    description = study.sources.json(f"datasets/{dataset}/dataset.json") or {}
    if not description.get("files") or dataset in study.about["generated"]:
        return
    doubts = [sentence(odd_sentence(odd)) for odd in description["odd"]]
    used = f"{description['images']:,} images from {description['files']['imported']:,} of "
    text = f"{used}{description['files']['found']:,} files in the folder."
    rejected = description["files"]["rejected"]
    if rejected:
        text += f" {count(rejected, 'file')} could not be used."
    about = study.title("dataset", dataset), "Files of the data set"
    state = CAUTION if doubts or rejected else GOOD
    yield Light(*about, state, " ".join([text, *doubts]), "imports")


def _subjects(study: Study, dataset: str) -> Iterator[Light]:
    description = study.sources.json(f"datasets/{dataset}/dataset.json")
    if description is None:
        return
    images, unnamed = description["images"], description["unnamed"]["subject"]
    about = study.title("dataset", dataset), "Subjects"
    if not unnamed:
        text = f"All {images:,} images have one of {count(description['subjects'], 'subject')}."
        yield Light(*about, GOOD, text, "datasets")
    elif unnamed == images:
        text = sentence(sentences("no_subject_named"))
        yield Light(*about, BAD, f"{text} {NAME_SUBJECTS}.", "datasets")
    else:
        note = sentences(f"images_without_subject:{unnamed}:{images}")
        yield Light(*about, CAUTION, sentence(note), "datasets")


def _leakage(study: Study, dataset: str) -> Iterator[Light]:
    for split in study.standings.values():
        if split.dataset == dataset:
            yield _leakage_of(study, split)


def _leakage_of(study: Study, split: Standing) -> Light:
    about = study.title("dataset", split.dataset)
    check = f"Leakage under {QUOTED.format(study.title('protocol', split.protocol))}"
    tested = study.images_of(split, split.tested)
    of_all = f"of {count(tested, 'test image')}"
    if split.related is None:
        return Light(about, check, OPEN, sentence(sentences(split.note)), "leakage")
    if split.related:
        related = study.images_of(split, split.related)
        text = f"{related:,} {of_all} ({percent(split.related / split.tested)}) "
        text += f"are related to training images. {_reading_of_leak(study, split)}".rstrip()
        return Light(about, check, LEAKS, text, "leakage")
    text = f"None {of_all} is related to a training image"
    if split.related_to_validation:
        related = study.images_of(split, split.related_to_validation)
        text += f", but {related:,} are related to validation images"
    state = GOOD if not split.note and not split.related_to_validation else CAUTION
    if not split.subjects_known:
        state = BAD if "no_subject_named" in note_codes(split.note) else CAUTION
    note = f" {sentence(sentences(split.note))}" if split.note else ""
    return Light(about, check, state, f"{text}.{note}", "leakage")


def _reading_of_leak(study: Study, split: Standing) -> str:
    """Say what a protocol that leaks is good for, or what to do about it."""
    if study.quoted(split.dataset):
        return "Its results show what leakage does; do not quote them."
    texts = []
    if removed := only_notes(split.note, "removed_duplicates_tie"):
        texts.append(sentence(sentences(removed)))
    elif split.tied_by_duplicates:
        texts.append("Duplicates tie images of different subjects or pictures together.")
    return " ".join([*texts, remedy_of(split.group_by, split.subjects_known)])


def _duplicates(study: Study, dataset: str) -> Iterator[Light]:
    table = study.sources.table(f"tables/{dataset}/duplicates")
    if table is None:
        return
    row = table.set_index("kind").loc["any_kind"]
    about = study.title("dataset", dataset), "Duplicates"
    shown = f"{dataset}/duplicates"
    if not row["pairs"]:
        yield Light(*about, GOOD, "No two images show the same cell.", shown)
        return
    text = f"{count(int(row['pairs']), 'pair')} of images show the same cell"
    if differing := int(row["different_classes"]):
        text += f"; {differing} of them have different classes"
    quoted = study.quoted(dataset)
    apart = "; under the quoted protocol no copy of a test image is in training" if quoted else ""
    text = f"{text}{apart}. {_across_subjects(study, dataset)}".rstrip()
    yield Light(*about, BAD if differing else CAUTION, text, shown)


def _across_subjects(study: Study, dataset: str) -> str:
    """Name the subjects that duplicates tie together, with what to do; empty for none."""
    names = (f"datasets/{dataset}/{name}.tsv" for name in ("duplicates", "manifest"))
    stored = [study.sources.path(name) for name in names]
    return "" if None in stored else duplicates_of_subjects(*map(read_text_table, stored))


def _few_groups(study: Study, dataset: str) -> Iterator[Light]:
    split = study.best_known(dataset)
    results = study.results_of(dataset, split.protocol) if split else []
    results = [row for row in results if row.model not in study.doubles]
    if not results:
        return
    about = study.title("dataset", dataset), "Number of groups behind the intervals"
    few = [groups for row in results if (groups := effective_groups(row.note))]
    most = max(row.groups for row in results)
    weak = join_notes(*(only_notes(row.note, *WITHOUT_GROUPS) for row in results))
    if weak:
        text = sentence(sentences(weak, short=True))
        yield Light(*about, BAD, text, f"{dataset}/results")
    elif few:
        note = sentences(f"few_groups:{min(few):g}")
        text = f"{sentence(note)} This holds for {len(few)} of {count(len(results), 'model')}."
        yield Light(*about, CAUTION, text, f"{dataset}/results")
    else:
        text = f"The intervals of all models rest on {count(most, 'leakage group')}."
        yield Light(*about, GOOD, text, f"{dataset}/results")


def _baselines(study: Study, dataset: str) -> Iterator[Light]:
    split = study.best_known(dataset)
    rows = baseline_rows(study, split) if split else None
    if rows is None:
        return
    below = rows[rows["above_baseline"] != ABOVE]
    models = dict.fromkeys(rows["model_title"])
    above = len(models) - below["model_title"].nunique()
    text = f"Shown to be above every baseline without a network: {above} of "
    text += count(len(models), "model")
    for name, part in below.groupby("baseline", sort=False):
        value = baseline_value(part, study.metric_of(dataset))
        text += f". Not above the {baseline_name(name)}, {value}: "
        text += listing(part["model_title"])
    if len(below):
        text += f". {sentence(sentences('not_above_baseline')).rstrip('.')}"
    doubts = list(_doubts_of_baselines(study, split))
    state = CAUTION if len(below) or doubts else GOOD
    text = " ".join([f"{text}.", *doubts])
    check = "Networks against results without a network"
    yield Light(study.title("dataset", dataset), check, state, text, f"{dataset}/baselines")


def _doubts_of_baselines(study: Study, split: Standing) -> Iterator[str]:
    """Yield why networks that are above all baselines may not see more than these."""
    if split.related:
        yield (
            "Test images are related to training images, which helps networks more than baselines."
        )
    results = study.results_of(split.dataset, split.protocol)
    few = [groups for row in results if (groups := effective_groups(row.note))]
    if few:
        yield sentence(sentences(f"few_groups:{min(few):g}"))


def _controls(study: Study, dataset: str) -> Iterator[Light]:
    for entry in study.about["controls"]:
        if entry["dataset"] != dataset:
            continue
        pair = sorted(entry["models"])
        name = f"evaluation/{dataset}/{entry['protocol']}/comparisons"
        for row in procedure_rows(study, name):
            if sorted((row["first_model"], row["second_model"])) == pair:
                yield _control(study, dataset, entry, row)


def _control(study: Study, dataset: str, entry: dict, row: pd.Series) -> Light:
    titles = [study.title("model", row[f"{side}_model"]) for side in ("first", "second")]
    detectable = row["minimum_detectable"]
    outcome = outcome_words(row["outcome"], detectable, *(f"{title} better" for title in titles))
    states = {NO_DIFFERENCE: GOOD, NO_VERDICT: OPEN, FIRST_HIGHER: BAD, SECOND_HIGHER: BAD}
    text = f"{' against '.join(titles)}: {outcome}. {sentence(sentences('same_model'))}"
    table = f"{dataset}/{entry['protocol']}/comparisons"
    check = "A model against itself (A against A)"
    return Light(
        study.title("dataset", dataset), check, states.get(row["outcome"], OPEN), text, table
    )


def _identity(study: Study) -> Iterator[Light]:
    """Yield what test images share with what models learn from elsewhere.

    Protocols with the same finding have one light.
    """
    table = study.sources.table("tables/identity")
    states = {VERDICTS["nothing_shared"]: GOOD, VERDICTS["shared"]: BAD}
    states[VERDICTS["unknown"]] = OPEN
    protocols = {}
    for _, row in () if table is None else table.iterrows():
        learnt_from = PurePosixPath(row["learnt_from_title"]).name
        check = f"Test images that are also in {learnt_from}, which is learnt from"
        finding = row["verdict"]
        if row["affected"] == row["affected"]:
            finding += f", {row['affected']:.0f} of {row['tested_images']:.0f} test images affected"
        note = f" {sentence(row['note'])}" if row["note"] else ""
        state = states.get(row["verdict"], CAUTION)
        key = row["tested_on_title"], check, state, finding, note
        protocols.setdefault(key, []).append(QUOTED.format(row["protocol_title"]))
    for (title, check, state, finding, note), found in protocols.items():
        text = f"Under {listing(dict.fromkeys(found))}: {finding}.{note}"
        yield Light(title, check, state, text, "identity")


def _canaries(study: Study) -> Iterator[Light]:
    table = study.sources.table("tables/canaries")
    if table is None and study.sources.table("tables/permutations") is not None:
        # Heads were trained on permuted labels; their lights follow.
        return
    if table is None:
        yield Light(
            "All data sets",
            "Training on permuted labels",
            OPEN,
            "No model was trained on permuted labels.",
        )
        return
    for _, row in table[table["labels"] != LABELS["true"]].iterrows():
        yield _canary(study, row)


def _canary(study: Study, row: pd.Series) -> Light:
    protocol = QUOTED.format(row["protocol_title"])
    check = f"Training on labels {row['labels']}: {row['model_title']}, {protocol}"
    # Of more than two classes the macro AUC, which is 50 % for chance too.
    metric = MACRO_AUC if row.get(MACRO_AUC, math.nan) == row.get(MACRO_AUC) else "auc"
    lower, upper = row[f"{metric}_lower"], row[f"{metric}_upper"]
    group_by = study.protocols_of(row["dataset"]).get(row["protocol"], GROUPINGS[0])
    kept = GROUPINGS.index(group_by) >= GROUPINGS.index(UNIT_LEVELS[0])
    of_subjects = row["labels"] == LABELS["subject"]
    text = f"{heading_of(metric).removesuffix(' (%)')} {percent_text(row[metric])}"
    if lower != lower:
        return Light(row["dataset_title"], check, OPEN, f"{text}. {row['note']}", "canaries")
    text += f" [{100 * lower:.1f}, {100 * upper:.1f}]"
    if lower > CHANCE:
        state = BAD
    elif upper < CHANCE:
        state = CAUTION if of_subjects else BAD
    else:
        # Where subjects are on both sides, not to detect that they are recognised proves little.
        state = GOOD if kept or not of_subjects else CAUTION
    return Light(row["dataset_title"], check, state, f"{text}. {row['note']}", "canaries")


def _permutations(study: Study) -> Iterator[Light]:
    table = study.sources.table("tables/permutations")
    for _, row in () if table is None else table.iterrows():
        check = (
            f"True labels against labels {row['labels']}: {row['model_title']}, "
            f"{QUOTED.format(row['protocol_title'])}"
        )
        ends = (100 * row[f"permuted_labels_{end}"] for end in ("lower", "upper"))
        limits = ", ".join(f"{end:.1f}" for end in ends)
        text = (
            f"Mean AUC of the folds: {percent_text(row['true_labels'])} on the true labels, median "
            f"{percent_text(row['permuted_labels'])} [{limits}] on "
            f"{row['permutations']:.0f} permutations, p = {row['p_value']:.3f}."
        )
        state = GOOD if row["p_value"] <= SIGNIFICANT else CAUTION
        note = f" {sentence(row['note'])}" if row["note"] else ""
        yield Light(row["dataset_title"], check, state, text + note, "permutations")


def _fitted(study: Study) -> Iterator[Light]:
    table = study.sources.table("tables/fitted_artefacts")
    if table is None:
        return
    about = "All data sets", "Images that anything was fitted on"
    verdicts = dict.fromkeys(table["verdict"])
    text = (
        f"{count(len(table), 'list')} of images that mean images, networks, thresholds and the "
        f"like were fitted on, each compared with its fold: {listing(verdicts)}."
    )
    # A table with another verdict is never written: the check stops the run.
    yield Light(*about, GOOD if len(table) else OPEN, text, "fitted_artefacts")
