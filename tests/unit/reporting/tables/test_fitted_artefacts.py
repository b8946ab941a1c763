"""What artefacts were fitted on: proofs by digest, and the table of them."""

import hashlib
import itertools
import json

import numpy as np
import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.evaluation.validation_fits import fit_folds, records_of
from blastfold.folds.mean_image import compute_mean_images
from blastfold.leakage.fitted_artefacts import check_fitted, read_fitted
from blastfold.reporting.tables.fitted_artefacts import tabulate_fitted

TITLES = {"dataset": {"d": "Data & more"}, "protocol": {"k": "K folds"}}
ENDINGS = ("tsv", "tex", "md")


def write(table, path):
    table.to_csv(path, sep="\t", index=False)
    return path


def manifest(ids, subjects, pictures=None, labels=None):
    empty = [""] * len(ids)
    columns = {"image_id": ids, "subject": subjects, "picture": pictures or empty}
    columns |= {"parent": empty, "label": labels or ["0"] * len(ids)}
    return pd.DataFrame(columns, dtype=str)


IDS = [f"image {number}" for number in range(12)]
ROLES = ["train"] * 6 + ["validation"] * 2 + ["test"] * 4


def oracle(ids):
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


@pytest.fixture
def folds():
    """Two folds; the second one is the first one backwards."""
    return pd.concat(
        pd.DataFrame({"image_id": ids, "repeat": 0, "fold": fold, "role": ROLES})
        for fold, ids in enumerate((IDS, IDS[::-1]))
    )


def record(digest, fold=0):
    return {"dataset": "d", "protocol": "k", "artefact": "a", "fold": fold, "fitted_on": digest}


def judge(folds, digest, fold=0):
    (row,) = check_fitted({("d", "k"): folds}, [record(digest, fold)]).to_dict("records")
    return row["fitted_part"], row["images"], row["verdict"]


def test_the_part_that_something_was_fitted_on_is_found_by_its_digest(folds):
    for fold, ids in enumerate((IDS, IDS[::-1])):
        assert judge(folds, oracle(ids[:6]), fold) == ("train", 6, "no_test_image")
        assert judge(folds, oracle(ids[6:8]), fold) == ("validation", 2, "no_test_image")
        assert judge(folds, oracle(ids[:8]), fold)[::2] == ("train + validation", "no_test_image")
    assert judge(folds, oracle([])) == ("none", 0, "no_test_image")


def test_any_other_set_of_images_is_not_accepted(folds):
    accepted = {oracle(ids) for ids in (IDS[:6], IDS[6:8], IDS[:8])}
    for size in (1, 5, 7, 11, 12):
        for ids in itertools.islice(itertools.combinations(IDS, size), 50):
            if oracle(ids) not in accepted:
                assert judge(folds, oracle(ids))[2] != "no_test_image"
    assert judge(folds, oracle(IDS[8:])) == ("test", 4, "test_images")
    assert judge(folds, oracle(IDS[:6]), fold=1)[2] == "other_images"


def test_an_image_in_two_parts_of_a_fold_is_seen(folds):
    twice = pd.DataFrame({"image_id": [IDS[0]], "fold": 0, "role": "test"})
    assert judge(pd.concat([folds, twice]), oracle(IDS[:6]))[2] == "some_test_images"


def test_a_fold_that_does_not_exist_is_named(folds):
    with pytest.raises(InputError, match="a: fitted in fold 2, which d/k does not have"):
        judge(folds, oracle(IDS[:6]), fold=2)


@pytest.fixture
def mean_images(folds, tmp_path):
    """Mean images of both folds, with what they were made from."""
    random = np.random.default_rng(0)
    np.save(tmp_path / "images.npy", random.integers(0, 256, (12, 4, 5, 3), np.uint8))
    table = write(manifest(IDS, [""] * 12), tmp_path / "manifest.tsv")
    write(folds, tmp_path / "folds.tsv")
    return make_mean_images(tmp_path, table, tmp_path / "folds.tsv")


