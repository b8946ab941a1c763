"""Identity across data sets is content: four cases that names do not show, and their opposite."""

import hashlib
from types import SimpleNamespace

import cv2
import h5py
import numpy as np
import pandas as pd
import pytest
from support.schema_defaults import defaults_of

from blastfold.core.errors import InputError
from blastfold.core.tables import read_table
from blastfold.datasets.importing import import_dataset
from blastfold.leakage.identity import audit_identity
from blastfold.leakage.learnt_images import RECORD, read_learnt, record_learnt
from blastfold.leakage.shared_images import compare_datasets

SETTINGS = defaults_of("duplicates")


def photograph(seed, size=400):
    """Draw a textured field, as large as several crops."""
    noise = np.random.default_rng(seed).normal(size=(size, size, 3)).astype(np.float32)
    coarse, fine = cv2.GaussianBlur(noise, (0, 0), 5), cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(150 + 250 * coarse + 60 * fine, 0, 255).astype(np.uint8)


def cells(seeds, size=64):
    return [photograph(seed, 96)[:size, :size] for seed in seeds]


class DataSet:
    """The files of an imported data set with these images."""

    def __init__(self, folder, name, images, subjects=None, photographs=None):
        self.name = name
        self.images, self.manifest = folder / f"{name}.npy", folder / f"{name}.tsv"
        np.save(self.images, np.stack(images))
        self.ids = [f"{name}-{row}" for row in range(len(images))]
        self.digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
        table = {"image_id": self.ids, "file": self.ids, "label": 0, "sha256": self.digests}
        table["subject"] = subjects or [""] * len(images)
        if photographs:
            digests = [name and hashlib.sha256(name.encode()).hexdigest() for name in photographs]
            table["source_sha256"] = digests
        pd.DataFrame(table).to_csv(self.manifest, sep="\t", index=False)

    @property
    def paths(self):
        return {"images": self.images, "manifest": self.manifest}


def split_of(folder, tested, trained=()):
    roles = [*((name, 0, "test") for name in tested), *((name, 0, "train") for name in trained)]
    path = folder / "folds.tsv"
    pd.DataFrame(roles, columns=["image_id", "fold", "role"]).assign(repeat=0).to_csv(
        path, sep="\t", index=False
    )
    return path


def audit(folder, learnt, tested, folds, part="test", leakage="report", formats="folder,folder"):
    """Compare two data sets as the rules do, and return the only row of the audit."""
    pairs = folder / "pairs.tsv"
    compare_datasets(learnt.paths, tested.paths, pairs, SETTINGS)
    entry = {"learnt_from": learnt.name, "tested_on": tested.name, "kind": "dataset"}
    files = {"tested": [tested.manifest], "learnt": [learnt.manifest], "pairs": [pairs]}
    return judged(folder, entry | {"part": part, "formats": formats}, files, folds, leakage)


def judged(folder, entry, files, folds, leakage="report"):
    output = folder / "identity.tsv"
    audit_identity([entry], files, folds, output, name="folds", leakage=leakage)
    (row,) = read_table(output, text=("verdict",)).to_dict("records")
    return row


def test_locked_images_that_another_data_set_learns_from(tmp_path):
    whole = DataSet(tmp_path, "whole", cells(range(6)))
    more = DataSet(tmp_path, "more", cells([4, 5, 20, 21]))
    locked = tmp_path / "locked.tsv"
    pd.DataFrame({"image_id": ["whole-1", "whole-4", "whole-5"]}).to_csv(
        locked, sep="\t", index=False
    )
    pairs = tmp_path / "pairs.tsv"
    compare_datasets(more.paths, whole.paths, pairs, SETTINGS)
    entry = {"learnt_from": "more", "tested_on": "whole_locked_test", "kind": "dataset"}
    entry |= {"part": "locked", "formats": "folder,folder"}
    files = {"tested": [whole.manifest], "learnt": [more.manifest], "pairs": [pairs]}
    row = judged(tmp_path, entry, files | {"locked": [locked]}, split_of(tmp_path, more.ids))
    assert (row["tested_images"], row["same_files"], row["verdict"]) == (3, 2, "shared")


def test_pretraining_on_the_folder_that_is_tested(tmp_path):
    source = DataSet(tmp_path, "source", cells(range(6)))
    target = DataSet(tmp_path, "target", cells(range(6)))
    folds = split_of(tmp_path, target.ids[:2], target.ids[2:])
    row = audit(tmp_path, source, target, folds)
    assert (row["tested_images"], row["same_files"], row["affected"]) == (2, 2, 2)
    assert row["verdict"] == "shared"
    with pytest.raises(InputError, match=r"protocols\.folds: leakage is forbid"):
        audit(tmp_path, source, target, folds, leakage="forbid")


