"""The methods section, written from the config and from what the runs recorded.

Every statement is derived from a stored record. What was not run is left out. What was
asked for and is missing is named.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from blastfold.core.files import written_whole
from blastfold.core.names import FOLDS, METRICS, POOLED, PROCEDURE, THRESHOLD
from blastfold.core.notes import NO_VERDICT
from blastfold.reporting.publication import data_facts, training_facts
from blastfold.reporting.publication.class_facts import (
    OVER_ALL,
    UPPER,
    class_sentences,
    named_classes,
    positive_class,
)
from blastfold.reporting.publication.records import ExternalTest, Records
from blastfold.reporting.publication.wording import count, listing, sentence, span
from blastfold.reporting.tables.latex import escape_latex
from blastfold.reporting.tables.writing import heading_of

VIEWS = {
    POOLED: "the pooled test images' values",
    FOLDS: "the mean of the folds' values",
    PROCEDURE: "the primary metric of the training procedures",
}
"""What an interval or a test is of, by its ``view``."""

STATISTICS = {
    "jackknife-t": "a jackknife over leakage groups with Student's t",
    "crossed-t": (
        "a jackknife over leakage groups with Student's t and the overlap of cross-validation"
    ),
    "image-jackknife-t": "a jackknife over images with Student's t",
    "corrected-t": "the corrected resampled t (Nadeau and Bengio)",
    "repeats-t": "a t test with the variances between leakage groups, of overlap and of repeats",
    "folds-t": "a t test with the variances between leakage groups or folds and of their overlap",
    "wilson": "Wilson's interval for proportions",
    "delong": "DeLong's method",
    "clustered-delong": "DeLong's method for leakage groups (Obuchowski)",
    "bootstrap": "a bootstrap of leakage groups",
    "bootstrap-percentile": "a percentile bootstrap of leakage groups",
    "bootstrap-bca": "a BCa bootstrap of leakage groups",
    "bootstrap-t": "a bootstrap of leakage groups with its own t distribution",
    "robust-t": "a variance between leakage groups with Student's t",
    "mcnemar": "McNemar's test",
    "clustered-mcnemar": "McNemar's test for leakage groups (Obuchowski)",
}
"""How methods of intervals and tests are written."""

AT = "specificity-"
"""How the names of operating points at a fixed specificity begin."""


def write_methods(records: Records, paths: list[str | os.PathLike]) -> None:
    """Write the methods section as Markdown (.md) and LaTeX (.tex), by the paths' suffixes."""
    sections = methods_sections(records)
    for path in map(Path, paths):
        render = {".md": to_markdown, ".tex": to_latex}[path.suffix]
        with written_whole(path) as partial:
            partial.write_text(render(sections), encoding="utf-8", newline="\n")


def methods_sections(records: Records) -> dict[str, list[str]]:
    """Return the sentences of the methods section by heading; an empty section is left out."""
    described = records.without_canaries()
    sections = {
        "Images": data_facts.data_sentences(described),
        "Splits": data_facts.split_sentences(described),
        "Pre-processing": training_facts.preprocessing_sentences(described),
        "Augmentation": training_facts.augmentation_sentences(described),
        "Networks": [
            *training_facts.network_sentences(described),
            *training_facts.start_sentences(described),
        ],
        "Training": [
            *training_facts.optimisation_sentences(described),
            *training_facts.selection_sentences(described),
            *training_facts.seed_sentences(described),
        ],
        "Evaluation": [
            *evaluation_sentences(described),
            *interval_sentences(described),
            *comparison_sentences(described),
            *calibration_sentences(described),
            *bootstrap_sentences(described),
        ],
        "Comparison of protocols": gap_sentences(described),
        "External test": external_sentences(described),
        "Canaries": canary_sentences(records),
        "Software and devices": training_facts.software_sentences(records),
        "Not finished": missing_sentences(records),
    }
    return {heading: sentences for heading, sentences in sections.items() if sentences}


def evaluation_sentences(records: Records) -> list[str]:
    """Report what was measured, on which images, and how folds were combined."""
    if not records.metrics:
        return []
    # A table of metrics has those over all classes too, which have a sentence of their own.
    measured = [name for name in records.metrics if name in METRICS]
    plain = [heading_of(name).removesuffix(" (%)").lower() for name in measured]
    names = [
        UPPER.get(metric, name.replace("f1", "F1"))
        for metric, name in zip(measured, plain, strict=True)
    ]
    several = data_facts.several_classes(records)
    sentences = [
        *(named_classes(records) if several else [positive_class(records)]),
        "An image was predicted as positive when the probability of the positive class was at "
        f"least {THRESHOLD}.",
        f"Measured on test images alone were {listing(names)}.",
        *(class_sentences(records) if several else []),
    ]
    if any(run.fold > 0 for run in records.runs):
        sentences.append(
            "Where there are several folds, the mean and the sample standard deviation of the "
            "folds' values and the values of all folds' test images pooled are reported separately."
        )
    if any(run.record.get("repeat", 0) > 0 for run in records.runs):
        sentences.append(
            "Where a protocol was repeated, the test images of a repeat's folds were pooled, and "
            "the metrics of the repeats were averaged; groups were left out of all repeats at once."
        )
    return sentences


