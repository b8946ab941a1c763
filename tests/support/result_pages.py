"""A small experiment as stored files, written by hand, for the results page."""

import json

import numpy as np
import pandas as pd
from support.repository import REPOSITORY

from blastfold.core.names import METRICS, TEST, TRAIN, VALIDATION
from blastfold.core.tables import write_table
from blastfold.reporting.page.sources import Sources
from blastfold.reporting.page.study import Study

TEMPLATES = [
    *sorted((REPOSITORY / "workflow" / "page").iterdir()),
    REPOSITORY / "docs" / "glossary.md",
]
CITATION = {key: key for key in ("title", "version", "license", "message", "authors")}
NOTHING = {
    **{"title": "An experiment", "metric": "auc", "sources": [], "generated": []},
    **{"titles": {"dataset": {}, "protocol": {}, "model": {}}, "runs": [], "controls": []},
    **{"external": [], "repeats": {}, "random_backbones": [], "learnt_before": {}},
}
PROTOCOLS = {"by_image": "image", "by_subject": "subject"}
VALUES = {"small": 0.85, "big": 0.91}


def about(title="Cells", **changes):
    runs = [
        {"dataset": "cells", "protocol": protocol, "model": model, "group_by": group_by}
        for protocol, group_by in PROTOCOLS.items()
        for model in VALUES
    ]
    titles = {
        "dataset": {"cells": title},
        "protocol": {"by_image": "by image", "by_subject": "by subject"},
        "model": {"small": "Small net", "big": "Big net"},
    }
    return {
        **NOTHING,
        "titles": titles,
        "runs": runs,
        "repeats": dict.fromkeys(PROTOCOLS, 1),
    } | changes


def audit(related, unknown_note=""):
    """The audit of one fold of 8 test images of which some share their subject with training."""
    rows = [
        {
            **{"fold": 0, "against": against, "reason": reason, "test_images": 8},
            "crossing": related if against == TRAIN and reason in ("subject", "group") else 0,
            "note": unknown_note,
        }
        for against in (TRAIN, VALIDATION)
        for reason in ("copy", "subject", "picture", "parent", "group")
    ]
    return pd.DataFrame(rows)


def intervals(value, note=""):
    rows = [
        {
            **{"view": "pooled", "metric": metric, "method": "jackknife-t", "value": value},
            **{"lower": value - 0.05, "upper": value + 0.05, "level": 0.95, "images": 8},
            **{"groups": 4, "recommended": True, "note": note},
        }
        for metric in METRICS
    ]
    return pd.DataFrame(rows)


def predictions(probabilities):
    table = pd.DataFrame({"image_id": [f"cell-{number}" for number in range(8)]})
    table = table.assign(repeat=0, fold=0, role=TEST, label=[0, 1] * 4)
    probabilities = np.asarray(probabilities)
    return table.assign(probability_normal=1 - probabilities, probability_blast=probabilities)


def comparison(outcome, detectable=0.1, **names):
    row = {
        **{"first_model": "small", "second_model": "big", "view": "procedure", "metric": "auc"},
        **{"recommended": True, "minimum_detectable": detectable, "outcome": outcome},
        "difference": -0.06,
    }
    return pd.DataFrame([row | names])


def write_study(folder, related=(8, 0), title="Cells", notes=("", ""), **changes):
    """Write two models under two protocols on 8 cells of 4 subjects.

    Args:
        folder: Folder of results.
        related: Test images related to training images, by protocol.
        title: Title of the data set.
        notes: What the audit of each protocol could not know.
        **changes: Keys of what the page is about.

    Returns:
        The study.
    """
    manifest = pd.DataFrame({"image_id": [f"cell-{number}" for number in range(8)]})
    manifest = manifest.assign(
        file=manifest["image_id"] + ".png",
        label=["0", "1"] * 4,
        **{"class": ["normal", "blast"] * 4},
        subject=["healthy 1", "patient 1", "healthy 2", "patient 2"] * 2,
        picture="",
    )
    place = folder / "datasets" / "cells"
    write_table(manifest, place / "manifest.tsv")
    colours = np.arange(8, dtype=np.uint8)[:, None, None, None] * 30
    np.save(place / "images.npy", np.broadcast_to(colours, (8, 10, 12, 3)))
    description = {
        **{"images": 8, "class_images": {"normal": 4, "blast": 4}, "subjects": 4, "pictures": None},
        **{"rejected": 1, "unnamed": {"subject": 0, "picture": 8}},
    }
    (place / "dataset.json").write_text(json.dumps(description))
    for protocol, crossing, note in zip(PROTOCOLS, related, notes, strict=True):
        audited = audit(crossing, note)
        write_table(audited, folder / "folds" / "cells" / f"{protocol}.leakage.tsv")
        for model, value in VALUES.items():
            run = folder / "evaluation" / "cells" / protocol / model
            write_table(intervals(value), run / "intervals.tsv")
            write_table(
                predictions([0.1, 0.9, 0.2, 0.3, 0.4, 0.6, 0.7, value]), run / "predictions.tsv"
            )
    return read_study(folder, about(title, **changes))


def read_study(folder, described):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return Study(Sources(folder, files), described)
