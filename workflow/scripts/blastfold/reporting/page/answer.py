"""The answer of an experiment in two sentences, and the banner above it.

Numbers come from stored results; the words for verdicts are those of
:mod:`blastfold.reporting.verdicts`, as in every table.
"""

from collections.abc import Sequence

import pandas as pd

from blastfold.core.names import LEUKAEMIA_CLASSES, PROCEDURE
from blastfold.core.notes import FIRST_HIGHER, NO_DIFFERENCE, SECOND_HIGHER, only_notes
from blastfold.leakage.remedies import remedy_of
from blastfold.reporting.notes import sentences
from blastfold.reporting.page.baselines import baseline_sentence
from blastfold.reporting.page.numbers import article, interval_text, percent_text, points_text
from blastfold.reporting.page.study import Result, Standing, Study
from blastfold.reporting.publication.data_facts import NO_PATIENTS, QUOTED
from blastfold.reporting.publication.wording import (
    capital,
    count,
    duration,
    listing,
    percent,
)
from blastfold.reporting.tables.leak_contrast import LEAK
from blastfold.reporting.verdicts import outcome_words

POOLING_EFFECT = 0.05
"""Where pooled images and the mean of the folds differ by more, the answer gives both."""

UNTRAINED = " (both with random weights that are not trained: not a property of the architectures)"

UNKNOWN_SUBJECTS = ("no_subject_named", "images_without_subject")
"""Notes of audits that do not know all subjects."""

NO_HONEST = (
    "No protocol of this experiment is known to keep training and test images apart: it has no "
    "result on new subjects to quote."
)


def answer_sentences(study: Study, dataset: str) -> list[str]:
    """Return the answer for one data set.

    Args:
        study: The experiment.
        dataset: A data set that models are trained on.

    Returns:
        What the models reach on new subjects with the verdict on their differences, what a
        baseline without a network reaches where not all are above it, and the effect of leakage;
        fewer sentences where results are missing.
    """
    split = study.best_known(dataset)
    texts = [] if study.quoted(dataset) else [NO_HONEST]
    if split is not None and study.results_of(dataset, split.protocol):
        texts += [_level_sentence(study, split), random_sentence(study, split)]
        texts += [scale_sentence(study, split), baseline_sentence(study, split)]
        texts += [] if split.honest else [remedy_of(split.group_by, split.subjects_known)]
    return [text for text in [*texts, leak_sentence(study, dataset)] if text]


def _level_sentence(study: Study, split: Standing) -> str:
    protocol = QUOTED.format(study.title("protocol", split.protocol))
    where = (
        f"On {study.title('dataset', split.dataset)} under {protocol}, where none of the "
        f"{study.images_of(split, split.tested):,} test images{_repeats(study, split)} is related "
        "to a training image,"
    )
    if not split.honest:
        where = f"The best protected results are those under {protocol}: {_known(study, split)}."
    verdict = models_verdict(study, split)
    results = study.results_of(split.dataset, split.protocol)
    learnt = study.learnt_tests(split.dataset, split.protocol)
    clean = [row for row in results if row.model not in learnt]
    reached = "no model is without test images in its start weights"
    if clean or not results:
        reached = _range(study, split.dataset, clean)
    text = f"{reached}{f'; {verdict}' if verdict else ''}."
    level = f"{where} {text if split.honest else f'There, {text}'}"
    warned = [found.sentence(study.title("model", model)) for model, found in learnt.items()]
    return " ".join([level, *warned])


def _known(study: Study, split: Standing) -> str:
    """Say what is known of the relations of a split that is not free of leakage."""
    note = only_notes(split.note, *UNKNOWN_SUBJECTS)
    reason = f"; {sentences(note)}" if note else ""
    tested = f"{study.images_of(split, split.tested):,} test images{_repeats(study, split)}"
    if split.related is None:
        return f"how many of the {tested} are related to training images is unknown{reason}"
    known = "known to be " if note else ""
    if not split.related:
        return f"none of the {tested} is {known}related to a training image{reason}"
    related = f"{study.images_of(split, split.related):,} of {tested}"
    share = percent(split.related / split.tested)
    return f"{related} ({share}) are {known}related to training images{reason}"


def _repeats(study: Study, split: Standing) -> str:
    repeats = study.repeats_of(split.protocol)
    return f" ({repeats} repeats)" if repeats > 1 else ""


def scale_sentence(study: Study, split: Standing) -> str:
    """Name the models whose pooled result is not that of their folds; empty for none.

    Networks of different folds have scales of their own, and a metric of the pooled images mixes
    them (LeDell, Petersen and van der Laan 2015, section 2). Verdicts are about the folds.
    """
    texts = []
    for row in study.results_of(split.dataset, split.protocol):
        mean = study.fold_mean(split.dataset, split.protocol, row.model)
        if abs(row.value - mean) > POOLING_EFFECT:
            name = study.title("model", row.model)
            texts.append(f"{percent_text(mean)} for {name}, pooled {percent_text(row.value)}")
    if not texts:
        return ""
    return (
        f"Verdicts are about the mean of the folds, which is {listing(texts)}: probabilities of "
        "different folds have different scales there."
    )