def test_external_test_on_the_same_images_under_another_name(tmp_path):
    own = DataSet(tmp_path, "own", cells(range(5)))
    # Four others, and one own image that was brightened and stored again.
    changed = np.clip(cells([3])[0].astype(int) + 20, 0, 255).astype(np.uint8)
    external = DataSet(tmp_path, "external", [*cells(range(10, 14)), changed])
    row = audit(tmp_path, own, external, split_of(tmp_path, own.ids), part="all")
    assert (row["tested_images"], row["same_files"], row["duplicates"]) == (5, 0, 1)
    assert (row["affected"], row["verdict"]) == (1, "shared")


def test_crops_of_the_same_photographs_in_another_size(tmp_path):
    """As ALL-IDB1's crops and ALL-IDB2: other positions, another size, stored as JPEG."""
    fields = [photograph(seed) for seed in range(4)]
    first = DataSet(tmp_path, "crops1", [field[100:228, 80:208] for field in fields])
    second = []
    for field in fields[:2]:
        crop = np.ascontiguousarray(field[112:240, 90:218])
        stored = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        stored = cv2.imdecode(stored, cv2.IMREAD_COLOR)
        second.append(cv2.resize(stored, (96, 96), interpolation=cv2.INTER_AREA))
    second += cells([20, 21], 96)
    tested = DataSet(tmp_path, "crops2", second, ["a", "b", "b", "c"])
    row = audit(tmp_path, first, tested, split_of(tmp_path, tested.ids))
    assert (row["same_files"], row["duplicates"]) == (0, 2)
    # Subject b has one shared image, so that its other one is not new either.
    assert (row["shared_subjects"], row["images_of_shared_subjects"], row["affected"]) == (2, 3, 3)


def test_weights_that_were_learnt_on_the_test_data(tmp_path):
    target = DataSet(tmp_path, "target", cells(range(4)))
    folds = split_of(tmp_path, target.ids[:3], target.ids[3:])
    weights = tmp_path / "copied and renamed.weights.h5"
    with h5py.File(weights, "w") as file:
        file["layers"] = np.zeros(3)
    entry = {"learnt_from": weights.name, "tested_on": "target", "kind": "weights", "part": "test"}
    files = {"tested": [target.manifest], "learnt": [weights], "pairs": []}
    row = judged(tmp_path, entry | {"formats": ",folder"}, files, folds, "forbid")
    assert row["verdict"] == "unknown"
    assert pd.isna(row["affected"])
    record_learnt(weights, [*target.digests[2:], hashlib.sha256(b"other").hexdigest()])
    row = judged(tmp_path, entry | {"formats": ",folder"}, files, folds)
    assert (row["same_files"], row["affected"], row["verdict"]) == (1, 1, "shared")
    # Digests of files show neither other files of a cell nor other images of a subject.
    assert pd.isna([row["duplicates"], row["shared_subjects"]]).all()
    with pytest.raises(InputError, match="leakage is forbid"):
        judged(tmp_path, entry | {"formats": ",folder"}, files, folds, "forbid")


def test_weights_that_record_other_files_are_not_said_to_share_nothing(tmp_path):
    target = DataSet(tmp_path, "target", cells(range(4)))
    weights = tmp_path / "w.weights.h5"
    record_learnt(weights, [hashlib.sha256(b"other").hexdigest()])
    entry = {"learnt_from": weights.name, "tested_on": "target", "kind": "weights", "part": "all"}
    files = {"tested": [target.manifest], "learnt": [weights], "pairs": []}
    folds = split_of(tmp_path, target.ids)
    row = judged(tmp_path, entry | {"formats": ",folder"}, files, folds, "forbid")
    assert (row["same_files"], row["affected"], row["verdict"]) == (0, 0, "no_equal_file")
    assert pd.isna([row["duplicates"], row["shared_subjects"]]).all()


def test_images_without_a_digest_are_not_said_to_be_compared(tmp_path):
    target = DataSet(tmp_path, "target", cells(range(4)))
    table = pd.read_csv(target.manifest, sep="\t", dtype=str, keep_default_na=False)
    table.assign(sha256="").to_csv(target.manifest, sep="\t", index=False)
    weights = tmp_path / "w.weights.h5"
    record_learnt(weights, [hashlib.sha256(b"other").hexdigest()])
    entry = {"learnt_from": weights.name, "tested_on": "target", "kind": "weights", "part": "all"}
    files = {"tested": [target.manifest], "learnt": [weights], "pairs": []}
    folds = split_of(tmp_path, target.ids)
    row = judged(tmp_path, entry | {"formats": ",folder"}, files, folds)
    assert row["verdict"] == "unknown"


