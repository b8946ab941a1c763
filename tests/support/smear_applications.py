"""Applications of a made-up network to photographs, as stored files: detected cells are real."""

import json

import numpy as np
import pandas as pd

from blastfold.cells.tables import read_cells, read_photographs
from blastfold.core.names import SET_ASIDE
from blastfold.core.tables import write_table
from blastfold.datasets.detected_cells import detect_cells

CLASSES = ("normal", "blast")
RECORD = {
    "notice": "research_software_not_a_diagnosis",
    "model": {"name": "small", "dataset": "cells", "protocol": "by_subject", "networks": 3},
    "classes": list(CLASSES),
    "positive": "blast",
    "threshold": 0.5,
    "crop": {"micrometres": 18.5, "from": "detector"},
    "calibration_note": "",
    "domain": {"quantile": 0.99, "networks": []},
    "detector": {},
    "photographs": {},
    "training_photographs": [],
    "versions": {},
    "command": "snakemake smears",
}


def write_application(root, folder, seed=1, subjects=True):
    """Detect the cells of photographs and give them random predictions.

    Args:
        root: The folder of photographs; the first letters up to an underscore or slash name the
            subject.
        folder: Where the files are written.
        seed: The same seed gives the same predictions.
        subjects: Whether subjects are known.

    Returns:
        Paths by name: cells, photographs, subjects, record and crops.
    """
    detected = folder / "detected"
    detect_cells(root, {}, None, detected / "cells.tsv", detected / "photographs.tsv")
    cells = read_cells(detected / "cells.tsv")
    photographs = read_photographs(detected / "photographs.tsv")
    return write_tables(folder, cells, photographs, seed, subjects)


def write_tables(folder, cells, photographs, seed=1, subjects=True):
    """Write an application of detected cells; arguments and result as above."""
    random = np.random.default_rng(seed)
    subject_of = {
        name: name.replace("/", "_").partition("_")[0] if subjects else ""
        for name in photographs["photograph"]
    }
    taken = (cells["set_aside"] == "").to_numpy()
    number = len(cells)
    probability = np.where(taken, random.beta(0.5, 0.5, number), np.nan)
    spread = np.where(taken, random.random(number) * 0.2, np.nan)
    distance = np.where(taken, 0.4 + random.random(number) * 0.7, np.nan)
    side = 2.5 * cells["photograph"].map(photographs.set_index("photograph")["red_cell_diameter"])
    cells = cells.assign(
        subject=cells["photograph"].map(subject_of),
        picture=cells["photograph"],
        crop_x=np.where(taken, cells["x"] - side / 2, np.nan).round(),
        crop_y=np.where(taken, cells["y"] - side / 2, np.nan).round(),
        crop_width=np.where(taken, side, np.nan).round(),
        crop_height=np.where(taken, side, np.nan).round(),
        crop=np.where(taken, np.cumsum(taken) - 1, np.nan),
        probability_normal=1 - probability,
        probability_blast=probability,
        probability=probability,
        predicted=np.where(taken, np.where(probability >= 0.5, "blast", "normal"), ""),
        spread=spread,
        distance=distance,
        out_of_domain=np.where(taken, distance > 1, np.nan),
        note=np.where(taken, "", "not_classified"),
    )
    write_table(cells, folder / "cells.tsv")
    by = cells[taken].assign(positive=cells["predicted"] == "blast")
    photographs = photographs.assign(
        subject=photographs["photograph"].map(subject_of),
        picture=photographs["photograph"],
        **_counts(by, "photograph", photographs["photograph"]),
    )
    write_table(photographs, folder / "photographs.tsv")
    totals = photographs.groupby("subject")[["leukocytes", *SET_ASIDE]].sum()
    names = pd.Series(totals.index)
    usable = photographs.groupby("subject")["problem"]
    table = totals.reset_index().assign(
        photographs=usable.size().to_numpy(),
        unusable=usable.agg(lambda texts: sum(map(bool, texts))).to_numpy(),
        **_counts(by, "subject", names),
    )
    table = table.assign(lower=table["share"] - 0.1, upper=table["share"] + 0.1)
    write_table(table, folder / "subjects.tsv")
    (folder / "record.json").write_text(json.dumps(RECORD))
    return {name: folder / f"{name}.tsv" for name in ("cells", "photographs", "subjects")} | {
        "record": folder / "record.json",
        "crops": folder / "crops.npy",
    }


def _counts(cells, column, names):
    groups = cells.groupby(column)
    wanted = {
        "classified": groups.size(),
        "positive": groups["positive"].sum(),
        "out_of_domain": groups["out_of_domain"].sum(),
    }
    found = {name: names.map(values).fillna(0).astype(int) for name, values in wanted.items()}
    share = found["positive"] / found["classified"].replace(0, np.nan)
    mean = names.map(groups["probability"].mean())
    note = np.where(share.isna(), "no_images", "")
    found = {name: values.to_numpy() for name, values in found.items()}
    return found | {"share": share.to_numpy(), "mean_probability": mean.to_numpy(), "note": note}