def random_sentence(study: Study, split: Standing) -> str:
    """Name the models whose backbones are random and frozen; empty for none."""
    models = study.models_of(split.dataset, split.protocol)
    untrained = [name for name in models if name in study.about["random_backbones"]]
    if not untrained:
        return ""
    names = listing(study.title("model", name) for name in untrained)
    backbones = "backbones are" if len(untrained) > 1 else "backbone is"
    those = "these architectures" if len(untrained) > 1 else "this architecture"
    return f"The {backbones} random and frozen in {names}: the results say nothing about {those}."


def _range(study: Study, dataset: str, results: Sequence[Result]) -> str:
    """Say what the models reach: the only one, or the lowest and the highest; no model twice."""
    known = [row for row in results if row.value == row.value and row.model not in study.doubles]
    known.sort(key=lambda row: row.value)
    metric = study.metric_title_of(dataset)
    if not known:
        return f"the {metric} of no model is defined"
    if len(known) == 1:
        model = study.title("model", known[0].model)
        return f"{model} reaches {article(metric)} of {_value(known[0])}"
    texts = [f"{_value(row)} for {study.title('model', row.model)}" for row in known]
    return (
        f"{count(len(known), 'model')} reach {article(metric)} between {texts[0]} and {texts[-1]}"
    )


def _value(row: Result) -> str:
    return interval_text(row.value, row.lower, row.upper)


def models_verdict(study: Study, split: Standing) -> str:
    """Return what the comparison of the models of a split found, without controls.

    Returns:
        For instance "no difference between models is detected (detectable: 14.2 to 31.0 points)";
        empty without a comparison.
    """
    rows = procedure_rows(study, f"evaluation/{split.dataset}/{split.protocol}/comparisons")
    controls = [sorted(entry["models"]) for entry in study.about["controls"]]
    rows = [
        row for row in rows if sorted((row["first_model"], row["second_model"])) not in controls
    ]
    if not rows:
        return ""
    found = [row for row in rows if row["outcome"] in (FIRST_HIGHER, SECOND_HIGHER)]
    if found:
        return f"differences are detected: {listing(_pair(study, row) for row in found)}"
    if any(row["outcome"] == NO_DIFFERENCE for row in rows):
        return f"no difference between models is detected{_detectable(rows)}"
    row = rows[0]
    return outcome_words(row["outcome"], row["minimum_detectable"], "", "")


def _pair(study: Study, row: pd.Series) -> str:
    first, second = (study.title("model", row[f"{side}_model"]) for side in ("first", "second"))
    better = (first, second) if row["outcome"] == FIRST_HIGHER else (second, first)
    names = {row["first_model"], row["second_model"]}
    untrained = names <= set(study.about["random_backbones"])
    points = f"{100 * abs(row['difference']):.1f} points"
    return f"{better[0]} above {better[1]} by {points}{UNTRAINED if untrained else ''}"


def _detectable(rows: Sequence[pd.Series]) -> str:
    points = [100 * row["minimum_detectable"] for row in rows]
    known = sorted(value for value in points if value == value)
    if not known:
        return ""
    # An AUC cannot differ by 100 points and more.
    possible = [value for value in known if value < 100]
    if not possible:
        return " (too few groups to detect any)"
    if len(possible) < len(known):
        return f" (detectable: {possible[0]:.1f} points and more; in some pairs none)"
    ends = [f"{value:.1f}" for value in dict.fromkeys((known[0], known[-1]))]
    pairs = ", depending on the pair" if len(ends) > 1 else ""
    return f" (detectable: {' to '.join(ends)} points{pairs})"


def procedure_rows(study: Study, name: str) -> list[pd.Series]:
    """Return the rows of a stored table of differences that verdicts are about."""
    table = study.sources.table(name)
    if table is None:
        return []
    # The name begins with evaluation/{dataset}.
    metric = study.metric_of(name.split("/")[1])
    chosen = (table["view"] == PROCEDURE) & (table["metric"] == metric)
    return [row for _, row in table[chosen & table["recommended"].astype(bool)].iterrows()]


