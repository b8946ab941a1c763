"""The vocabulary of the library: every name that is in files and is compared in code.

Each name is defined here and nowhere else; ``tests/unit/core/test_one_place.py`` proves it.
The names of classes are data: :mod:`blastfold.core.manifest` reads them.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

TRAIN, VALIDATION, TEST = "train", "validation", "test"
ROLES = (TRAIN, VALIDATION, TEST)
"""What an image is used for in a fold."""

PART_WORDS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}
"""Names that data sets give to their official parts, in lower case, and the role of each."""

ROLE_TITLES = {TRAIN: "training", VALIDATION: "validation", TEST: "test"}
"""The roles in text."""

BEFORE, AFTER, PLATT = STATES = ("before", "after", "platt")
"""States of the probabilities: as the network gives them, after temperature scaling, and after
Platt scaling."""

POOLED, MEAN, SD = "pooled", "mean", "sd"
"""Scopes next to those of single folds: the test images of all folds taken together (with several
repeats the mean of the repeats, each with its folds taken together), and the mean and the sample
standard deviation of the folds' values."""

_FOLD, _REPEAT = "fold-", "repeat-"

FOLDS = "folds"
PROCEDURE = "procedure"
VIEWS = (POOLED, FOLDS, PROCEDURE)
"""What an interval or a test is about: all test images as one set, the values of the folds, or the
training procedure with other seeds, splits and training subjects."""

THRESHOLD = 0.5
"""An image is predicted as positive when its probability is at least this value."""

THRESHOLD_POINT = f"threshold-{THRESHOLD:g}"
"""The operating point of this threshold, which is that of all other tables."""

CELLS = ("true_negative", "false_positive", "false_negative", "true_positive")
"""Cells of the confusion matrix, row after row: rows are the true class, columns the predicted."""

GROUPINGS = ("image", "picture", "subject", "group")
"""What a protocol keeps on one side of a split, from the finest to the coarsest."""

SUBJECT, PICTURE = UNIT_LEVELS = ("subject", "picture")
"""Levels at which images are taken together as one unit, each a column of the manifest."""

DUPLICATE_KINDS = (
    *("identical", "flipped_or_turned", "recompressed", "brightness_contrast", "shifted"),
    "scaled_or_rotated",
)
"""How two images of one cell may differ, from the plainest to the most changed."""

IDENTICAL, FOUND, AMBIGUOUS = "identical", "found", "ambiguous"
NOT_FOUND, TOO_SMALL, NO_TEXTURE = "not_found", "too_small", "no_texture"
CROP_OUTCOMES = (IDENTICAL, FOUND, AMBIGUOUS, NOT_FOUND, TOO_SMALL, NO_TEXTURE)
"""What becomes of a crop that is looked for in photographs; the first two have a photograph."""

CUT_BY_EDGE, PIECE_AT_EDGE = "cut_by_edge", "piece_at_edge"
PLATELET, TOO_LARGE, ARTEFACT = "platelet", "too_large", "artefact"
SET_ASIDE = (CUT_BY_EDGE, PIECE_AT_EDGE, PLATELET, TOO_LARGE, ARTEFACT)
"""Why something purple in a photograph is not a whole leukocyte."""

GIVEN_SCALE, BY_ROUND_CELLS, BY_WIDEST_PLACES = "given", "round_cells", "widest_places"
NO_RED_CELLS = "no_red_cells"
SCALES = (GIVEN_SCALE, BY_ROUND_CELLS, BY_WIDEST_PLACES, NO_RED_CELLS)
"""How the scale of a photograph is known: from the settings; from red cells that are round and
touch no other; from the widest places of all red cells; or not at all."""

LEUKOCYTES = ("", CUT_BY_EDGE)
"""What a detection is counted as when it is compared with the truth: a leukocyte, whole or cut."""

NOT_A_LEUKOCYTE = "not_a_leukocyte"
"""Label of a position where a detector found something that is no leukocyte."""

DETECTED = "detected"
"""Origin of positions that a detector found; they say nothing about cells that it missed."""

