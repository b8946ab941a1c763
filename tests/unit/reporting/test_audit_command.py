"""The verdict on somebody else's split, from image files to the corrected sheet."""

import cv2
import numpy as np
import pandas as pd
import pytest
from support.repository import SCHEMA

from blastfold.core.errors import InputError
from blastfold.core.path_patterns import PathPattern
from blastfold.core.tables import read_text_table
from blastfold.datasets.importing import import_dataset
from blastfold.experiment.config import check_config
from blastfold.folds.assignment import assign_folds
from blastfold.leakage.duplicates import audit_dataset
from blastfold.leakage.split_audit import audit_split
from blastfold.reporting.audit_command import judge_split, main


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def cells(folder, subjects=8, images=4, seed=3):
    """Pictures of blurred spots in class folders; the name carries the subject."""
    draw = np.random.default_rng(seed)
    names = []
    for subject in range(subjects):
        for number in range(images):
            coarse = draw.integers(0, 255, (7, 7, 3), dtype=np.uint8)
            image = cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_CUBIC)
            names.append(f"{('normal', 'blast')[subject % 2]}/s{subject}_{number}.png")
            save(folder / names[-1], image)
    return names


def sheet_of(path, names, parts, subject=None):
    table = pd.DataFrame({"path": names, "part": parts})
    if subject:
        table["subject"] = [subject(name) for name in names]
    table.to_csv(path, index=False)
    return path


CELLS = {"format": "folder", "image_size": [48, 48]}
OWN_PARTS = {"kind": "predefined", "test_parts": ["test"], "leakage": "forbid"}


def with_labels(sheet, pattern):
    """The text of a sheet with the labels and subjects of its names, as an import reads it."""
    table = pd.read_csv(sheet)
    read = PathPattern(pattern).read
    table["label"] = table["path"].str.partition("/")[0]
    table["subject"] = [read(path)["subject"] for path in table["path"]]
    return table.to_csv(index=False)


@pytest.fixture
def by_image(tmp_path):
    names = cells(tmp_path / "images")
    return sheet_of(tmp_path / "split.csv", names, ["train", "train", "train", "test"] * 8)


def forbid(folder, images, sheet):
    """Do what an experiment does with a corrected sheet before it trains, by the rules' code."""
    config = check_config(
        {
            "datasets": {"cells": {"path": str(images), "sheet": sheet, **CELLS}},
            "protocols": {"own": OWN_PARTS},
            "models": {"cnn": {"architecture": "simple_cnn"}},
            "experiments": [{"datasets": ["cells"], "protocols": ["own"], "models": ["cnn"]}],
        },
        SCHEMA,
    )
    dataset, protocol = config["datasets"]["cells"], {"name": "own", **config["protocols"]["own"]}
    files = {
        name: folder / f"{name}.tsv" for name in ("manifest", "groups", "duplicates", "rejected")
    }
    store, manifest, folds = folder / "images.npy", files["manifest"], folder / "folds.tsv"
    facts = folder / "dataset.json"
    import_dataset("cells", images, dataset, None, None, store, manifest, files["rejected"], facts)
    audit_dataset(
        store, manifest, files["duplicates"], files["groups"], dataset["duplicates"], threads=1
    )
    assign_folds(manifest, files["groups"], folds, protocol, config["seed"])
    audit_split(
        **{"folds": folds, "manifest": manifest, "name": "own", "leakage": protocol["leakage"]},
        **{name: files[name] for name in ("groups", "duplicates")},
        **{name: folder / f"split.{name}.tsv" for name in ("summary", "crossings")},
    )
    return read_text_table(folds)


def test_a_split_by_image_leaks_and_its_correction_passes_forbid(tmp_path, by_image):
    images, output = tmp_path / "images", tmp_path / "audit"
    lines = judge_split(images, by_image, output, "{subject}_*")
    assert len(lines) == 5
    assert lines[0].startswith("LEAKS: 8 of 8 test images (100.0 %)")
    assert "8 of 8 test images (100.0 %) share their subject" in lines[3]
    assert "passes leakage: forbid" in lines[4]
    assert (output / "verdict.txt").read_text().splitlines() == lines
    assert (output / "pairs.png").stat().st_size > 0
    assert sorted(path.name for path in output.iterdir()) == [
        *("corrected_split.tsv", "crossings.tsv", "duplicates.tsv", "leakage.md", "leakage.tsv"),
        *("pairs.png", "rejected.tsv", "verdict.txt"),
    ]
    corrected = read_text_table(output / "corrected_split.tsv")
    assert (corrected.groupby("subject")["part"].nunique() == 1).all()
    (images / "corrected.tsv").write_bytes((output / "corrected_split.tsv").read_bytes())
    roles = forbid(tmp_path, images, "corrected.tsv").set_index("image_id")["role"]
    own = corrected.set_index("image_id")["part"]
    # Validation images are drawn from the training part.
    assert (roles.replace("validation", "train") == own[roles.index]).all()
    (images / "given.csv").write_text(with_labels(by_image, "{subject}_*"))
    with pytest.raises(InputError, match="leakage is forbid, but"):
        forbid(tmp_path / "given", images, "given.csv")
    again = judge_split(images, output / "corrected_split.tsv", tmp_path / "again")
    assert again[0].startswith("NO LEAKAGE")
    assert again[4] == "Corrected split: none is needed."


