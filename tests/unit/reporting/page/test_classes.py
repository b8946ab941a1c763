"""The page of a data set with more than two classes; with two it has no section about classes."""

import json

import numpy as np
import pytest
from support.class_results import KAGGLE, class_predictions, mark, write_class_tables, write_images
from support.result_pages import (
    CITATION,
    PROTOCOLS,
    TEMPLATES,
    about,
    audit,
    intervals,
    read_study,
    write_study,
)

from blastfold.core.tables import write_table
from blastfold.reporting.page.cells import Cells
from blastfold.reporting.page.render import page_content, render


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Four classes, of which all but the first are positive, under two protocols."""
    folder = tmp_path_factory.mktemp("classes")
    predictions = mark(class_predictions(KAGGLE, 80), KAGGLE, KAGGLE[1:])
    place = folder / "datasets" / "cells"
    place.mkdir(parents=True)
    write_images(place, predictions, KAGGLE)
    for protocol, related in zip(PROTOCOLS, (80, 0), strict=True):
        write_table(audit(related), folder / "folds" / "cells" / f"{protocol}.leakage.tsv")
        for model in ("small", "big"):
            run = folder / "evaluation" / "cells" / protocol / model
            write_class_tables(run, predictions, KAGGLE)
            write_table(intervals(0.9), run / "intervals.tsv")
            write_table(predictions, run / "predictions.tsv")
    changes = {"metrics": {"cells": "macro_auc"}, "positive": {"cells": list(KAGGLE[1:])}}
    return read_study(folder, about(**changes))


@pytest.fixture(scope="module")
def content(study):
    return page_content(study, CITATION)


def test_the_answer_is_in_the_primary_metric_of_all_classes(content):
    text = " ".join(content["parts"][0]["answer"])
    assert "2 models reach a macro AUC between 78.0 % [73.0, 83.0]" in text
    assert "all classes but Benign against it" in content["parts"][0]["quote"]["reading"]


def test_the_section_shows_counts_shares_and_confused_cells(content, study):
    section = content["parts"][0]["classes"]
    assert "all classes but Benign against it" in section["sentence"]
    model = section["models"][0]
    predictions = class_predictions(KAGGLE, 80)
    called = predictions[[f"probability_{name}" for name in KAGGLE]].to_numpy().argmax(axis=1)
    for label, row in enumerate(model["matrix"]["rows"]):
        own = called[predictions["label"] == label]
        assert [int(cell["count"]) for cell in row["cells"]] == np.bincount(
            own, minlength=4
        ).tolist()
        assert row["cells"][label]["right"]
    pair = model["pairs"][0]
    assert len(pair["cells"]) <= 6
    assert all(cell["class"] != cell["predicted"] for cell in pair["cells"])
    html = render(content, TEMPLATES)
    assert '<a href="#classes">All classes</a>' in html
    assert "[Malignant] Early Pre-B" in html


def test_the_gallery_has_predicted_classes_with_their_probabilities(content):
    gallery = json.loads(content["gallery"]["json"])
    series = gallery["series"][0]
    assert series["classes"] == list(KAGGLE)
    predictions = class_predictions(KAGGLE, 80)
    shares = predictions[[f"probability_{name}" for name in KAGGLE]].to_numpy()
    assert series["predicted"] == shares.argmax(axis=1).tolist()
    assert series["probability"] == pytest.approx(shares.max(axis=1), abs=1e-4)
    truth = shares[np.arange(80), predictions["label"]]
    assert series["truth"] == pytest.approx(truth, abs=1e-4)


def test_the_worst_cells_are_wrong_by_class(study):
    cells = Cells(study)
    worst = cells.worst("cells", "by_subject", 5)
    predictions = class_predictions(KAGGLE, 80)
    shares = predictions[[f"probability_{name}" for name in KAGGLE]].to_numpy()
    truth = shares[np.arange(80), predictions["label"]]
    wrong = shares.argmax(axis=1) != predictions["label"]
    assert worst.index[0] == f"cell-{np.where(wrong, 1 - truth, -1).argmax()}"
    assert worst["predicted"].isin(KAGGLE).all()
    assert cells.positive_class("cells") == " + ".join(KAGGLE[1:])


def test_two_classes_have_no_section_and_their_gallery_is_as_before(tmp_path):
    content = page_content(write_study(tmp_path), CITATION)
    assert content["parts"][0]["classes"] == {}
    assert content["parts"][0]["quote"]["reading"] == ""
    html = render(content, TEMPLATES)
    assert "All classes" not in html
    keys = set(json.loads(content["gallery"]["json"])["series"][0])
    assert keys == {"title", "dataset", "cells", "probability", "note"}