def leak_sentence(study: Study, dataset: str) -> str:
    """Return the effect of leakage on one data set; empty where no protocol leaks."""
    best = study.best_known(dataset)
    leaking = [split for split in study.leaking(dataset) if split != best]
    texts = [_leaking_text(study, leaking[0])] if leaking else []
    table = study.sources.table(f"tables/{dataset}/leak_contrast")
    rows = [] if table is None else [row for _, row in table[table["question"] == LEAK].iterrows()]
    texts += [_contrast_text(row) for row in rows]
    if not rows and table is None:
        texts += _gap_texts(study, dataset)
    text = "; ".join(filter(None, texts))
    return f"{capital(text)}." if text else ""


def _leaking_text(study: Study, split: Standing) -> str:
    results = study.results_of(split.dataset, split.protocol)
    if not results:
        return ""
    share = percent(split.related / split.tested)
    tested = study.images_of(split, split.tested)
    return (
        f"under {QUOTED.format(study.title('protocol', split.protocol))}, where "
        f"{study.images_of(split, split.related):,} of {tested:,} test "
        f"images ({share}) are related to training images, {_range(study, split.dataset, results)}"
    )


def _contrast_text(row: pd.Series) -> str:
    return (
        f"with the leak alone and without it, the {row['metric_title']} of {row['model_title']} "
        f"differs by {_points(row)} points: {row['outcome']}"
    )


def _points(row: pd.Series) -> str:
    """Return a difference that is stored in points, with its interval."""
    text = points_text(row["difference"] / 100)
    if row["difference_lower"] != row["difference_lower"]:
        return text
    ends = (points_text(row[f"difference_{end}"] / 100) for end in ("lower", "upper"))
    return f"{text} [{', '.join(ends)}]"


def _gap_texts(study: Study, dataset: str) -> list[str]:
    """Say what the gap between the leaking and the quoted protocol is, where both were run."""
    table = study.sources.table(f"tables/{dataset}/protocol_gap")
    quoted, leaking = study.quoted(dataset), study.leaking(dataset)
    if table is None or quoted is None or not leaking:
        return []
    pair = {quoted.protocol, leaking[0].protocol}
    rows = table[table["metric"] == study.metric_of(dataset)]
    return [
        f"the gap between the protocols (means of the folds) is {_points(row)} points for "
        f"{row['model_title']}: "
        f"{row['outcome']}"
        for _, row in rows.iterrows()
        if {row["first_protocol"], row["second_protocol"]} == pair
    ]


def banner(study: Study) -> dict:
    """Return what the banner shows: data, provenance, warnings.

    Returns:
        facts (pairs of heading and text) and warnings (sentences).
    """
    provenance = study.sources.json("publication/provenance.json") or {}
    facts = [("Data", text) for text in map(lambda name: _data_text(study, name), study.datasets)]
    facts += _provenance_facts(provenance)
    generated = [QUOTED.format(study.title("dataset", name)) for name in study.about["generated"]]
    warnings = [f"{listing(generated)}: generated images. {NO_PATIENTS}"] if generated else []
    if missing := provenance.get("missing"):
        warnings.append(f"{count(len(missing), 'training')} of the config did not finish.")
    return {"facts": [fact for fact in facts if fact[1]], "warnings": warnings}


def _data_text(study: Study, name: str) -> str:
    description = study.sources.json(f"datasets/{name}/dataset.json")
    if description is None:
        return ""
    counts = [f"{number:,} {kind}" for kind, number in description["class_images"].items()]
    classes = tuple(description.get("classes") or LEUKAEMIA_CLASSES)
    if len(classes) == 2 and classes != LEUKAEMIA_CLASSES:
        # Sensitivity and ROC curves are about it, which names of one's own do not show.
        named = study.about.get("positive", {}).get(name) or classes[-1:]
        counts[-1] += f"; positive: {listing(named)}"
    units = [
        count(description[kind], kind.removesuffix("s"))
        if description.get(kind)
        else f"{kind} unknown"
        for kind in ("subjects", "pictures")
    ]
    rejected = description.get("rejected") or 0
    files = count(rejected, "rejected file") if rejected else "no rejected file"
    return (
        f"{study.title('dataset', name)}: {count(description['images'], 'image')} "
        f"({', '.join(counts)}), {', '.join(units)}, {files}"
    )


def _provenance_facts(provenance: dict) -> list[tuple[str, str]]:
    if not provenance:
        return []
    runs = provenance["runs"]
    devices = dict.fromkeys(run["device"] for run in runs)
    seconds = sum(run["seconds"] for run in runs)
    workflow = provenance["workflow"]
    commit = (workflow.get("commit") or "unknown")[:12]
    changed = " with uncommitted changes" if workflow.get("dirty") else ""
    trainings = f"{count(len(runs), 'training')} on {listing(devices)}, {duration(seconds)}"
    return [
        ("Trainings", trainings if runs else ""),
        ("Code", f"{workflow['name']} {workflow['version']}, commit {commit}{changed}"),
        ("Seed", str(provenance["config"]["seed"])),
    ]
