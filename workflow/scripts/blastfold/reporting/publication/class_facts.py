"""What the methods section reports of classes: their names, the positive ones, all of them."""

from blastfold.reporting.publication import data_facts
from blastfold.reporting.publication.records import Records
from blastfold.reporting.publication.wording import listing
from blastfold.reporting.tables.writing import heading_of

OVER_ALL = {
    "macro_auc": "the mean area under the ROC curves of the classes against all others (macro AUC)",
    "kappa": "Cohen's kappa",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
}
"""Metrics over all classes as the methods section writes them, where headings are not enough."""

UPPER = {"auc": "the area under the ROC curve", "mcc": "Matthews' correlation coefficient"}


def positive_class(records: Records) -> str:
    """Name the positive class of data sets with two classes."""
    return f"The positive class is {data_facts.positive_classes(records)}."


def named_classes(records: Records) -> list[str]:
    """Name the classes of every data set and the positive ones, where one has more than two."""
    return [
        f"{records.title('dataset', name)} has {len(described['classes'])} classes "
        f"({listing(described['classes'])}); positive against the rest: "
        f"{listing(data_facts.positive_of(records, name))}."
        for name, described in records.datasets.items()
    ]


def class_sentences(records: Records) -> list[str]:
    """Report what was measured over all classes of the data sets with more than two."""
    if not records.class_metrics:
        return []
    shown = []
    for metric in records.class_metrics:
        heading = heading_of(metric).removesuffix(" (%)")
        shown.append(UPPER.get(metric, OVER_ALL.get(metric, heading[:1].lower() + heading[1:])))
    return [
        "Where there were more than two classes, networks had learnt all of them, and the "
        "probability of the positive class is the sum over the positive classes.",
        "In a second reading of the same predictions an image was predicted as its most probable "
        f"class; over all classes, {listing(shown)} were measured, and of each class against all "
        "others sensitivity, specificity, precision, F1 and the area under the ROC curve.",
        "For the calibration of all classes one temperature and vector scaling were fitted on the "
        "validation images of each fold where these are of enough leakage groups of every class.",
    ]
