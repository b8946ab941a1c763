"""Captions of the manuscript: short titles, and the text of the report's own captions."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

CAPTIONS = {
    "accuracy_comparison": "Accuracy of all models under all protocols",
    "architecture": "The network, stage by stage",
    "attribution": "Where the networks look on test cells",
    "augmented_images": "What each random change does to a training image",
    "calibration": "Reliability diagrams",
    "class_calibration": "Reliability of the probability of each class",
    "class_confusion": "Confusion matrix of all classes",
    "class_curves": "ROC and precision-recall curves of each class",
    "class_distribution": "Images of each class",
    "class_risk_coverage": "Wrong classes among the images that each model is most certain of",
    "class_subjects": "True and predicted classes of the cells of every subject",
    "confused_cells": "Cells of the classes that are confused the most",
    "confusion_elsewhere": "Confusion matrix of all classes on another data set",
    "confusion_matrix": "Confusion matrix of the test images",
    "decision_curve": "Net benefit of all models by threshold",
    "detection": "Leukocytes that the detector missed, and false detections",
    "differences": "Differences between models with their intervals",
    "effects": "Effect of each choice",
    "efficiency": "Accuracy against cost, with Pareto fronts",
    "duplicates": "Pairs of images that show the same cell",
    "example_images": "Example images of the classes",
    "external_classes": "External test over all classes",
    "leakage": "Share of the test images that are related to training images",
    "learning_curve": "Results by the share of the training groups",
    "literature_comparison": "Measured and published accuracies",
    "mean_images": "Mean image of each fold's training images",
    "precision_recall": "Precision against recall",
    "protocol_gap": "The same models under different protocols",
    "risk_coverage": "Error rate of the images that each model is most certain of",
    "roc": "ROC curves",
    "selected_tiles": "The best and the worst images of each class for a linear probe",
    "stain_macenko": "Images before and after stain normalisation (Macenko)",
    "stain_reinhard": "Images before and after stain normalisation (Reinhard)",
    "subjects": "Probabilities of the cells of every subject",
    "transfer": "From the source tasks to the models that start from them",
    "tiles": "Tissue of a slide, its kept and its rejected tiles",
    "variance_components": "Variance of the results by seeds, splits and subjects",
    "training_curves": "Accuracy, loss and F1 by epoch",
}
"""Captions of figures, by name; any other figure has its name as caption."""

REFERENCES = {
    "abed2022": (
        "Abed, Proposing efficient CNN models for the detection of acute lymphoblastic leukemia "
        "using transfer learning. Master's thesis, 2022."
    ),
    "obuchowski1997": (
        "Obuchowski NA. Nonparametric analysis of clustered ROC curve data. Biometrics 53, "
        "567-578, 1997."
    ),
    "nadeau2003": (
        "Nadeau C, Bengio Y. Inference for the generalization error. Machine Learning 52, "
        "239-281, 2003."
    ),
    "guo2017": (
        "Guo C, Pleiss G, Sun Y, Weinberger KQ. On calibration of modern neural networks. ICML "
        "2017."
    ),
    "vickers2006": (
        "Vickers AJ, Elkin EB. Decision curve analysis: a novel method for evaluating prediction "
        "models. Medical Decision Making 26, 565-574, 2006."
    ),
}
"""The bibliography of the main document; keep what the text cites."""

_TITLE = re.compile(r"\{\{ snakemake\.config\.titles\.(\w+)\[snakemake\.wildcards\.(\w+)\] \}\}")
_WILDCARD = re.compile(r"\{\{ snakemake\.wildcards\.(\w+) \}\}")


class ReportCaptions:
    """The captions of Snakemake's report in plain text, with the titles of the config.

    Args:
        names: Name of the caption of each figure as its rule declares it, wildcards in braces.
        files: The captions.
        titles: Titles by kind and name.
    """

    def __init__(
        self,
        names: Mapping[str, str],
        files: Iterable[str | os.PathLike],
        titles: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.texts = {Path(path).stem: Path(path).read_text("utf-8") for path in files}
        self.titles = titles
        self.patterns = [(_pattern(name), caption) for name, caption in names.items()]

    def of(self, name: tuple[str, ...]) -> str:
        """Return the caption of a figure by the parts of its name; empty where there is none."""
        for pattern, caption in self.patterns:
            if (found := pattern.fullmatch("/".join(name))) and caption in self.texts:
                return self._plain(self.texts[caption], found.groupdict())
        return ""

    def _plain(self, text: str, values: Mapping[str, str]) -> str:
        def title(found: re.Match) -> str:
            name = values.get(found[2], "")
            return self.titles.get(found[1], {}).get(name, name)

        filled = _WILDCARD.sub(lambda found: values.get(found[1], ""), _TITLE.sub(title, text))
        return " ".join(filled.replace("``", "").replace("*", "").split())


def _pattern(name: str) -> re.Pattern:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(name)))
