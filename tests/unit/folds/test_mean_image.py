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
    """Two folds: the given roles, and one in which the order of the roles is reversed."""
    images = np.random.default_rng(1).integers(0, 256, (len(roles), 5, 4, 3), dtype=np.uint8)
    names = [f"image {number}" for number in range(len(roles))]
    np.save(folder / "images.npy", images)
    manifest = pd.DataFrame({"image_id": names, "label": 0, "class": "normal"})
    manifest.to_csv(folder / "manifest.tsv", sep="\t", index=False)
    # The table of folds is in another order than the manifest.
    table = pd.DataFrame({"image_id": names, "repeat": 0, "fold": 0, "role": roles})[::-1]
    other = table.assign(fold=1, role=roles)
    pd.concat([other, table]).to_csv(folder / "folds.tsv", sep="\t", index=False)
    return images, names


def run(folder):
    names = ("images.npy", "manifest.tsv", "folds.tsv", "means.npy", "means.json")
    compute_mean_images(*(folder / name for name in names))
    return np.load(folder / "means.npy"), json.loads((folder / "means.json").read_text())


def test_every_fold_has_the_mean_of_its_own_training_images(tmp_path):
    roles = ["train", "test", "train", "validation", "train", "test"]
    images, names = write_data_set(tmp_path, roles)
    means, records = run(tmp_path)
    assert means.dtype == np.float32
    for fold, rows in enumerate(([0, 2, 4], [1, 3, 5])):
        expected = images[rows].astype("float64").mean(axis=0).astype("float32")
        np.testing.assert_array_equal(means[fold], expected)
        assert records[fold] == {
            "repeat": 0,
            "fold": fold,
            "images": 3,
            "fitted_on": digest_names([names[row] for row in rows]),
        }


def test_changing_a_test_image_changes_nothing(tmp_path):
    images, _ = write_data_set(tmp_path, ["train", "test", "train", "validation"])
    before, _ = run(tmp_path)
    images[[1, 3]] = 255 - images[[1, 3]]
    np.save(tmp_path / "images.npy", images)
    after, _ = run(tmp_path)
    np.testing.assert_array_equal(after[0], before[0])
    assert (after[1] != before[1]).any()


def test_fold_without_training_images_is_an_error(tmp_path):
    write_data_set(tmp_path, ["train", "test"])
    table = pd.read_csv(tmp_path / "folds.tsv", sep="\t")
    table.loc[table["fold"] == 1, "role"] = "test"
    table.to_csv(tmp_path / "folds.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match="fold 1 has no row with role 'train'"):
        run(tmp_path)
    assert not (tmp_path / "means.npy").exists()
