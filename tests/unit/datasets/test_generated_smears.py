"""The demo data set holds what it says: counts, positions, crops and planted duplicates."""

import cv2
import numpy as np
import pandas as pd
import pytest
from support.repository import SCHEMA
from support.schema_defaults import defaults_of

from blastfold.core.errors import InputError
from blastfold.datasets.generated_smears import DUPLICATE_KINDS, generate_demo
from blastfold.experiment.config import check_config

SMALL = defaults_of("demo") | {
    "subjects_per_class": 2,
    "pictures_per_subject": 2,
    "cells_per_picture": 3,
    "duplicates": 12,
    "photograph_size": [200, 260],
}


def read_table(folder):
    return pd.read_csv(folder / "cells.tsv", sep="\t", keep_default_na=False)


def read_image(path):
    return cv2.imread(str(path)).astype(int)


def cut(photograph, x, y, height, width):
    return photograph[y - height // 2 :, x - width // 2 :][:height, :width]


def all_bytes(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    generate_demo(folder, SMALL, seed=2022)
    return folder


def test_same_seed_gives_the_same_bytes_and_another_seed_other_pictures(demo, tmp_path):
    generate_demo(tmp_path / "again", SMALL, seed=2022)
    generate_demo(tmp_path / "other", SMALL, seed=2023)
    first, other = all_bytes(demo), all_bytes(tmp_path / "other")
    assert all_bytes(tmp_path / "again") == first
    photographs = [name for name in first if name.startswith("photographs")]
    assert len(photographs) == 8
    assert all(first[name] != other[name] for name in photographs)


def test_another_subject_leaves_the_photographs_of_the_others_unchanged(demo, tmp_path):
    generate_demo(tmp_path, SMALL | {"subjects_per_class": 3, "duplicates": 0}, seed=2022)
    before, after = all_bytes(demo / "photographs"), all_bytes(tmp_path / "photographs")
    assert len(after) == 12
    assert {name: after[name] for name in before} == before


def test_counts_are_as_asked(demo):
    table = read_table(demo)
    cells = table[table.duplicate_of == ""]
    assert len(table) == 2 * 2 * 2 * 3 + 12
    assert table.image_id.is_unique
    assert sorted(table.path) == sorted(f"cells/{path.name}" for path in demo.glob("cells/*"))
    assert cells.groupby("picture").size().tolist() == [3] * 8
    assert cells.groupby(["label", "subject"]).size().to_dict() == {
        (0, "healthy-01"): 6,
        (0, "healthy-02"): 6,
        (1, "patient-01"): 6,
        (1, "patient-02"): 6,
    }


def test_kinds_are_the_labels_and_a_patient_has_blasts_of_one_type(tmp_path):
    kinds = ["monocyte", "neutrophil", "blast_l3", "blast_l1"]
    settings = SMALL | {"kinds": kinds, "normal_cells_in_patients": 0.3, "duplicates": 0}
    generate_demo(tmp_path, settings | {"cells_per_picture": 5}, seed=2022)
    table = read_table(tmp_path)
    assert set(table["label"]) == set(kinds)
    of_subject = table.groupby("subject")["label"].agg(set)
    assert not (of_subject["healthy-01"] | of_subject["healthy-02"]) & {"blast_l1", "blast_l3"}
    assert "blast_l1" not in of_subject["patient-01"]
    assert "blast_l3" not in of_subject["patient-02"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kinds": ["neutrophil", "monocyte"]}, "expected at least one of blast_l1"),
        (
            {"kinds": ["monocyte", "blast_l1", "blast_l2"], "subjects_per_class": 1},
            "subjects_per_class is 1; expected at least 2, a patient for each of blast_l1",
        ),
    ],
)
def test_kinds_that_cannot_be_generated_are_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        generate_demo(tmp_path, SMALL | changes, seed=1)


def test_the_default_has_about_three_hundred_cells():
    defaults = defaults_of("demo")
    pictures = 2 * defaults["subjects_per_class"] * defaults["pictures_per_subject"]
    assert pictures * defaults["cells_per_picture"] + defaults["duplicates"] == 294


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_patients_can_have_normal_cells(tmp_path, share):
    settings = SMALL | {"normal_cells_in_patients": share, "pictures_per_subject": 4}
    generate_demo(tmp_path, settings, seed=1)
    labels = read_table(tmp_path).set_index("subject").label
    patients = labels[labels.index.str.startswith("patient")]
    assert labels[labels.index.str.startswith("healthy")].eq(0).all()
    assert set(patients) == ({0} if share == 1 else {0, 1})


@pytest.mark.parametrize("crop_size", [[64, 64], [41, 58]])
def test_crops_are_the_pixels_of_the_photograph(tmp_path, crop_size):
    generate_demo(tmp_path, SMALL | {"crop_size": crop_size}, seed=7)
    table = read_table(tmp_path)
    plain = table[table.duplicate_kind.isin(["", "exact", "shifted"])]
    assert len(plain) == 24 + 4
    for row in plain.itertuples():
        photograph = read_image(tmp_path / "photographs" / f"{row.picture}.png")
        crop = read_image(tmp_path / row.path)
        assert crop.shape == (*crop_size, 3)
        assert np.array_equal(crop, cut(photograph, row.x, row.y, *crop_size))


def test_a_nucleus_is_at_the_stated_place(demo):
    table = read_table(demo)
    for picture, cells in table[table.duplicate_of == ""].groupby("picture"):
        red = read_image(demo / "photographs" / f"{picture}.png")[..., 2]
        for row in cells.itertuples():
            inside = cut(red, row.x, row.y, int(row.radius), int(row.radius))
            assert np.percentile(inside, 20) < 0.7 * np.median(red)


def test_leukocytes_are_in_the_photograph_and_apart(demo):
    table = read_table(demo)
    for _, cells in table[table.duplicate_of == ""].groupby("picture"):
        places, radii = cells[["x", "y"]].to_numpy(), cells.radius.to_numpy()
        assert (places - radii[:, None] >= 0).all()
        assert (places + radii[:, None] <= (260, 200)).all()
        for index in range(1, len(cells)):
            distance = np.hypot(*(places[:index] - places[index]).T)
            assert (distance > radii[:index] + radii[index]).all()


def test_duplicates_are_what_they_claim(demo):
    table = read_table(demo).set_index("image_id")
    copies = table[table.duplicate_of != ""]
    assert sorted(copies.duplicate_kind) == sorted(2 * DUPLICATE_KINDS)
    assert copies.duplicate_of.is_unique
    for row in copies.itertuples():
        source = table.loc[row.duplicate_of]
        copy, original = read_image(demo / row.path), read_image(demo / source.path)
        assert (row.subject, row.picture, row.label) == (
            *source[["subject", "picture"]],
            source.label,
        )
        check_duplicate(row.duplicate_kind, copy, original, (row.x - source.x, row.y - source.y))


def test_masks_are_on_the_leukocytes(demo):
    table = read_table(demo).set_index("image_id")
    assert sorted(table["mask"]) == sorted(f"masks/{path.name}" for path in demo.glob("masks/*"))
    rows, columns = np.mgrid[:64, :64]
    for row in table[table.duplicate_of == ""].itertuples():
        mask = read_image(demo / row.mask)[..., 0]
        assert set(np.unique(mask)) == {0, 255}
        # A leukocyte is nearly a disc of its radius around the middle of the crop.
        disc = np.hypot(rows - 32, columns - 32) < row.radius
        assert (disc & (mask > 0)).sum() > 0.85 * (disc | (mask > 0)).sum()


def test_masks_of_duplicates_follow_their_images(demo):
    table = read_table(demo).set_index("image_id")
    for row in table[table.duplicate_of != ""].itertuples():
        source = table.loc[row.duplicate_of]
        mask = read_image(demo / source["mask"])[..., 0]
        turned = {"flipped": np.fliplr(mask), "rotated": np.rot90(mask)}
        shift = (row.y - source.y, row.x - source.x)
        expected = turned.get(row.duplicate_kind, np.roll(mask, (-shift[0], -shift[1]), (0, 1)))
        copy = read_image(demo / row.mask)[..., 0]
        # Rolling brings the other edge in, where a large cell may end.
        assert np.array_equal(copy[4:-4, 4:-4], expected[4:-4, 4:-4])


def check_duplicate(kind, copy, original, shift):
    if kind == "exact":
        assert np.array_equal(copy, original)
    elif kind == "flipped":
        assert np.array_equal(np.fliplr(copy), original)
    elif kind == "rotated":
        assert np.array_equal(np.rot90(copy, -1), original)
    elif kind == "brightness":
        slope, offset = np.polyfit(original.ravel(), copy.ravel(), 1)
        assert 0.84 < slope < 0.96
        assert 3 < offset < 13
        assert np.abs(slope * original + offset - copy).max() < 1
    elif kind == "jpeg":
        assert 0 < np.abs(copy - original).mean() < 6
    else:
        assert kind == "shifted"
        assert [abs(step) for step in shift] == [4, 4]
        right, down = shift
        rows, columns = (
            slice(max(down, 0), 64 + min(down, 0)),
            slice(max(right, 0), 64 + min(right, 0)),
        )
        moved = np.roll(copy, (down, right), axis=(0, 1))
        assert np.array_equal(moved[rows, columns], original[rows, columns])


def test_without_subject_effect_all_subjects_share_one_light(tmp_path):
    settings = SMALL | {"duplicates": 0, "red_cell_cover": 0}
    spreads = []
    for effect in (0.0, 2.0):
        generate_demo(tmp_path / str(effect), settings | {"subject_effect": effect}, seed=5)
        paths = sorted((tmp_path / str(effect) / "photographs").glob("*-1.png"))
        light = [np.median(read_image(path), axis=(0, 1)) for path in paths]
        spreads.append(np.std([colour / colour.mean() for colour in light], axis=0).max())
    assert spreads[0] < 0.004
    assert spreads[1] > 0.02


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"crop_size": [256, 256], "photograph_size": [200, 300]}, "crop_size"),
        ({"crop_size": [15, 64]}, "crop_size"),
        ({"photograph_size": [31, 640]}, "photograph_size"),
        ({"cells_per_picture": 60, "photograph_size": [160, 160]}, "cells_per_picture"),
        ({"duplicates": 25}, "duplicates"),
    ],
)
def test_settings_that_do_not_fit_together_are_named(tmp_path, settings, named):
    with pytest.raises(InputError, match=rf"demo: {named}\b.*expected"):
        generate_demo(tmp_path, SMALL | settings, seed=1)
    assert not (tmp_path / "cells.tsv").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"subjects_per_class": 0},
        {"subjects_per_class": 2.5},
        {"pictures_per_subject": True},
        {"photograph_size": 480},
        {"photograph_size": [480, 640, 3]},
        {"noise": "much"},
        {"noise": None},
        {"subject": 4},
    ],
)
def test_hostile_settings_do_not_pass_the_config_check(settings):
    config = {
        "datasets": {"demo": {"format": "demo", "demo": settings}},
        "protocols": {"holdout": {"kind": "holdout"}},
        "models": {"model": {"architecture": "simple_cnn"}},
        "experiments": [{"datasets": ["demo"], "protocols": ["holdout"], "models": ["model"]}],
    }
    with pytest.raises(InputError, match=rf"datasets\.demo\.demo.*{next(iter(settings))}"):
        check_config(config, SCHEMA)


def test_no_cell_of_a_data_set_is_a_cell_of_another(tmp_path):
    settings = SMALL | {"duplicates": 0}
    for name in ("demo", "other"):
        generate_demo(tmp_path / name, settings, seed=2022, name=name)
    cells = [
        {path.read_bytes() for path in (tmp_path / name / "cells").glob("*.png")}
        for name in ("demo", "other")
    ]
    assert len(cells[0]) == len(cells[1]) > 10
    assert not cells[0] & cells[1]