def interval_sentences(records: Records) -> list[str]:
    """Name the intervals that the tables show, where there are any."""
    sentences = []
    for view, methods, rows in _recommended(records.intervals):
        levels = sorted({f"{100 * float(row['level']):g} %" for row in rows if row["level"]})
        level = f" ({listing(levels)})" if levels else ""
        sentences.append(f"Intervals{level} of {VIEWS[view]} were computed by {listing(methods)}.")
    return sentences


def comparison_sentences(records: Records) -> list[str]:
    """Name the tests between models that the tables show, where there are any."""
    sentences = [
        f"Pairs of models were compared in {VIEWS[view]} by {listing(methods)}."
        for view, methods, _ in _recommended(records.comparisons)
    ]
    if sentences:
        sentences.append("Both models of a pair saw the same test images.")
        sentences += family_sentences(records.comparisons)
    return sentences


def family_sentences(rows: list[dict[str, str]]) -> list[str]:
    """Name the primary metric, the family of comparisons and the repeats behind the verdicts."""
    judged = [row for row in rows if row["view"] == PROCEDURE]
    if not judged:
        return []
    primary = judged[0]["metric"]
    plain = heading_of(primary).removesuffix(" (%)").lower()
    metric = UPPER.get(primary, OVER_ALL.get(primary, plain))
    number = int(float(judged[0]["family"]))
    sentences = [
        f"The primary metric, the only one tested, was {metric}; {count(number, 'comparison')} of "
        "the experiment formed one family, adjusted by Bonferroni's method."
    ]
    numbers = [int(float(row["repeats"])) for row in judged]
    repeats = f"{span(numbers)} {'repeat' if max(numbers) == 1 else 'repeats'}"
    seeds = "its own seeds" if max(numbers) == 1 else "their own seeds"
    sentences.append(
        f"Verdicts are about the training procedures and rest on {repeats} of the splits with "
        f"{seeds}; other differences describe the trained networks."
    )
    if any(row["outcome"] == NO_VERDICT for row in judged):
        sentences.append(
            "Where each side was trained once, no verdict on the procedures was possible."
        )
    return sentences


def calibration_sentences(records: Records) -> list[str]:
    """Report what was fitted on validation images after training, where anything was."""
    if not any(fold["images"] for fold in records.fitted):
        return []
    fits = [fold["temperature"]["note"] for fold in records.fitted if "temperature" in fold]
    scaled = "a temperature, Platt scaling and thresholds"
    what = "thresholds" if fits and all(fits) else scaled
    without = " that has any" if not all(fold["images"] for fold in records.fitted) else ""
    return [
        f"For the tables of calibration and of operating points, {what} were fitted on the "
        f"validation images of each fold{without} and applied to its test images."
    ]


def bootstrap_sentences(records: Records) -> list[str]:
    """Report how the bands of ROC curves and the intervals of their points were computed."""
    found = []
    if records.banded:
        found.append("The bands of the ROC curves were computed by a bootstrap of leakage groups.")
    read_from_curve = [row for row in records.points if row["operating_point"].startswith(AT)]
    if any(row["sensitivity_lower"] for row in read_from_curve):
        found.append(
            "The intervals of the sensitivity at a fixed specificity were computed by leaving out "
            "each leakage group in turn and choosing the threshold again."
        )
    return found


def gap_sentences(records: Records) -> list[str]:
    """Report how the results of different protocols were compared, where they were."""
    rows = {name: found for name, found in records.gaps.items() if found}
    if not rows:
        return []
    everything = [row for found in rows.values() for row in found]
    names = listing(records.title("dataset", name) for name in rows)
    methods = {STATISTICS[row["method"]] for row in everything if row["recommended"] == str(True)}
    by = f" by {listing(sorted(methods))}" if methods else ""
    paired = [float(row["common_images"] or 0) > 0 for row in everything]
    images = "on the images that both protocols tested, where these were enough"
    if not any(paired):
        images = "on all test images of each, because no image was tested under both"
    return [
        f"On {names}, the results of the same models under different protocols were compared{by}, "
        f"{images}.",
        *family_sentences(everything),
    ]


