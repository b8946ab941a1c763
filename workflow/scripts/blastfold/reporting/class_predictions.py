"""What a run predicted of every image among all classes, and the images of confused classes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from blastfold.core.predictions import PREFIX, predicted_classes


class ConfusedPair(NamedTuple):
    """Two classes that are confused.

    Attributes:
        first, second: Names of the classes, in the order of their labels.
        images: Images of either class that are predicted as the other one.
        cells: The most certain ones of them: class, predicted, certainty, truth, by image_id.
    """

    first: str
    second: str
    images: int
    cells: pd.DataFrame


def predicted_by_image(tested: pd.DataFrame) -> pd.DataFrame:
    """Return what is predicted of every image by the mean of its predictions.

    Args:
        tested: As :func:`blastfold.core.predictions.read_test_predictions` returns it.

    Returns:
        class (the true one), predicted (the most probable one, the first of equal ones), certainty
        (probability of that class), truth (probability of the true class), predictions (their
        number) and folds (text), by image_id in the order of the table.
    """
    classes = predicted_classes(tested)
    columns = [PREFIX + name for name in classes]
    images = tested.assign(folds=tested["fold"].astype(str)).groupby("image_id", sort=False)
    probabilities = images[columns].mean().to_numpy()
    labels = images["class_label"].first()
    called = probabilities.argmax(axis=1)
    rows = np.arange(len(labels))
    names = np.array(classes, dtype=object)
    return pd.DataFrame(
        {
            "class": names[labels.to_numpy()],
            "predicted": names[called],
            "certainty": probabilities[rows, called],
            "truth": probabilities[rows, labels.to_numpy()],
            "predictions": images.size(),
            "folds": images["folds"].agg(", ".join),
        },
        index=labels.index,
    )


def confused_pairs(
    predicted: pd.DataFrame, classes: Sequence[str], most_pairs: int, most_cells: int
) -> list[ConfusedPair]:
    """Return the pairs of classes that are confused the most, with their cells.

    Args:
        predicted: As :func:`predicted_by_image` returns it.
        classes: Names of the classes in the order of their labels.
        most_pairs: Number of pairs, at most.
        most_cells: Cells of a pair, at most; both directions take turns, the most certain first.

    Returns:
        The pair with the most confusions first, equal ones in the order of the classes; pairs
        without a confusion are left out.
    """
    wrong = predicted[predicted["class"] != predicted["predicted"]]
    place = {name: number for number, name in enumerate(classes)}
    ends = [wrong[column].map(place).astype(int) for column in ("class", "predicted")]
    smaller, larger = np.minimum(*ends), np.maximum(*ends)
    found = [
        ConfusedPair(classes[first], classes[second], len(cells), cells)
        for (first, second), cells in wrong.groupby([smaller.to_numpy(), larger.to_numpy()])
    ]
    found.sort(key=lambda pair: -pair.images)
    return [pair._replace(cells=_most_certain(pair, most_cells)) for pair in found[:most_pairs]]


def _most_certain(pair: ConfusedPair, most: int) -> pd.DataFrame:
    """Return the most certain cells of both directions in turn."""
    ordered = pair.cells.sort_values("certainty", ascending=False, kind="stable")
    turns = ordered.groupby("class").cumcount()
    chosen = ordered.assign(turn=turns).sort_values(["turn", "certainty"], ascending=[True, False])
    kept = chosen.drop(columns="turn")[:most]
    return kept.sort_values("class", key=lambda names: names != pair.first, kind="stable")


def shares_by_subject(predicted: pd.DataFrame, subject_of: pd.Series) -> Iterator[tuple]:
    """Yield the true and the predicted share of each class in the cells of every subject.

    Args:
        predicted: As :func:`predicted_by_image` returns it.
        subject_of: Subject by image_id; empty where unknown.

    Yields:
        Name of the subject, number of its cells, and the true and the predicted shares by class
        (Series, classes without a cell are left out), in the order of the names.
    """
    subjects = subject_of.reindex(predicted.index).fillna("")
    for subject, cells in predicted[subjects != ""].groupby(subjects[subjects != ""]):
        shares = (cells[column].value_counts(normalize=True) for column in ("class", "predicted"))
        yield (subject, len(cells), *shares)
