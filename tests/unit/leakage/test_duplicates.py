import re
from dataclasses import asdict, replace

import cv2
import numpy as np
import pandas as pd
import pytest
from support.schema_defaults import defaults_of

from blastfold.core.errors import InputError
from blastfold.leakage.duplicate_features import Features, describe_image, mirror
from blastfold.leakage.duplicate_images import ORIENTATION_NAMES, orient
from blastfold.leakage.duplicate_maps import MAP, Matches, find_maps
from blastfold.leakage.duplicate_verification import (
    compare_views,
    name_transform,
    place,
    view_image,
)
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


def rotate_and_scale(image, angle, scale):
    """Turn counter-clockwise and scale about the centre, as OpenCV defines it."""
    middle = (np.array(image.shape[1::-1]) - 1) / 2
    matrix = cv2.getRotationMatrix2D(tuple(map(float, middle)), angle, scale)
    return cv2.warpAffine(image, matrix, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def stain_shift(image, factors):
    """Multiply haematoxylin, eosin and DAB (Ruifrok and Johnston 2001, Table 1) by factors."""
    dyes = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
    density = -np.log10((image.astype(float) + 1) / 256)
    changed = density @ np.linalg.inv(dyes) * factors @ dyes
    return np.clip(256 * 10**-changed - 1, 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("make", [cell, smear])
@pytest.mark.parametrize(
    ("angle", "scale"), [(0, 0.8), (0, 1.25), (17, 1.0), (45, 1.0), (-111, 1.0), (33, 1.15)]
)
def test_copies_of_any_angle_and_scale(make, angle, scale):
    found = only(make(1), rotate_and_scale(make(1), angle, scale))
    assert found[2] == "scaled_or_rotated"
    numbers = re.fullmatch(
        r"(\w+) scaled \(([\d.]+), ([\d.]+)\) rotated (-?\d+)(?: shift \((-?\d+), (-?\d+)\))?",
        found[3],
    )
    quarter = {"identity": 0, "turn_90": 90, "turn_180": 180, "turn_270": 270}[numbers[1]]
    assert abs((quarter + int(numbers[4]) - angle + 180) % 360 - 180) <= 2
    assert float(numbers[2]) == pytest.approx(scale, abs=0.03)
    assert float(numbers[3]) == pytest.approx(scale, abs=0.03)
    assert all(abs(int(shift or 0)) <= 1 for shift in numbers.groups()[4:])


@pytest.mark.parametrize("make", [cell, smear])
def test_a_mirrored_crop_that_is_stretched_and_stained(make):
    size = len(make(1))
    crop = make(1)[: round(0.9 * size), round(0.05 * size) :]
    copy = cv2.resize(crop, (size, size), interpolation=cv2.INTER_LINEAR)[:, ::-1]
    found = only(make(1), stain_shift(copy, [1.1, 0.9, 1.1]))
    assert found[2:4] == ("scaled_or_rotated", found[3])
    assert found[3].startswith("flip_left_right scaled (1.1")
    assert found[4] > 0.9


def test_stain_shifts_alone():
    found = find(cell(1), stain_shift(cell(1), [0.9, 1.1, 0.9]), cell(2))
    assert found[["first", "second"]].to_numpy().tolist() == [["i0", "i1"]]


def disc(textures, weights, radius, scale=1.0, size=128):
    """Draw a disc whose texture is a weighted sum, scaled about the centre of the image."""
    texture = sum(weight * textures[name] for name, weight in weights.items())
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    value = np.where(np.hypot(rows, columns) < radius, 110 + 18 * texture, 0)
    image = np.clip(value[..., None] * [1.0, 0.7, 1.1], 0, 255).astype(np.uint8)
    return rotate_and_scale(image, 0, scale)


@pytest.mark.parametrize(
    ("radius", "weight", "votes", "passes"),
    [
        *((20, 0.85, 5.0, False), (20, 0.82, 9.0, True)),
        *((30, 0.82, 5.4, False), (30, 0.88, 5.4, True), (30, 0.82, 9.0, True)),
        *((45, 0.82, 5.0, True), (45, 0.82, 3.0, False)),
    ],
)
def test_a_small_cell_needs_more_agreement_than_a_large_one(radius, weight, votes, passes):
    """Two cells whose detail is alike to 0.8 to 0.9, under a map that scales by 0.9.

    A radius of 30 pixels is that of the round lymphocytes that were paired by mistake.
    """
    random = np.random.default_rng(0)
    noise = random.normal(size=(2, 128, 128)).astype(np.float32)
    smooth = [cv2.GaussianBlur(each, (0, 0), 3) for each in noise]
    textures = {name: each / each.std() for name, each in zip("ab", smooth, strict=True)}
    first = disc(textures, {"a": 1.0}, radius)
    second = disc(textures, {"a": weight, "b": (1 - weight**2) ** 0.5}, radius, 0.9)
    shares = np.array([[0.9, 0, 0.05], [0, 0.9, 0.05]])
    views = view_image(first), view_image(second)
    limits = DEFAULTS.minimum_similarity, DEFAULTS.minimum_overlap
    at_most = compare_views(*views, shares, 100.0, 0.0, limits[1])
    assert 0.8 < at_most.similarity < 0.9
    assert (at_most.common < 0.15) == (radius < 45)
    assert (compare_views(*views, shares, votes, *limits) is not None) == passes


def test_a_mark_that_all_images_share_does_not_pair_them():
    images = [smear(seed, 96) for seed in range(12)]
    for image in images:
        cv2.putText(image, "100 um", (4, 92), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0))
    assert find(*images).empty


def test_descriptors_of_the_mirror_image_are_a_permutation():
    image = smear(3, 96)
    frames, descriptors, _ = describe_image(image)
    mirrored_frames, mirrored, _ = describe_image(np.ascontiguousarray(image[:, ::-1]))
    assert len(frames) > 10
    turned = mirror(descriptors).astype(float)
    near = 0
    for (x, y, _, angle), descriptor in zip(frames, turned, strict=True):
        there = np.hypot(mirrored_frames[:, 0] - (1 - x), mirrored_frames[:, 1] - y) < 0.01
        turn = np.abs((mirrored_frames[:, 3] - (np.pi - angle) + np.pi) % (2 * np.pi) - np.pi) < 0.1
        same = mirrored[there & turn].astype(float)
        if len(same):
            cosines = same @ descriptor / np.linalg.norm(same, axis=1) / np.linalg.norm(descriptor)
            near += cosines.max() > 0.98
    assert near > 0.9 * len(frames)


def test_the_map_of_agreeing_blobs_is_theirs():
    """Worked example: ten blobs under a known similarity, and two that go elsewhere."""
    random = np.random.default_rng(7)
    frames = np.column_stack(
        [
            random.uniform(0.2, 0.8, (12, 2)),
            random.uniform(0.03, 0.1, 12),
            random.uniform(-3, 3, 12),
        ]
    )
    angle, scale, shift = 0.7, 1.2, np.array([0.1, -0.05])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = np.column_stack(
        [frames[:, :2] @ turn.T + shift, frames[:, 2] * scale, frames[:, 3] + angle]
    )
    moved[10:, :2] += 0.5
    features = Features(
        np.repeat(np.array([3, 5], np.int32), 12),
        np.concatenate([frames, moved]).astype(np.float32),
        np.zeros((24, 128), np.uint8),
    )
    rows = np.arange(12, dtype=np.int32)
    matches = Matches(rows, rows + 12, np.full(12, 0.9, np.float32), np.zeros(12, bool))
    (found,) = find_maps(matches, features).to_dict("records")
    assert (found["first"], found["second"]) == (3, 5)
    assert found["votes"] == pytest.approx(9.0, abs=1e-3)
    expected = np.column_stack([turn, shift])
    np.testing.assert_allclose([found[name] for name in MAP], expected.ravel(), atol=1e-4)


@pytest.mark.parametrize("orientation", range(8))
def test_a_map_is_taken_apart_and_named(orientation):
    """Worked example: the matrices of the orientations as NumPy's functions move a pixel."""
    mark = np.zeros((5, 5), int)
    mark[1, 3] = 1  # (x, y) = (1, -1) from the middle
    row, column = np.argwhere(ORACLE[ORIENTATION_NAMES[orientation]](mark[..., None])[..., 0])[0]
    columns = [(column - 2, row - 2)]
    mark = np.zeros((5, 5), int)
    mark[3, 3] = 1  # (1, 1)
    row, column = np.argwhere(ORACLE[ORIENTATION_NAMES[orientation]](mark[..., None])[..., 0])[0]
    columns.append((column - 2, row - 2))
    orient_matrix = np.array(columns).T @ np.linalg.inv(np.array([[1, 1], [-1, 1]]))
    angle = np.deg2rad(-20)  # counter-clockwise is negative where y grows downwards
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([0.9, 1.1]) @ orient_matrix
    middle = np.array([15.5, 15.5])
    pixels = np.column_stack([linear, middle - linear @ middle + np.array([4, -3])])
    placed = place(pixels, 32, 32)
    assert placed.orientation == orientation
    assert placed.angle == pytest.approx(20)
    assert placed.scales == pytest.approx((1.1, 0.9))
    assert (placed.down, placed.right) == pytest.approx((-3, 4))
    name = ORIENTATION_NAMES[orientation]
    assert name_transform(placed, 2) == f"{name} scaled (1.100, 0.900) rotated 20 shift (-6, 8)"


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