def test_other_images_share_nothing(tmp_path):
    source = DataSet(tmp_path, "source", cells(range(6)), ["01"] * 6)
    target = DataSet(tmp_path, "target", cells(range(10, 16)), ["01"] * 6)
    folds = split_of(tmp_path, target.ids)
    row = audit(tmp_path, source, target, folds, leakage="forbid")
    assert (row["affected"], row["shared_subjects"], row["verdict"]) == (0, 0, "nothing_shared")
    # C-NMC names its subjects wherever it is read; a folder's "01" may be anybody.
    row = audit(tmp_path, source, target, folds, formats="c-nmc-2019,c-nmc-2019")
    assert (row["affected"], row["shared_subjects"], row["verdict"]) == (6, 1, "shared")


def test_several_images_of_one_file_are_paired_by_name(tmp_path):
    images = cells(range(4))
    data = [DataSet(tmp_path, name, images) for name in ("one", "two")]
    for dataset, ids in zip(data, (["a", "b", "c", "d"], ["a", "x", "c", "d"]), strict=True):
        table = pd.read_csv(dataset.manifest, sep="\t").assign(image_id=ids)
        for column in ("sha256", "file"):
            table[column] = ["photograph", "photograph", *table[column][2:]]
        table.to_csv(dataset.manifest, sep="\t", index=False)
    compare_datasets(data[0].paths, data[1].paths, tmp_path / "pairs.tsv", SETTINGS)
    pairs = pd.read_csv(tmp_path / "pairs.tsv", sep="\t").set_index(["learnt", "tested"])["kind"]
    assert pairs.to_dict() == {
        **{("a", "a"): "same_file", ("c", "c"): "same_file", ("d", "d"): "same_file"},
        ("b", "x"): "identical",
    }


def test_every_copy_of_a_file_is_the_same_file(tmp_path):
    learnt = DataSet(tmp_path, "learnt", cells([1, 1, 2]))
    tested = DataSet(tmp_path, "tested", cells([1, 3, 1]))
    row = audit(tmp_path, learnt, tested, split_of(tmp_path, tested.ids))
    assert (row["same_files"], row["duplicates"], row["affected"]) == (2, 0, 2)


def test_a_record_grows_and_stays_with_the_weights(tmp_path):
    weights = tmp_path / "w.h5"
    with h5py.File(weights, "w") as file:
        file["layers/a"] = np.arange(3)
    assert read_learnt(weights) is None
    digests = [hashlib.sha256(bytes([number])).hexdigest() for number in range(3)]
    record_learnt(weights, [digests[0], ""])
    record_learnt(weights, digests[1:])
    assert read_learnt(weights) == ({digest[:16] for digest in digests}, True)
    with h5py.File(weights) as file:
        np.testing.assert_array_equal(file["layers/a"][()], np.arange(3))
        assert set(file) == {"layers", RECORD}
    (tmp_path / "no.h5").write_bytes(b"no such file")
    assert read_learnt(tmp_path / "no.h5") is None


def test_other_cells_of_a_photograph_that_was_learnt_from(tmp_path):
    """Crops that have no pixel in common, and the photograph itself as an image."""
    learnt = DataSet(tmp_path, "learnt", cells(range(3)), photographs=["im1", "im1", "im2"])
    subjects = ["a", "b", "b", "c", ""]
    tested = DataSet(
        tmp_path, "tested", cells(range(10, 15)), subjects, ["im1", "im2", "", "im3", ""]
    )
    table = pd.read_csv(tested.manifest, sep="\t", dtype=str, keep_default_na=False)
    table.loc[4, "sha256"] = hashlib.sha256(b"im2").hexdigest()
    table.to_csv(tested.manifest, sep="\t", index=False)
    row = audit(tmp_path, learnt, tested, split_of(tmp_path, tested.ids))
    assert (row["same_files"], row["duplicates"], row["same_photographs"]) == (0, 0, 3)
    # Subject b has another image, of no photograph.
    assert (row["shared_subjects"], row["affected"], row["verdict"]) == (2, 4, "shared")
    with pytest.raises(InputError, match="leakage is forbid"):
        audit(tmp_path, learnt, tested, split_of(tmp_path, tested.ids), leakage="forbid")


