"""Import of crops with their photographs: manifest, rejected photographs, account, groups."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from support.smears import draw_field, photograph, recompress, write_image

from blastfold.core.errors import InputError
from blastfold.core.manifest import PHOTOGRAPH_COLUMNS
from blastfold.core.raw_files import RawContent, digest_raw_folder
from blastfold.datasets.accounting import describe_account
from blastfold.datasets.importing import import_dataset
from blastfold.datasets.photographs import PhotographFolder, picture_names
from blastfold.leakage.groups import leakage_groups
from blastfold.reporting.tables.imports import imports_table

OUTPUTS = {"images": "images.npy", "manifest": "manifest.tsv", "rejected": "rejected.tsv"}
OUTPUTS |= {"summary": "dataset.json"}
SIDE = 96


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """ALL-IDB2 in small: `cells` has crops of three photographs, of which two overlap."""
    random = np.random.default_rng(11)
    root = tmp_path_factory.mktemp("all_idb")
    fields = [draw_field(random, 300, 640, leukocytes=9)[0] for _ in range(2)]
    views = [photograph(random, fields[0], 0, left, 300, 400) for left in (0, 220)]
    views.append(photograph(random, fields[1], 0, 0, 300, 400))
    absent = photograph(random, fields[1], 0, 240, 300, 400)[:, 250:]
    pictures = [
        write_image(root / "photographs" / "im" / f"Im00{number}_1.png", view)
        for number, view in enumerate(views, start=1)
    ]
    (root / "photographs" / "xyc").mkdir()
    (root / "photographs" / "xyc" / "Im001_1.xyc").write_text("10 20\n")
    (root / "photographs" / "im" / "Im009_0.jpg").write_bytes(b"\xff\xd8\xff damaged")
    places = [(0, 20, 40), (0, 150, 250), (1, 60, 180), (2, 30, 200)]
    for number, (index, top, left) in enumerate(places, start=1):
        crop = pictures[index][top : top + SIDE, left : left + SIDE]
        crop = recompress(crop, 90) if number == 4 else crop
        write_image(root / "cells" / f"Im00{number}_{number % 2}.png", crop)
    write_image(root / "cells" / "Im005_0.png", absent[50 : 50 + SIDE, 20 : 20 + SIDE])
    return root, places


def run(root, target, folder, raw=None):
    files = {name: target / file for name, file in OUTPUTS.items()}
    settings = {"format": "all-idb2", "image_size": [32, 32]}
    import_dataset(
        *("cells", root, settings, None, None),
        **files,
        threads=2,
        photographs=PhotographFolder(folder, raw),
    )
    tables = [
        pd.read_csv(files[name], sep="\t", keep_default_na=False, dtype=str)
        for name in ("manifest", "rejected")
    ]
    return *tables, json.loads(files["summary"].read_text("utf-8"))


@pytest.fixture(scope="module")
def imported(cells, tmp_path_factory):
    root, _ = cells
    digest = digest_raw_folder(root / "photographs", root / "cache.json")
    raw = RawContent(digest, root / "cache.json")
    target = tmp_path_factory.mktemp("imported")
    return *run(root / "cells", target, root / "photographs", raw), digest


def test_the_manifest_has_photograph_and_place(cells, imported):
    root, places = cells
    manifest = imported[0].set_index("image_id").sort_index()
    assert list(manifest.columns[-len(PHOTOGRAPH_COLUMNS) :]) == list(PHOTOGRAPH_COLUMNS)
    for (number, top, left), (_, row) in zip(places, manifest.iterrows(), strict=False):
        assert row["photograph"] == f"im/Im00{number + 1}_1.png"
        assert row["picture"] == f"Im00{number + 1}_1"
        assert (row["photograph_x"], row["photograph_y"]) == (str(left), str(top))
        assert 0.95 < float(row["photograph_correlation"]) <= 1
        held = (root / "photographs" / row["photograph"]).read_bytes()
        assert row["source_sha256"] == hashlib.sha256(held).hexdigest()
    assert manifest["photograph_correlation"].to_list()[:3] == ["1.0000"] * 3
    # The last crop is in no photograph, and gets none.
    assert (manifest.iloc[4][["picture", "source_sha256", *PHOTOGRAPH_COLUMNS]] == "").all()


def test_photographs_that_overlap_are_in_one_leakage_group(imported):
    manifest = imported[0]
    groups = leakage_groups(manifest, pd.DataFrame({"first": [], "second": []}))
    group = groups.set_index("image_id")["group"]
    assert group["Im001_1"] == group["Im002_0"] == group["Im003_1"]
    assert group.nunique() == 3
    fields = manifest.set_index("image_id")["field"]
    assert fields[["Im001_1", "Im003_1"]].to_list() == ["Im001_1", "Im001_1"]
    # Without fields the two photographs are two pictures.
    apart = leakage_groups(
        manifest.drop(columns="field"), pd.DataFrame({"first": [], "second": []})
    )
    assert apart["group"].nunique() == 4


def test_a_named_subject_does_not_part_one_field(imported):
    manifest = imported[0].assign(subject=[f"p{number}" for number in range(5)])
    groups = leakage_groups(manifest, pd.DataFrame({"first": [], "second": []}))
    assert groups["group"].nunique() == 3


def test_what_was_found_is_counted_and_what_was_not_is_listed(imported):
    _, rejected, summary, digest = imported
    assert rejected["file"].to_list() == ["photographs/im/Im009_0.jpg"]
    assert rejected["reason"].str.len().gt(0).all()
    facts = summary["photographs"]
    assert facts["crops"] == {"identical": 3, "found": 1, "not_found": 1}
    assert (facts["files"], facts["rejected"], facts["holding"]) == (4, 1, 3)
    assert facts["sha256"] == digest
    assert [(crop["image_id"], crop["code"]) for crop in facts["unplaced"]] == [
        ("Im005_0", "not_found")
    ]
    (overlap,) = facts["overlapping"]
    assert (overlap["first"], overlap["second"]) == ("Im001_1", "Im002_1")
    assert abs(overlap["right"] - 220) <= 2
    # Photographs are no files of the data set.
    assert summary["files"]["found"] == 5
    assert summary["rejected"] == 0
    line = (
        "4 of 5 crops found in 3 of 4 photographs, 3 with equal pixels, 1 in no photograph, "
        "1 photograph cannot be read, 1 pair of photographs overlap"
    )
    assert line in describe_account(summary)
    assert line in imports_table([summary], {"cells": "Cells"})["note"][0]


def test_a_named_picture_is_kept(cells, tmp_path):
    root, _ = cells
    sheet = "path\tlabel\tpicture\nIm001_1.png\tblast\tsmear 7\nIm002_0.png\tnormal\t\n"
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in ("Im001_1.png", "Im002_0.png"):
        (folder / name).write_bytes((root / "cells" / name).read_bytes())
    (folder / "sheet.tsv").write_text(sheet)
    files = {name: tmp_path / file for name, file in OUTPUTS.items()}
    settings = {"format": "folder", "sheet": "sheet.tsv", "image_size": [32, 32]}
    settings |= {"classes": {"normal": ["normal"], "blast": ["blast"]}}
    found = PhotographFolder(root / "photographs")
    import_dataset("cells", folder, settings, None, None, **files, photographs=found)
    manifest = pd.read_csv(files["manifest"], sep="\t", dtype=str).set_index("image_id")
    assert manifest["picture"].sort_values().to_list() == ["Im001_1", "smear 7"]
    assert manifest["photograph"].to_list() == ["im/Im001_1.png"] * 2


def test_the_crops_are_no_photographs_of_their_own(cells, tmp_path):
    root, _ = cells
    with pytest.raises(InputError, match="has no photograph"):
        run(root / "cells", tmp_path, root / "cells")
    _, _, summary = run(root / "cells", tmp_path, root)
    assert summary["photographs"]["files"] == 4
    assert summary["photographs"]["crops"]["not_found"] == 1


def test_a_missing_folder_is_an_error_that_names_the_key(cells, tmp_path):
    with pytest.raises(InputError, match="photographs"):
        run(cells[0] / "cells", tmp_path, tmp_path / "absent")
    assert not (tmp_path / "manifest.tsv").exists()


def test_photographs_that_changed_since_the_plan_stop_the_import(cells, tmp_path):
    root, _ = cells
    with pytest.raises(InputError, match="were changed"):
        run(root / "cells", tmp_path, root / "photographs", RawContent("0", tmp_path / "c.json"))
    assert not (tmp_path / "manifest.tsv").exists()


def test_pictures_of_equal_names_keep_their_folders():
    assert picture_names(["a/Im1.jpg", "b/Im2.jpg"]) == ["Im1", "Im2"]
    assert picture_names(["a/1.jpg", "b/1.jpg"]) == ["a/1.jpg", "b/1.jpg"]
