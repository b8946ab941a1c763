from dataclasses import asdict, replace

import cv2
import numpy as np
import pandas as pd
import pytest
from support.schema_defaults import defaults_of

from blastfold.core.errors import InputError
from blastfold.leakage.duplicate_images import ORIENTATION_NAMES, orient
from blastfold.leakage.duplicates import DuplicateSettings, audit_dataset, find_duplicates

DEFAULTS = DuplicateSettings(**defaults_of("duplicates"))

# The eight orientations as NumPy's own functions make them.
ORACLE = {
    "identity": lambda image: image,
    "flip_left_right": np.fliplr,
    "flip_up_down": np.flipud,
    "turn_180": lambda image: np.rot90(image, 2),
    "transpose": lambda image: image.transpose(1, 0, 2),
    "turn_270": lambda image: np.rot90(image, 3),
    "turn_90": lambda image: np.rot90(image, 1),
    "anti_transpose": lambda image: np.rot90(image, 2).transpose(1, 0, 2),
}
TURNS = [name for name in ORACLE if name != "identity"]


def cell(seed, size=96, background=0):
    """Draw a textured disc on a flat background; every seed has the same outline."""
    noise = np.random.default_rng(seed).normal(size=(size, size)).astype(np.float32)
    texture = cv2.GaussianBlur(noise, (0, 0), size / 45)
    rows, columns = np.mgrid[:size, :size] - size / 2
    inside = np.hypot(rows, columns) < 0.3 * size
    value = np.where(inside, 110 + 18 * texture / texture.std(), background)
    return np.clip(value[..., None] * [1.0, 0.7, 1.1], 0, 255).astype(np.uint8)


def smear(seed, size=160):
    """Draw a textured field without any flat background."""
    noise = np.random.default_rng(seed).normal(size=(size, size, 3)).astype(np.float32)
    coarse, fine = cv2.GaussianBlur(noise, (0, 0), 5), cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(150 + 250 * coarse + 60 * fine, 0, 255).astype(np.uint8)


def jpeg(image, quality):
    written = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(written, cv2.IMREAD_COLOR)


def find(*images, **settings):
    names = [f"i{k}" for k in range(len(images))]
    return find_duplicates(np.stack(images), names, replace(DEFAULTS, **settings))


def only(*images):
    (row,) = find(*images).itertuples(index=False, name=None)
    return row


@pytest.mark.parametrize("name", ORIENTATION_NAMES)
def test_orientations_are_those_of_numpy(name):
    image = np.random.default_rng(0).integers(0, 256, (5, 5, 3), np.uint8)
    np.testing.assert_array_equal(orient(image, ORIENTATION_NAMES.index(name)), ORACLE[name](image))


def test_identical_pixels():
    assert only(cell(1), cell(2), cell(1)) == ("i0", "i2", "identical", "identity", 1.0)


@pytest.mark.parametrize("name", TURNS)
def test_exact_flips_and_turns(name):
    found = only(cell(1), ORACLE[name](cell(1)), cell(2))
    assert found == ("i0", "i1", "flipped_or_turned", name, 1.0)


@pytest.mark.parametrize("make", [cell, smear])
@pytest.mark.parametrize("name", ORACLE)
def test_turned_and_recompressed_copies_keep_their_transform(make, name):
    first, second, kind, transform, similarity = only(make(1), jpeg(ORACLE[name](make(1)), 80))
    assert (first, second, transform) == ("i0", "i1", name)
    assert kind == ("recompressed" if name == "identity" else "flipped_or_turned")
    assert 0.9 < similarity < 1


@pytest.mark.parametrize(
    "change",
    [
        lambda image: np.clip(image * 0.8, 0, 255),
        lambda image: np.clip(image * 1.2, 0, 255),
        lambda image: np.clip(image.astype(float) + 40, 0, 255),
        lambda image: np.clip((image - image.mean()) * 1.2 + image.mean(), 0, 255),
        lambda image: np.clip((image - image.mean()) * 0.8 + image.mean(), 0, 255),
    ],
)
@pytest.mark.parametrize("make", [cell, smear])
def test_brightness_and_contrast(make, change):
    changed = change(make(1)).astype(np.uint8)
    first, second, kind, transform, similarity = only(make(1), changed, make(2))
    assert (first, second, transform) == ("i0", "i1", "identity")
    assert kind == "brightness_contrast"
    assert similarity > 0.9


@pytest.mark.parametrize(("down", "right"), [(3, 0), (-7, 5), (0, 28), (15, 15)])
def test_shifted_crops_of_one_field(down, right):
    field = smear(1)
    first = field[32:128, 32:128]
    second = field[32 - down : 128 - down, 32 - right : 128 - right]
    assert only(first, second)[2:4] == ("shifted", f"identity shift ({down}, {right})")