def make_mean_images(folder, table, folds):
    outputs = (folder / "means.npy", folder / "means.json")
    compute_mean_images(folder / "images.npy", table, folds, *outputs)
    return [outputs[1]]


def tabulate(paths, folder, artefact="mean image"):
    artefacts = [
        {"dataset": "d", "protocol": "k", "artefact": artefact, "path": str(path)} for path in paths
    ]
    outputs = [folder / f"fitted.{ending}" for ending in ENDINGS]
    tabulate_fitted(artefacts, {("d", "k"): folder / "folds.tsv"}, TITLES, outputs)
    return pd.read_csv(outputs[0], sep="\t", dtype={"fitted_on": str}), outputs[2].read_text()


def test_no_mean_image_was_made_from_a_test_image(mean_images, tmp_path):
    table, shown = tabulate(mean_images, tmp_path)
    assert table["verdict"].tolist() == ["no test image"] * 2
    assert table["fitted_part"].tolist() == ["train"] * 2
    assert table["fitted_on"].tolist() == [oracle(IDS[:6]), oracle(IDS[::-1][:6])]
    # The pixels themselves: the mean of the training images of the fold and of no other.
    images = np.load(tmp_path / "images.npy").astype(float)
    np.testing.assert_allclose(np.load(tmp_path / "means.npy")[0], images[:6].mean(0), rtol=1e-6)
    np.testing.assert_allclose(np.load(tmp_path / "means.npy")[1], images[6:].mean(0), rtol=1e-6)
    assert "| Data & more | K folds | mean image | 2 | train | 6 | no test image |" in shown


def test_a_mean_image_of_another_split_stops_the_run(mean_images, folds, tmp_path):
    swapped = folds.replace({"role": {"train": "test", "test": "train"}})
    write(swapped, tmp_path / "other.tsv")
    make_mean_images(tmp_path, tmp_path / "manifest.tsv", tmp_path / "other.tsv")
    with pytest.raises(InputError, match=r"2 of 2 fitted artefacts(?s:.)*test_images"):
        tabulate(mean_images, tmp_path)
    assert not (tmp_path / "fitted.tsv").exists()


def test_temperatures_and_thresholds_are_read_as_the_calibration_writes_them(folds, tmp_path):
    validation = pd.concat(
        pd.DataFrame({"image_id": ids[6:8], "fold": fold, "role": "validation"})
        for fold, ids in ((0, IDS), (1, IDS[::-1]))
    ).assign(label=[0, 1, 0, 1], probability=[0.2, 0.7, 0.6, 0.4], group=IDS[:4])
    (tmp_path / "fitted.json").write_text(json.dumps(records_of(fit_folds(validation, [0, 1]))))
    write(folds, tmp_path / "folds.tsv")
    table, _ = tabulate([tmp_path / "fitted.json"], tmp_path, "temperature")
    assert table["fitted_part"].tolist() == ["validation"] * 2
    assert table["images"].tolist() == [2, 2]


def test_records_are_found_wherever_they_stand(tmp_path):
    folder = tmp_path / "fold-3"
    folder.mkdir()
    cases = [
        ({"trained_on": "x"}, [{"fold": 3, "fitted_on": "x"}]),
        ({"fold": 1, "fitted_on": "x"}, [{"fold": 1, "fitted_on": "x"}]),
        (
            {"fold-0": {"fitted_on": "x", "artefact": "scale"}, "fold-1": [{"fitted_on": "y"}]},
            [{"fold": 0, "fitted_on": "x", "artefact": "scale"}, {"fold": 1, "fitted_on": "y"}],
        ),
    ]
    for content, expected in cases:
        (folder / "r.json").write_text(json.dumps(content))
        assert read_fitted(folder / "r.json") == expected


def test_records_that_prove_nothing_are_refused(tmp_path):
    for content, message in (({"fold": 0}, "no key 'fitted_on'"), ({"fitted_on": "x"}, "'fold'")):
        path = tmp_path / "r.json"
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match=rf"r\.json: .*{message}"):
            read_fitted(path)