SHARED = "shared"
"""Verdict of the audit of identity: test images, or their subjects, are learnt from elsewhere."""

LEUKAEMIA_CLASSES = ("normal", "blast")
"""Classes of the leukaemia formats in the order of their labels, for the config's keys and for
imports. Everything after the import takes its classes from the manifest."""

JOINED = " + "
"""Between the names of several classes; no name of a class contains it."""

LEAK_CONTRAST = "leak_contrast"
"""Kind of a protocol that becomes two, with a leak and without it."""

WITH_LEAK, WITHOUT_LEAK = "with", "without"
"""The two, which are the arms of the contrast."""

FORBID, INTENDED = "forbid", "intended"
"""What a split does about leakage: stop the run; or nothing, because it is there on purpose."""

BASELINES = {
    "mean_colour": "Mean colour (no network)",
    "cell_size": "Cell size (no network)",
    "background": "Background alone (no network)",
    "majority_class": "Majority class (no network)",
}
"""Trivial baselines in the order of tables, with their titles."""

FIRST_BASELINE = "mean_colour"
"""The baseline that a network must beat before it has shown to see more than the stain."""

REPEAT = 0
"""Number of the first or only repeat of a split."""

REDRAW_SEEDS = "seeds"
"""What a protocol redraws whose repeats have the same folds and other seeds."""

TEXT_COLUMNS = frozenset(
    {
        *("image_id", "file", "class", "subject", "picture", "parent", "part", "sha256"),
        "source_sha256",
        *("mask", "photograph", "group", "role", "scope", "reason", "note", "path"),
    }
)
"""Columns that hold text in every table, also where each value looks like a number."""


class Metric(NamedTuple):
    """Facts of a metric.

    Attributes:
        heading: How a table shows it.
        lower: Smallest possible value; the largest is 1.
        percent: Whether it is a fraction, which is shown in percent.
        proportion: Whether it is one count of images divided by another.
        both_classes: Whether it needs images of both classes.
    """

    heading: str
    lower: float = 0.0
    percent: bool = True
    proportion: bool = False
    both_classes: bool = False


METRIC_FACTS = {
    "accuracy": Metric("Accuracy (%)", proportion=True),
    "sensitivity": Metric("Sensitivity (%)", proportion=True),
    "specificity": Metric("Specificity (%)", proportion=True),
    "auc": Metric("AUC (%)", both_classes=True),
    "precision": Metric("Precision (%)", proportion=True),
    "f1": Metric("F1 (%)"),
    "weighted_f1": Metric("Weighted F1 (%)"),
    "balanced_accuracy": Metric("Balanced accuracy (%)", both_classes=True),
    "mcc": Metric("MCC", lower=-1.0, percent=False, both_classes=True),
}
"""All metrics, in the order of the thesis' Tables 5.2 to 5.9, then the others."""

METRICS = tuple(METRIC_FACTS)
PROPORTIONS = tuple(name for name, metric in METRIC_FACTS.items() if metric.proportion)
BOTH_CLASSES = tuple(name for name, metric in METRIC_FACTS.items() if metric.both_classes)
RATES = ("accuracy", "sensitivity", "specificity")
"""The metrics of one threshold that a study prints."""

MACRO_AUC, TOP_TWO, CLASSWISE_ECE = "macro_auc", "top2_accuracy", "classwise_ece"
QUADRATIC_KAPPA = "quadratic_kappa"
CLASS_METRIC_FACTS = {
    "accuracy": METRIC_FACTS["accuracy"],
    "balanced_accuracy": METRIC_FACTS["balanced_accuracy"],
    "macro_f1": Metric("Macro F1 (%)", both_classes=True),
    "weighted_f1": METRIC_FACTS["weighted_f1"],
    "kappa": Metric("Cohen's kappa", lower=-1.0, percent=False),
    QUADRATIC_KAPPA: Metric("Quadratic kappa", lower=-1.0, percent=False),
    "mcc": METRIC_FACTS["mcc"]._replace(both_classes=False),
    MACRO_AUC: Metric("Macro AUC (%)", both_classes=True),
    TOP_TWO: Metric("Top-2 accuracy (%)", proportion=True),
    CLASSWISE_ECE: Metric("Classwise calibration error (%)"),
}
"""Metrics over all classes of a data set with more than two, in the order of its tables; the
predicted class is the most probable one. ``both_classes``: whether it needs images of every class.
Other tables read the same predictions as positive classes against the rest."""

