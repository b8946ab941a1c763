"""What figures and tables of positive classes against the rest are about, in words.

Data sets with two classes need no words: their positive class is the last one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from blastfold.experiment.config_classes import known_classes
from blastfold.experiment.runs import Runs

MOST_NAMED = 4
"""So many positive classes are named one by one."""


@dataclass(frozen=True)
class Readings:
    """The readings of the data sets with more than two classes.

    Attributes:
        runs: The runs of the experiment.
    """

    runs: Runs

    def positive_of(self, dataset: str) -> list[str]:
        """Return the positive classes that a data set or its origin names; none for the last."""
        entry = self.runs.config["datasets"][dataset]
        while "of" in entry and not entry.get("positive"):
            entry = self.runs.config["datasets"][entry["of"]]
        return list(entry.get("positive") or ())

    def words(self, dataset: str) -> str:
        """Return the positive classes of a data set with more than two in words; else empty."""
        positive = self.positive_of(dataset)
        if not positive or not self.runs.has_many_classes(dataset):
            return ""
        classes = self.runs.origin_of(dataset).get("classes") or ()
        return positive_words(positive, [name for name in classes if name not in positive])

    def title(self, wildcards) -> str:
        """Return the titles of a data set, protocol and model, with the positive classes."""
        titles = [self.runs.titles[kind][name] for kind, name in wildcards.items()]
        words, number = self.words(wildcards.dataset), len(self.positive_of(wildcards.dataset))
        # No colon: what follows one in a caption is left out of its short form.
        verb = " are" if number > MOST_NAMED else " class" if number == 1 else " classes"
        return ", ".join(titles) + (f" (positive{verb} {words})" if words else "")

    @property
    def captions(self) -> dict[str, dict[str, str]]:
        """Sentences that captions take like titles, by kind and data set.

        Kinds: ``positive`` and ``both`` (readings of a table or figure; empty for two classes), and
        ``described`` (title of a shown data set with its positive classes).
        """
        found: dict[str, dict[str, str]] = {"positive": {}, "both": {}, "described": {}}
        for name in self.runs.config["datasets"]:
            words = self.words(name)
            against = f"the positive classes ({words}) against all others"
            found["positive"][name] = f"It is about {against}." if words else ""
            overall = "Macro AUC, macro F1 and kappa are over all classes; all other values are"
            found["both"][name] = f"{overall} about {against}." if words else ""
        for name in self.runs.described_datasets:
            classes = known_classes(self.runs.origin_of(name)) or ()
            positive = self.words(name) or ", ".join(self.positive_of(name) or classes[-1:])
            found["described"][name] = f"{self.runs.titles['dataset'][name]} (positive: {positive})"
        return found


def positive_words(positive: Sequence[str], others: Sequence[str]) -> str:
    """Return the positive classes in a few words.

    Args:
        positive: Their names.
        others: Names of all other classes; empty where they are not known.
    """
    if len(positive) <= MOST_NAMED:
        return ", ".join(positive)
    if others and len(others) <= MOST_NAMED:
        return f"all classes but {', '.join(others)}"
    return f"{len(positive)} classes from {positive[0]} to {positive[-1]}"
