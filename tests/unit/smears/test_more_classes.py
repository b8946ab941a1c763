"""Exports of more than two classes: the positive ones count together, and the class is named."""

import numpy as np
import pandas as pd
import pytest

from blastfold.smears.classification import predicted_names
from blastfold.smears.exported import ExportedModel, scaled
from blastfold.smears.tables import count_cells

CLASSES = ["neutrophil", "monocyte", "blast_l1", "blast_l2"]


def exported(classes=CLASSES, threshold=0.5, **description):
    return ExportedModel({"classes": classes, **description}, "", [], threshold, frozenset())


def test_of_two_classes_the_last_one_is_positive():
    model = exported(["normal", "blast"])
    probabilities = np.array([[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])
    assert model.positive == ["blast"]
    found = model.of_positive(probabilities, 2.0)
    assert found.tolist() == scaled(probabilities, 2.0)[:, 1].tolist()
    assert predicted_names(probabilities, model) == ["normal", "blast", "blast"]


def test_positive_classes_are_taken_together():
    model = exported(positive=["blast_l1", "blast_l2"])
    probabilities = np.array([[0.4, 0.0, 0.35, 0.25], [0.1, 0.6, 0.0, 0.3]])
    # The odds of 0.6 and 0.3, to the power of a half.
    odds = np.sqrt([0.6 / 0.4, 0.3 / 0.7])
    assert model.of_positive(probabilities, 2.0) == pytest.approx(odds / (1 + odds))
    # Neutrophil is the most probable single class of the first cell, but a blast is more probable.
    assert predicted_names(probabilities, model) == ["blast_l1", "monocyte"]
    strict = exported(positive=["blast_l1", "blast_l2"], threshold=0.7)
    assert predicted_names(probabilities, strict) == ["neutrophil", "monocyte"]


def test_cells_of_all_positive_classes_are_counted():
    names = ["blast_l1", "monocyte", "blast_l2", ""]
    cells = pd.DataFrame({"predicted": names, "crop": [0.0, 1.0, 2.0, np.nan]})
    cells = cells.assign(out_of_domain=np.nan, probability=[0.9, 0.1, 0.8, np.nan])
    found = count_cells(cells, ["blast_l1", "blast_l2"])
    assert (found["classified"], found["positive"]) == (3, 2)
    assert found["share"] == pytest.approx(2 / 3)