def test_shifted_and_turned_crops_on_black():
    image = cell(1)
    moved = np.roll(image, (9, -6), axis=(0, 1))
    assert only(image, np.rot90(moved))[2:4] == ("shifted", "turn_90 shift (6, 9)")


def test_cells_of_one_outline_on_black_are_not_paired():
    assert find(*[cell(seed) for seed in range(40)]).empty


def test_fields_without_background_are_not_paired():
    assert find(*[smear(seed, 96) for seed in range(40)]).empty


@pytest.mark.parametrize("size", [8, 64, 257])
def test_flat_images_pair_only_when_they_are_identical(size):
    flat = [np.full((size, size, 3), value, np.uint8) for value in (0, 0, 1, 128, 255)]
    assert only(*flat) == ("i0", "i1", "identical", "identity", 1.0)


def test_images_that_are_not_square():
    image = smear(1)[:96, :128]
    found = find(image, image[::-1, ::-1], jpeg(image[:, ::-1], 90))
    assert found["transform"].tolist() == ["turn_180", "flip_left_right", "flip_up_down"]


def test_all_pairs_of_repeated_and_turned_copies_are_written():
    found = find(cell(1), cell(1), np.flipud(cell(1)), np.flipud(cell(1)))
    assert found["kind"].value_counts().to_dict() == {"flipped_or_turned": 4, "identical": 2}


def test_many_equal_images_are_linked_to_one():
    found = find(*[np.zeros((8, 8, 3), np.uint8)] * 100)
    assert found["first"].unique().tolist() == ["i0"]
    assert len(found) == 99


def test_threads_do_not_change_the_result():
    images = np.stack([cell(k % 9) + np.uint8(k // 9) for k in range(27)])
    names = [f"i{k}" for k in range(27)]
    one, two = (find_duplicates(images, names, DEFAULTS, threads) for threads in (1, 2))
    assert len(one) == 27
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_images_have_no_pairs(count):
    found = find_duplicates(np.zeros((count, 8, 8, 3), np.uint8), ["a"] * count, DEFAULTS)
    assert found.empty
    assert list(found.columns) == ["first", "second", "kind", "transform", "similarity"]


def test_wrong_input_is_named():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    with pytest.raises(InputError, match="1 names for 2 images"):
        find_duplicates(images, ["a"], DEFAULTS)
    with pytest.raises(InputError, match="float32"):
        find_duplicates(images.astype(np.float32), ["a", "b"], DEFAULTS)
    with pytest.raises(InputError, match="twice"):
        find_duplicates(images, ["a", "a"], DEFAULTS)


def test_audit_dataset_writes_both_tables(tmp_path):
    np.save(tmp_path / "images.npy", np.stack([cell(1), cell(2), np.fliplr(cell(1))]))
    manifest = pd.DataFrame(
        {"image_id": ["a", "b", "c"], "label": 0, "subject": "", "picture": "", "parent": ""}
    )
    manifest.to_csv(tmp_path / "manifest.tsv", sep="\t", index=False)
    outputs = tmp_path / "duplicates.tsv", tmp_path / "groups.tsv"
    audit_dataset(tmp_path / "images.npy", tmp_path / "manifest.tsv", *outputs, asdict(DEFAULTS))
    assert pd.read_csv(outputs[0], sep="\t").loc[0, ["first", "second"]].tolist() == ["a", "c"]
    assert pd.read_csv(outputs[1], sep="\t")["group"].tolist() == ["a", "b", "a"]
    manifest.iloc[:2].to_csv(tmp_path / "manifest.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match="2 rows"):
        audit_dataset(
            tmp_path / "images.npy", tmp_path / "manifest.tsv", *outputs, asdict(DEFAULTS)
        )


def test_duplicates_with_different_labels_are_a_warning(tmp_path, caplog):
    np.save(tmp_path / "images.npy", np.stack([cell(1), cell(2), np.fliplr(cell(1))]))
    for labels, warnings in (([0, 1, 1], 1), ([1, 0, 1], 0)):
        manifest = pd.DataFrame({"image_id": ["a", "b", "c"], "label": labels})
        manifest = manifest.assign(subject="", picture="", parent="")
        manifest.to_csv(tmp_path / "manifest.tsv", sep="\t", index=False)
        caplog.clear()
        outputs = tmp_path / "duplicates.tsv", tmp_path / "groups.tsv"
        audit_dataset(
            tmp_path / "images.npy", tmp_path / "manifest.tsv", *outputs, asdict(DEFAULTS)
        )
        messages = [record.getMessage() for record in caplog.records]
        found = [text for text in messages if "different labels" in text]
        assert len(found) == warnings
        assert all("1 pairs" in text and "a (label 0) and c (label 1)" in text for text in found)