ALL_METRIC_FACTS = CLASS_METRIC_FACTS | METRIC_FACTS
"""Facts of the metrics of both readings."""

OF_EACH_CLASS = ("auc", "sensitivity", "specificity", "precision", "f1")
"""Metrics of one class against the rest in the table of classes."""

FEWEST_FOR_TOP_TWO = 5
"""The two most probable classes are reported from this number of classes on."""

OVER_CLASSES = (MACRO_AUC, "macro_f1", "kappa")
PRIMARY_METRICS = (*METRICS, *OVER_CLASSES)
"""Metrics that an experiment may declare as its primary one. Those of :data:`METRICS` are about the
positive classes against the rest, those of :data:`OVER_CLASSES` about all classes of more than
two."""

PRIMARY_METRIC = "auc"
"""The metric of verdicts on two classes, unless the config names another one; on more it is
:data:`MACRO_AUC`."""

SHOWN_METRICS = ("auc", *RATES)
"""The metrics of tables that have no room for all."""

OPERATING_METRICS = ("sensitivity", "specificity", "accuracy")
"""The metrics of an operating point, in the order of its table."""

SEEDS, SPLITS, TOGETHER, SUBJECTS = "seeds", "splits", "seeds and splits", "subjects"
COMPONENTS = (SEEDS, SPLITS, TOGETHER, SUBJECTS)
"""What the variance of a result is taken apart by, in the order of tables."""


def primary_metric(declared: str | None, classes: int) -> str:
    """Return the primary metric of a data set: the declared one, or that of its classes.

    Without a declaration it is the AUC of two classes and the macro AUC of more. A metric over all
    classes has no place where there are two: these have the AUC.

    Args:
        declared: A name of :data:`PRIMARY_METRICS`; None for no declaration.
        classes: Number of classes.
    """
    if declared in METRICS:
        return declared
    return (declared or MACRO_AUC) if classes > 2 else PRIMARY_METRIC


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of classes in the order of their labels: as given, but normal before blast."""
    given = tuple(names)
    return LEUKAEMIA_CLASSES if set(given) == set(LEUKAEMIA_CLASSES) else given


def is_class_name(name: str) -> bool:
    """Return whether a text can be the name of a class: printable and unlike several names."""
    return bool(name) and name == name.strip() and name.isprintable() and JOINED not in name


def repeat_scope(repeat: int) -> str:
    """Return the scope of one repeat, for instance ``repeat-0``: its folds taken together."""
    return f"{_REPEAT}{repeat}"


def repeat_scopes(scopes: Iterable[str]) -> list[str]:
    """Return the scopes that are single repeats, by number; none of a split without repeats."""
    repeats = {scope for scope in scopes if scope.startswith(_REPEAT)}
    return sorted(repeats, key=lambda scope: int(scope.removeprefix(_REPEAT)))


def fold_scope(fold: int) -> str:
    """Return the scope of one fold, for instance ``fold-0``."""
    return f"{_FOLD}{fold}"


def fold_scopes(scopes: Iterable[str]) -> list[str]:
    """Return the scopes that are single folds, by number."""
    folds = {scope for scope in scopes if scope.startswith(_FOLD)}
    return sorted(folds, key=lambda scope: int(scope.removeprefix(_FOLD)))


def plain_name(name: str) -> str:
    """Return a name without case and punctuation: ``DenseNet-169`` gives ``densenet169``.

    Architectures are written in several ways; this is the way in which they are compared.
    """
    return re.sub("[^a-z0-9]", "", name.lower())
