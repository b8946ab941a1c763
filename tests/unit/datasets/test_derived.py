"""Derived data sets: permuted labels, planned copies, and grown images against the augmentation."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, link_or_copy
from blastfold.core.manifest import COLUMNS, class_names, read_manifest
from blastfold.datasets import copies, importing, permuted_labels

SUBJECTS = {"a": 0, "b": 0, "c": 0, "d": 0, "e": 0, "f": 1, "g": 1, "h": 1, "i": 1}
AUGMENTATION = {
    **{"flip_up_down": True, "flip_left_right": True, "transpose": True},
    **{"brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0.02, "crop": 0.1},
    **{"rotation": 0.0, "stain_jitter": 0.0},
}


def manifest_of(subjects, each=3):
    rows = [
        {
            **{"image_id": f"{subject}-{number}", "file": f"{subject}-{number}.png"},
            **{"label": str(label), "class": ["lymphocyte", "L1"][label], "subject": subject},
            **{"picture": "", "parent": "", "part": "fold_0", "sha256": f"{subject}{number}"},
            **{"width": "30", "height": str(24 + number % 2)},
        }
        for subject, label in subjects.items()
        for number in range(each)
    ]
    return pd.DataFrame(rows)[list(COLUMNS)]


def files_in(folder, *names):
    endings = {"images": "images.npy", "summary": "dataset.json"}
    return {name: str(folder / endings.get(name, f"{name}.tsv")) for name in names}


@pytest.fixture
def base(tmp_path):
    """The files of a data set of nine subjects with three images each."""
    folder = tmp_path / "base"
    folder.mkdir()
    manifest = manifest_of(SUBJECTS)
    paths = files_in(folder, "images", "manifest", "summary", "duplicates", "groups")
    for name in ("duplicates", "groups"):
        Path(paths[name]).write_text(f"the {name} of the base\n", "utf-8")
    images = np.random.default_rng(0).integers(0, 256, (len(manifest), 16, 16, 3), dtype=np.uint8)
    np.save(paths["images"], images)
    manifest.to_csv(paths["manifest"], sep="\t", index=False)
    summary = {"name": "base", "format": "folder", "rejected": 2, "asked_parts": ["x"]}
    summary |= {"image_size": [16, 16], "images_sha256": "unchanged", "raw_sha256": "of the base"}
    (folder / "dataset.json").write_text(json.dumps(summary), "utf-8")
    return paths


@pytest.fixture
def outputs(tmp_path):
    names = ("images", "manifest", "rejected", "summary", "duplicates", "groups")
    return files_in(tmp_path / "derived", *names)


def permuted(base, outputs, among, seed=1):
    settings = {"format": "permuted", "of": "base", "permute_among": among}
    permuted_labels.permute_labels(base, outputs, "canary", settings, seed)
    return read_manifest(outputs["manifest"])


def summary_of(manifest, outputs):
    """What the import itself would say about the manifest."""
    numbers = manifest.astype({"label": int, "width": int, "height": int})
    settings = {"format": "x", "image_size": [16, 16]}
    expected = importing.describe_manifest(numbers, settings, rejected=0)
    found = json.loads(Path(outputs["summary"]).read_text("utf-8"))
    return {key: found[key] for key in expected} | {"format": "x"}, expected, found


@pytest.mark.parametrize("number", range(1, 12))
@pytest.mark.parametrize("blasts", [1, 2, 5])
def test_permutation_keeps_the_counts_and_is_never_the_identity(number, blasts):
    labels = np.repeat([0, 1], [number, blasts])
    for seed in range(20):
        result = permuted_labels.permute(labels, np.random.default_rng(seed))
        assert result.sum() == blasts
        assert (result != labels).any()
        # As many keep the label blast as an independent draw gives on average.
        kept = (result * labels).sum()
        assert abs(kept - blasts * blasts / len(labels)) <= 0.5


def test_permutation_chooses_every_unit_equally_often():
    labels = np.repeat([0, 1], [6, 4])
    draws = [permuted_labels.permute(labels, np.random.default_rng(seed)) for seed in range(2000)]
    # round(1.6) = 2 of 4 blasts and 2 of 6 normal images; binomial standard error 0.011.
    assert np.mean(draws, axis=0) == pytest.approx([1 / 3] * 6 + [0.5] * 4, abs=0.05)


def test_a_permutation_of_more_classes_gives_each_new_one_its_share_of_every_old_one():
    for seed in range(200):
        random = np.random.default_rng(seed)
        counts = random.integers(1, 30, random.integers(3, 8))
        labels = random.permutation(np.repeat(np.arange(len(counts)), counts))
        found = permuted_labels.permute(labels, random)
        assert np.bincount(found).tolist() == counts.tolist()
        pairs = np.zeros((len(counts),) * 2)
        np.add.at(pairs, (labels, found), 1)
        assert np.abs(pairs - np.outer(counts, counts) / counts.sum()).max() < 2


def test_equal_labels_stay_as_they_are():
    assert permuted_labels.permute(np.ones(3, int), np.random.default_rng(0)).tolist() == [1, 1, 1]


def test_labels_permuted_among_subjects(base, outputs):
    before = read_manifest(base["manifest"])
    after = permuted(base, outputs, "subject")
    by_subject = after.groupby("subject")["label"].agg(["nunique", "first"])
    assert (by_subject["nunique"] == 1).all()
    assert (by_subject["first"] == "1").sum() == sum(SUBJECTS.values())
    assert (by_subject["first"].astype(int) != pd.Series(SUBJECTS)).any()
    # The name of the class follows the label; nothing else changes.
    assert class_names(after) == class_names(before)
    permuted_columns = ["label", "class"]
    pd.testing.assert_frame_equal(
        after.drop(columns=permuted_columns), before.drop(columns=permuted_columns)
    )


def test_labels_permuted_among_images(base, outputs):
    before = read_manifest(base["manifest"])
    after = permuted(base, outputs, "image")
    assert after["label"].value_counts().to_dict() == before["label"].value_counts().to_dict()
    assert after.groupby("subject")["label"].nunique().max() == 2
    # 12 of 27 are blasts: round(144 / 27) = 5 of them stay blasts.
    assert ((before["label"] == "1") & (after["label"] == "1")).sum() == 5


def test_permutation_is_repeatable_and_depends_on_the_seed(base, outputs):
    first = permuted(base, outputs, "image")["label"].tolist()
    assert permuted(base, outputs, "image")["label"].tolist() == first
    assert permuted(base, outputs, "image", seed=2)["label"].tolist() != first


def test_files_of_a_permuted_data_set(base, outputs, tmp_path):
    after = permuted(base, outputs, "subject")
    found, expected, summary = summary_of(after, outputs)
    assert found == expected
    assert (summary["name"], summary["format"]) == ("canary", "permuted")
    assert (summary["images_sha256"], summary["raw_sha256"]) == ("unchanged", None)
    assert summary["derived"] == "The labels of base are permuted among subjects."
    assert summary["manifest_sha256"] == digest_file(outputs["manifest"])
    assert Path(outputs["rejected"]).read_text("utf-8") == "file\treason\n"
    assert Path(outputs["groups"]).read_text("utf-8") == "the groups of the base\n"
    # The pixels are there once, and the link survives when the whole folder is moved.
    tmp_path.joinpath("base").rename(tmp_path / "moved")
    assert not tmp_path.joinpath("derived", "images.npy").exists()
    tmp_path.joinpath("moved").rename(tmp_path / "base")
    np.testing.assert_array_equal(np.load(outputs["images"]), np.load(base["images"]))
    assert not tmp_path.joinpath("derived", "images.npy").readlink().is_absolute()


def test_images_are_copied_where_no_link_can_be_made(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    (tmp_path / "first").write_bytes(b"pixels")
    link_or_copy(tmp_path / "first", tmp_path / "folder" / "second")
    assert (tmp_path / "folder" / "second").read_bytes() == b"pixels"
    assert not (tmp_path / "folder" / "second").is_symlink()


def mixed_subjects(sizes=(40, 10, 20, 30), classes=3, seed=0):
    """Labels and subjects of images; every subject has its own shares of the classes."""
    random = np.random.default_rng(seed)
    labels, units = [], []
    for subject, size in enumerate(sizes):
        shares = random.dirichlet(np.ones(classes))
        labels += random.choice(classes, size, p=shares).tolist()
        units += [f"s{subject}"] * size
    labels[:classes] = range(classes)
    return pd.Series(labels), pd.Series(units)


def test_subjects_of_several_classes_have_the_shares_of_another_subject():
    labels, units = mixed_subjects()
    shares = pd.crosstab(units, labels, normalize="index").to_numpy()
    agreement = []
    for seed in range(40):
        given = permuted_labels.permute_shares(labels, units, np.random.default_rng(seed))
        counts = pd.crosstab(units, given).reindex(columns=range(3), fill_value=0).to_numpy()
        sizes = counts.sum(axis=1)
        assert sizes.tolist() == [40, 10, 20, 30]
        for subject in range(4):
            others = np.delete(shares, subject, axis=0) * sizes[subject]
            # Systematic sampling is less than one image away from a class's share.
            assert (np.abs(counts[subject] - others).max(axis=1) < 1).any()
        agreement.append((given == labels)[units == "s0"].mean())
    # In a subject the new label of an image does not depend on its own.
    expected = np.mean([shares[0] @ other for other in shares[1:]])
    assert np.mean(agreement) == pytest.approx(expected, abs=0.08)


def test_a_data_set_of_subjects_with_several_classes_becomes_a_canary(base, outputs):
    manifest = read_manifest(base["manifest"])
    manifest.loc[0, ["label", "class"]] = ["1", "L1"]
    manifest.to_csv(base["manifest"], sep="\t", index=False)
    after = permuted(base, outputs, "subject")
    assert class_names(after) == class_names(manifest)
    assert (after["label"] != manifest["label"]).any()
    derived = json.loads(Path(outputs["summary"]).read_text("utf-8"))["derived"]
    assert derived == "The shares of the classes of base are permuted among subjects."


def test_a_class_that_no_draw_keeps_is_an_error_with_its_remedy():
    # The only image of the last class is among 1,000 of a subject; the other one has one image.
    labels = pd.Series([0, 1] * 500 + [2, 0])
    units = pd.Series(["many"] * 1001 + ["few"])
    with pytest.raises(InputError, match=r"1 images of the rarest one.* join rare classes"):
        permuted_labels.permute_shares(labels, units, np.random.default_rng(0))


def test_images_without_subject_are_an_error():
    manifest = manifest_of(SUBJECTS)
    manifest.loc[[4, 5], "subject"] = ""
    with pytest.raises(InputError, match=r"canaries: true .* 2 of the 27 images .* 'b-1'"):
        permuted_labels.require_subjects(manifest, "base")


def test_thesis_numbers_of_all_idb():
    manifest = manifest_of({"normal": 0, "blast": 1}, each=130)
    plan = copies.plan_copies(manifest, {"normal": 1034, "blast": 1049}, "grow", seed=3)
    grown = copies.grow_manifest(manifest, plan)
    assert len(grown) == 2083
    assert grown["label"].value_counts().to_dict() == {"0": 1034, "1": 1049}
    # 904 = 6 * 130 + 124 and 919 = 7 * 130 + 9 copies.
    each = plan.groupby("row").size()
    assert each[:130].value_counts().to_dict() == {7: 124, 6: 6}
    assert each[130:].value_counts().to_dict() == {7: 121, 8: 9}
    assert grown["image_id"].is_unique


def test_a_larger_number_only_adds_copies():
    manifest = manifest_of(SUBJECTS)
    small = copies.plan_copies(manifest, {"normal": 20, "blast": 15}, "grow", seed=3)
    large = copies.plan_copies(manifest, {"normal": 50, "blast": 40}, "grow", seed=3)
    assert set(small.itertuples(index=False)) < set(large.itertuples(index=False))


def test_copies_name_their_original():
    manifest = manifest_of(SUBJECTS)
    plan = copies.plan_copies(manifest, {"normal": 32, "blast": 12}, "grow", seed=0)
    grown = copies.grow_manifest(manifest, plan)
    pd.testing.assert_frame_equal(grown[: len(manifest)], manifest)
    added = grown[len(manifest) :]
    assert len(added) == 17
    assert (added["image_id"].str.rsplit("-copy-", n=1).str[0] == added["parent"]).all()
    assert set(added["image_id"].str[-2:]) == {"01", "02"}
    originals = manifest.set_index("image_id").loc[added["parent"]]
    for column in ("label", "class", "subject", "picture", "part", "file"):
        assert added[column].tolist() == originals[column].tolist()


def test_fewer_images_than_there_are_is_an_error():
    with pytest.raises(InputError, match=r"datasets.x.grow.blast: received 11, .* has 12 blast"):
        copies.plan_copies(
            manifest_of(SUBJECTS), {"normal": 15, "blast": 11}, "datasets.x.grow", seed=0
        )


def test_no_copies_when_the_wanted_numbers_are_there():
    manifest = manifest_of(SUBJECTS)
    plan = copies.plan_copies(manifest, {"normal": 15, "blast": 12}, "grow", seed=0)
    assert len(plan) == 0
    pd.testing.assert_frame_equal(copies.grow_manifest(manifest, plan), manifest)


def test_a_taken_name_is_an_error():
    manifest = manifest_of(SUBJECTS)
    manifest.loc[1, "image_id"] = "a-0-copy-01"
    plan = pd.DataFrame({"row": [0], "copy": [1]})
    with pytest.raises(InputError, match="'a-0-copy-01'"):
        copies.grow_manifest(manifest, plan)


def test_grown_images_are_augmented_originals(base, outputs):
    from keras import ops

    from blastfold.core.seeds import derive_seed
    from blastfold.core.settings import AugmentationSettings
    from blastfold.networks.augmentation import augment, draw_augmentations
    from blastfold.networks.grown_datasets import BLOCK, grow_dataset

    grow = {"normal": 60, "blast": 50, "augmentation": AUGMENTATION}
    settings = {"format": "grown", "of": "base", "grow": grow}
    grow_dataset(base, outputs, "grown", settings, seed=7)
    images, originals = np.load(outputs["images"]), np.load(base["images"])
    manifest = read_manifest(outputs["manifest"])
    assert images.dtype == np.uint8
    assert len(images) == len(manifest) == 110 > BLOCK
    np.testing.assert_array_equal(images[:27], originals)
    rows = {name: row for row, name in enumerate(manifest["image_id"][:27])}
    stream = derive_seed(7, "grow_dataset")
    # One by one, where the code works in blocks.
    for place in range(27, 110):
        parent, number = manifest["image_id"][place].rsplit("-copy-", 1)
        row = rows[parent]
        draws = draw_augmentations(
            27, AugmentationSettings(**AUGMENTATION), stream, epoch=int(number)
        )
        alone = ops.convert_to_numpy(augment(originals[row : row + 1], draws[row : row + 1]))[0]
        difference = images[place].astype(int) - np.rint(alone)
        assert np.abs(difference).max() <= 1
        assert (difference != 0).mean() < 0.01
        assert (images[place] != originals[row]).any()
    found, expected, summary = summary_of(manifest, outputs)
    assert found == expected
    assert summary["images_sha256"] == digest_file(outputs["images"])
    assert summary["derived"] == (
        "83 of the 110 images are augmented copies of the 27 images of base."
    )


def test_duplicates_are_removed_before_a_data_set_grows(base, outputs, tmp_path):
    from blastfold.networks.grown_datasets import grow_dataset

    originals = read_manifest(base["manifest"])
    alike = originals.groupby("class")["image_id"].apply(lambda names: list(names)[:2])
    pairs = pd.DataFrame(list(alike), columns=["first", "second"])
    pairs.to_csv(tmp_path / "pairs.tsv", sep="\t", index=False)
    settings = {"format": "grown", "of": "base", "grow": {"times": 2, "augmentation": AUGMENTATION}}
    removed = base | {"removed": tmp_path / "pairs.tsv"}
    grow_dataset(removed, outputs, "grown", settings, seed=7)
    images, manifest = np.load(outputs["images"]), read_manifest(outputs["manifest"])
    assert len(images) == len(manifest) == 2 * (27 - len(pairs))
    used = {*manifest["image_id"], *manifest["parent"]} - {""}
    assert not set(pairs["second"]) & used
    kept = ~originals["image_id"].isin(pairs["second"]).to_numpy()
    np.testing.assert_array_equal(images[: kept.sum()], np.load(base["images"])[kept])
    *_, summary = summary_of(manifest, outputs)
    assert summary["derived"].endswith("images of base that are no duplicates.")


def test_a_data_set_grows_by_a_factor_with_any_classes():
    manifest = pd.DataFrame({"class": ["a", "b", "b", "c"], "label": ["0", "1", "1", "2"]})
    assert copies.wanted_numbers({"times": 8}, manifest) == {"a": 8, "b": 16, "c": 8}
    plan = copies.plan_copies(manifest, copies.wanted_numbers({"times": 3}, manifest), "grow", 0)
    assert plan["row"].value_counts().to_dict() == {0: 2, 1: 2, 2: 2, 3: 2}
    with pytest.raises(InputError, match="times: 8"):
        copies.wanted_numbers({"normal": 5, "blast": 5}, manifest)


def test_a_data_set_grows_to_a_number_for_each_class():
    manifest = pd.DataFrame({"class": ["b", "a", "a", "c"], "label": ["1", "0", "0", "2"]})
    wanted = copies.wanted_numbers({"c": 2, "a": 5, "b": 1, "augmentation": {}}, manifest)
    assert list(wanted.items()) == [("a", 5), ("b", 1), ("c", 2)]
    plan = copies.plan_copies(manifest, wanted, "grow", 0)
    assert plan["row"].value_counts().sort_index().tolist() in ([2, 1, 1], [1, 2, 1])
    assert copies.wanted_numbers({"normal": 5, "blast": 4}, manifest[:3]) == {
        "normal": 5,
        "blast": 4,
    }
    with pytest.raises(InputError, match="numbers for a and b, but the data set has the classes"):
        copies.wanted_numbers({"a": 5, "b": 5}, manifest)