def test_an_image_that_is_not_tested_shows_that_its_subject_is_shared(tmp_path):
    learnt = DataSet(tmp_path, "learnt", cells(range(4)), ["x", "x", "y", "z"])
    tested = DataSet(tmp_path, "tested", cells([0, 10, 11, 12]), ["one", "one", "two", "z"])
    folds = split_of(tmp_path, tested.ids[1:], tested.ids[:1])
    row = audit(tmp_path, learnt, tested, folds)
    # The shared image has two names of its subject, so that the name z says nothing.
    assert (row["same_files"], row["shared_subjects"], row["affected"]) == (0, 1, 1)


def test_shared_images_show_that_names_of_subjects_are_the_same(tmp_path):
    learnt = DataSet(tmp_path, "learnt", cells(range(4)), ["01", "01", "02", "03"])
    tested = DataSet(tmp_path, "tested", cells([0, 10, 11, 12]), ["01", "02", "02", "04"])
    row = audit(tmp_path, learnt, tested, split_of(tmp_path, tested.ids))
    assert (row["same_files"], row["shared_subjects"], row["affected"]) == (1, 2, 3)
    # One shared image whose names differ, and "02" may be somebody else.
    learnt = DataSet(tmp_path, "learnt", cells([0, 1, 2, 12]), ["01", "01", "02", "09"])
    row = audit(tmp_path, learnt, tested, split_of(tmp_path, tested.ids))
    assert (row["same_files"], row["shared_subjects"], row["affected"]) == (2, 2, 2)


def test_weights_that_started_from_others_without_a_record(tmp_path):
    target = DataSet(tmp_path, "target", cells(range(4)), photographs=["im1", "im2", "", ""])
    other = hashlib.sha256(b"other").hexdigest()
    start, weights = tmp_path / "start.h5", tmp_path / "w.h5"
    with h5py.File(start, "w") as file:
        file["layers"] = np.zeros(3)
    record_learnt(weights, [other], start)
    assert read_learnt(weights) == ({other[:16]}, False)
    entry = {"learnt_from": "w.h5", "tested_on": "target", "kind": "weights", "part": "all"}
    entry["formats"] = ",folder"
    files = {"tested": [target.manifest], "learnt": [weights], "pairs": []}
    folds = split_of(tmp_path, target.ids)
    row = judged(tmp_path, entry, files, folds, "forbid")
    assert (row["verdict"], pd.isna(row["affected"])) == ("unknown", True)
    # The record of weights that start from these is not complete either.
    later = tmp_path / "later.h5"
    record_learnt(later, [hashlib.sha256(b"im2").hexdigest()], weights)
    assert len(read_learnt(later).keys) == 2
    assert not read_learnt(later).complete
    row = judged(tmp_path, entry, files | {"learnt": [later]}, folds)
    # A photograph that was learnt from is certain nevertheless.
    assert (row["same_photographs"], row["affected"], row["verdict"]) == (1, 1, "shared")


def folder_of(place, images, write):
    place.mkdir()
    for number, image in enumerate(images):
        write(place / f"{'blast' if number % 2 else 'normal'}-{number}", image)
    return place


def imported(target, root):
    """Import a folder whose names say the class, as the rules do."""
    target.mkdir()
    files = {name: target / name for name in ("images", "manifest", "rejected", "summary")}
    files["images"] = target / "images.npy"
    settings = {"format": "folder", "image_size": [64, 64], "pattern": "{class}-*"}
    import_dataset(target.name, root, settings, None, None, **files)
    data = SimpleNamespace(name=target.name, **files)
    data.ids = pd.read_csv(data.manifest, sep="\t")["image_id"].tolist()
    data.paths = {"images": data.images, "manifest": data.manifest}
    return data


def test_folders_that_are_the_same_by_a_link_by_other_names_or_stored_again(tmp_path):
    images = cells(range(6))
    png = folder_of(tmp_path / "png", images, lambda path, image: cv2.imwrite(f"{path}.png", image))
    link = tmp_path / "link"
    link.symlink_to(png, target_is_directory=True)
    names = tmp_path / "names"
    names.mkdir()
    for number, file in enumerate(sorted(png.iterdir())):
        (names / f"{file.stem.split('-')[0]}-scan{9 - number}.png").write_bytes(file.read_bytes())
    quality = [cv2.IMWRITE_JPEG_QUALITY, 85]
    stored = folder_of(
        tmp_path / "jpeg", images, lambda path, image: cv2.imwrite(f"{path}.jpg", image, quality)
    )
    learnt = imported(tmp_path / "learnt", png)
    for root, same, near in ((link, 6, 0), (names, 6, 0), (stored, 0, 6)):
        tested = imported(tmp_path / f"tested {root.name}", root)
        row = audit(tmp_path, learnt, tested, split_of(tmp_path, tested.ids))
        assert (row["same_files"], row["duplicates"], row["affected"]) == (same, near, 6), root