def test_unknown_subjects_are_no_clean_bill(tmp_path, by_image):
    lines = judge_split(tmp_path / "images", by_image, tmp_path / "audit")
    assert lines[0].startswith("UNKNOWN")
    assert "an unknown number of 8 test images share their subject" in lines[3]
    assert "The subject of 32 images is unknown. Supply subjects" in lines[3]
    declared = judge_split(tmp_path / "images", by_image, tmp_path / "audit", independent=True)
    assert declared[0].startswith("NO LEAKAGE")


def test_copies_across_folders_are_found_drawn_and_moved(tmp_path):
    names = cells(tmp_path / "all", subjects=6)
    for place, name in enumerate(names):
        part = "test" if place % 4 == 3 else "train"
        image = cv2.imread(str(tmp_path / "all" / name))
        save(tmp_path / "given" / part / name, image)
        if place == 0:
            save(tmp_path / "given" / "test" / "normal" / "copy.png", image[:, ::-1])
    (tmp_path / "given" / "train" / "normal" / "bad.png").write_bytes(b"no image")
    save(tmp_path / "given" / "later" / "one.png", image)
    lines = judge_split(tmp_path / "given", tmp_path / "given", tmp_path / "audit")
    assert lines[0].startswith("LEAKS: 1 of 7 test images")
    assert "1 cannot be read" in lines[1]
    assert "in no part: 1 more image of the folder" in lines[1]
    assert lines[2].startswith(
        "Copies: 1 of 7 test images (14.3 %) have a copy in training (1 pair"
    )
    assert "keeps together what is known" in lines[4]
    pair = read_text_table(tmp_path / "audit" / "duplicates.tsv").iloc[0]
    assert {pair["first"], pair["second"]} == {"test/normal/copy", "train/normal/s0_0"}
    corrected = read_text_table(tmp_path / "audit" / "corrected_split.tsv")
    part = corrected.set_index("image_id")["part"]
    assert part["test/normal/copy"] == part["train/normal/s0_0"]


def test_numbered_folds_are_judged_each_against_the_others(tmp_path):
    names = cells(tmp_path / "images")
    folds = [str(place % 4) for place in range(32)]
    split_sheet = sheet_of(tmp_path / "s.csv", names, folds, lambda name: name.split("_")[0])
    lines = judge_split(tmp_path / "images", split_sheet, tmp_path / "audit")
    assert lines[0].startswith("LEAKS: 32 of 32 test images")
    parts = read_text_table(tmp_path / "audit" / "corrected_split.tsv")["part"]
    assert parts.value_counts().to_dict() == dict.fromkeys("0123", 8)


def test_the_command_line_prints_the_verdict(tmp_path, by_image, capsys):
    output = tmp_path / "audit"
    main([str(tmp_path / "images"), "--split", str(by_image), "--output", str(output)])
    printed = capsys.readouterr().out.splitlines()
    assert printed[:-1] == (output / "verdict.txt").read_text().splitlines()
    assert str(output) in printed[-1]


def test_a_part_without_readable_images_is_no_verdict(tmp_path, by_image):
    for path in (tmp_path / "images").glob("*/s*_3.png"):
        path.write_bytes(b"x")
    with pytest.raises(InputError, match=r"No image of 'test' can be read.*_3\.png': not a BMP"):
        judge_split(tmp_path / "images", by_image, tmp_path / "audit")


def test_what_cannot_be_written_is_named(tmp_path, by_image):
    (tmp_path / "file").write_text("")
    words = [str(tmp_path / "images"), "--split", str(by_image), "--output", str(tmp_path / "file")]
    with pytest.raises(InputError, match=r"OUTPUT: '.*file' cannot be written \(File exists\)"):
        main(words)


def test_a_split_that_cannot_be_corrected_has_a_reason(tmp_path):
    for place in range(8):
        image = np.full((40, 40, 3), 255, dtype=np.uint8)
        save(tmp_path / "given" / ("train", "test")[place % 2] / f"x{place}.png", image)
    lines = judge_split(tmp_path / "given", tmp_path / "given", tmp_path / "audit")
    assert lines[0].startswith("LEAKS: 4 of 4 test images")
    assert "train would have no image, because its images are in too few groups" in lines[4]
    assert not (tmp_path / "audit" / "corrected_split.tsv").exists()
