"""A split by image of real cells is judged, corrected, and used where leakage is forbidden."""

import numpy as np
import pandas as pd
from support.workflow import snakemake

from blastfold.core.tables import read_text_table
from blastfold.reporting.audit_command import judge_split


def test_a_random_split_of_c_nmc_leaks_and_its_correction_passes_forbid(tmp_path, test_data):
    cells = tmp_path / "cells"
    cells.mkdir()
    for folder in ("all", "hem"):
        (cells / folder).symlink_to(test_data / "cnmc2019_sample" / "fold_1" / folder)
    names = sorted(f"{path.parent.name}/{path.name}" for path in cells.glob("*/*.png"))
    parts = np.where(np.random.default_rng(1).random(len(names)) < 0.25, "test", "train")
    pd.DataFrame({"path": names, "part": parts}).to_csv(cells / "random.csv", index=False)
    lines = judge_split(cells, cells / "random.csv", tmp_path / "audit", threads=2)
    tested = int((parts == "test").sum())
    assert lines[0].startswith(f"LEAKS: {tested} of {tested} test images (100.0 %) are related")
    assert f"{tested} of {tested} test images (100.0 %) share their subject" in lines[3]
    # Photographs by the official names, counted here: UID_<subject>_<photograph>_<cell>_<class>.
    photograph = pd.Series(names).str.extract(r"UID_(H?[0-9]+_[0-9]+)_")[0]
    shared = photograph[parts == "test"].isin(set(photograph[parts == "train"])).sum()
    assert f"{shared} of {tested} test images ({100 * shared / tested:.1f} %) their pic" in lines[3]
    assert "passes leakage: forbid" in lines[4]
    sheet = (tmp_path / "audit" / "corrected_split.tsv").read_text("utf-8")
    (cells / "corrected.tsv").write_text(sheet, "utf-8")
    config = {
        "datasets": {
            "cells": {
                **{"format": "folder", "path": str(cells), "image_size": [64, 64]},
                "sheet": "corrected.tsv",
            }
        },
        "protocols": {
            "own": {"kind": "predefined", "test_parts": ["test"], "leakage": "forbid"},
        },
        "models": {"cnn": {"architecture": "simple_cnn"}},
        "experiments": [{"datasets": ["cells"], "protocols": ["own"], "models": ["cnn"]}],
    }
    run = snakemake(tmp_path, "folds", config=config)
    assert run.returncode == 0, run.stdout[-3000:]
    folds = read_text_table(tmp_path / "results" / "folds" / "cells" / "own.tsv")
    part = read_text_table(cells / "corrected.tsv").set_index("image_id")["part"]
    tested = folds.loc[folds["role"] == "test", "image_id"]
    assert set(tested) == set(part[part == "test"].index)
    audit = read_text_table(tmp_path / "results" / "folds" / "cells" / "own.leakage.tsv")
    assert set(audit.loc[audit["reason"].isin(["subject", "group"]), "crossing"]) == {"0"}
    # The random split itself stops before a training.
    random = pd.read_csv(cells / "random.csv")
    random["label"] = random["path"].str.partition("/")[0]
    random.to_csv(cells / "corrected.tsv", index=False, sep="\t")
    config["datasets"]["cells"]["pattern"] = "UID_{subject}_{picture}_*"
    run = snakemake(tmp_path, "folds", config=config)
    assert run.returncode == 1
    assert "leakage is forbid, but" in run.stdout