def external_sentences(records: Records) -> list[str]:
    """Describe the tests on other data sets that ran: networks, images and combination."""
    sentences = []
    for (dataset, external), tests in _external_tests(records).items():
        models = listing(dict.fromkeys(records.title("model", test.model) for test in tests))
        protocols = listing(
            dict.fromkeys(
                data_facts.QUOTED.format(records.title("protocol", test.protocol)) for test in tests
            )
        )
        size = records.datasets.get(external, {}).get("images")
        images, others = data_facts.predicted_images(size, tests[0])
        sentences.append(
            f"The networks of {models} that were trained on {records.title('dataset', dataset)} "
            f"under {protocols} predicted {images} of {records.title('dataset', external)}."
        )
        sentences += others
    if not sentences:
        return []
    sentences.append(
        "Nothing was fitted on these images: mean image, weights and threshold are those of the "
        "training."
    )
    if data_facts.several_classes(records):
        sentences.append(
            "Classes were matched by name; images of classes that the networks had not learnt were "
            "left out."
        )
    return [*sentences, *_networks_compared(records)]


def _networks_compared(records: Records) -> list[str]:
    """Report which predictions of both data sets are compared with each other."""
    texts = []
    numbers = sorted({test.networks for test in records.external})
    if numbers[0] == 1:
        texts.append(
            "Where a training has one network, its results on both data sets are compared."
        )
    if numbers[-1] > 1:
        several = span(number for number in numbers if number > 1)
        texts += [
            "The results of single networks on the other data set are compared with those of "
            "single networks on their own test images.",
            f"In addition, the mean probability of the {several} networks of a training is "
            "reported for the other data set; it has no counterpart on the own test images, each "
            "of which is predicted by one network.",
        ]
    return texts


def combination_sentences(records: Records) -> list[str]:
    """Report where the predictions of several networks were combined."""
    if not records.runs:
        return []
    tests = [test for test in records.external if test.networks > 1]
    if not tests:
        return ["The predictions of networks were not combined."]
    names = listing(dict.fromkeys(records.title("dataset", test.external) for test in tests))
    numbers = span(test.networks for test in tests)
    return [
        f"For the external test on {names}, the probabilities of the {numbers} networks of the "
        "folds of a training were averaged; results of the single networks are reported too.",
        "All other predictions are those of single networks.",
    ]


def _external_tests(records: Records) -> dict[tuple[str, str], list[ExternalTest]]:
    found: dict[tuple[str, str], list[ExternalTest]] = {}
    for test in records.external:
        found.setdefault((test.dataset, test.external), []).append(test)
    return found


def _recommended(rows: list[dict[str, str]]) -> Iterator[tuple[str, list[str], list[dict]]]:
    """Yield each view with the methods, in plain words, and rows that are marked recommended."""
    for view in VIEWS:
        shown = [row for row in rows if row["view"] == view and row["recommended"] == "True"]
        methods = dict.fromkeys(STATISTICS[row["method"]] for row in shown)
        if methods:
            yield view, list(methods), shown


def canary_sentences(records: Records) -> list[str]:
    """Report which networks were also trained on permuted labels, and why."""
    sentences = []
    for dataset, description in records.datasets.items():
        runs = records.runs_of(dataset=dataset)
        if not (runs and records.is_canary(dataset)):
            continue
        models = dict.fromkeys(records.title("model", run.model) for run in runs)
        protocols = dict.fromkeys(f"“{records.title('protocol', run.protocol)}”" for run in runs)
        sentences.append(
            f"On {records.title('dataset', dataset)} ({count(description['images'], 'image')}), "
            f"{listing(models)} {'was' if len(models) == 1 else 'were'} trained and tested in the "
            f"same way under {listing(protocols)} ({count(len(runs), 'training')})."
        )
    if sentences:
        # Classes of a data set with more than two need not be a disease.
        what = "classes" if data_facts.several_classes(records) else "disease"
        sentences.insert(0, f"Permuted labels carry no information about the {what}.")
    return sentences


def missing_sentences(records: Records) -> list[str]:
    """Name what the config asks for and the stored records do not show."""
    return [
        sentence(
            f"{records.title('model', model)} on {records.title('dataset', dataset)} under "
            f"{records.title('protocol', protocol)} lacks {count(len(folds), 'fold')} "
            f"(number {listing(folds)})"
        )
        for dataset, protocol, model, folds in records.missing()
    ]


def to_markdown(sections: dict[str, list[str]]) -> str:
    """Return the methods section as Markdown, one paragraph per heading."""
    paragraphs = [
        f"**{heading}.** {escape_markdown(' '.join(sentences))}"
        for heading, sentences in sections.items()
    ]
    return "\n\n".join(["## Methods", *paragraphs]) + "\n"


def to_latex(sections: dict[str, list[str]]) -> str:
    """Return the methods section as LaTeX, to be input into a document."""
    paragraphs = [
        rf"\paragraph{{{escape_latex(heading)}.}} {escape_latex(' '.join(sentences))}"
        for heading, sentences in sections.items()
    ]
    return "\n\n".join([r"\section*{Methods}", *paragraphs]) + "\n"


def escape_markdown(text: str) -> str:
    """Escape what Markdown would take for markup; a line break becomes a space."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", " ".join(text.split()))
