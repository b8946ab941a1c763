"""The mean image against NumPy's mean in double precision, and what it was fitted on."""

import json

import numpy as np
import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.core.files import digest_names
from blastfold.folds.mean_image import compute_mean_images, mean_of_rows


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_equals_numpy_whatever_the_block(block):
    images = np.random.default_rng(0).integers(0, 256, (150, 9, 11, 3), dtype=np.uint8)
    rows = np.arange(0, 150, 2)
    expected = images[rows].astype("float64").mean(axis=0).astype("float32")
    result = mean_of_rows(images, rows, block)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected)


def write_data_set(folder, roles):
    images = np.random.default_rng(1).integers(0, 256, (len(roles), 5, 4, 3), dtype=np.uint8)
    names = [f"image {number}" for number in range(len(roles))]
    np.save(folder / "images.npy", images)
    pd.DataFrame({"image_id": names}).to_csv(folder / "manifest.tsv", sep="\t", index=False)
    # The table of folds is in another order than the manifest.
    table = pd.DataFrame({"image_id": names, "fold": 0, "role": roles})[::-1]
    other = table.assign(fold=1, role="test")
    pd.concat([table, other]).to_csv(folder / "folds.tsv", sep="\t", index=False)
    return images, names


def run(folder, folds=1):
    names = ("images.npy", "manifest.tsv", "folds.tsv")
    paths = [folder / name for name in names]
    numbers = range(folds)
    means = [folder / f"mean-{fold}.npy" for fold in numbers]
    compute_mean_images(*paths, means, [folder / f"mean-{fold}.json" for fold in numbers])


def test_only_training_images_count(tmp_path):
    roles = ["train", "test", "train", "validation", "train", "test"]
    images, names = write_data_set(tmp_path, roles)
    run(tmp_path)
    expected = images[[0, 2, 4]].astype("float64").mean(axis=0).astype("float32")
    np.testing.assert_array_equal(np.load(tmp_path / "mean-0.npy"), expected)
    record = json.loads((tmp_path / "mean-0.json").read_text())
    assert record["images"] == 3
    assert record["fitted_on"] == digest_names([names[0], names[2], names[4]])


def test_changing_a_test_image_changes_nothing(tmp_path):
    images, _ = write_data_set(tmp_path, ["train", "test", "train", "validation"])
    run(tmp_path)
    before = np.load(tmp_path / "mean-0.npy")
    images[[1, 3]] = 255 - images[[1, 3]]
    np.save(tmp_path / "images.npy", images)
    run(tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "mean-0.npy"), before)


def test_every_fold_has_the_mean_of_its_own_training_images(tmp_path):
    images, names = write_data_set(tmp_path, ["train"] * 4)
    table = pd.DataFrame({"image_id": names * 2, "fold": [0] * 4 + [1] * 4})
    table["role"] = ["train", "train", "train", "test", "test", "train", "train", "train"]
    table.to_csv(tmp_path / "folds.tsv", sep="\t", index=False)
    run(tmp_path, folds=2)
    for fold, rows in enumerate(([0, 1, 2], [1, 2, 3])):
        expected = images[rows].astype("float64").mean(axis=0).astype("float32")
        np.testing.assert_array_equal(np.load(tmp_path / f"mean-{fold}.npy"), expected)
        record = json.loads((tmp_path / f"mean-{fold}.json").read_text())
        assert record["fold"] == fold
        assert record["fitted_on"] == digest_names([names[row] for row in rows])


def test_fold_without_training_images_is_an_error(tmp_path):
    write_data_set(tmp_path, ["train", "test"])
    with pytest.raises(InputError, match="fold 1 has no row with role 'train'"):
        run(tmp_path, folds=2)
