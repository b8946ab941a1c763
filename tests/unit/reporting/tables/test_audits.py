"""Tables of the leakage audit: counts by hand and by NumPy, and proofs of what was fitted."""

import hashlib
import itertools
import json

import numpy as np
import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.evaluation.validation_fits import fit_folds, records_of
from blastfold.folds.mean_image import compute_mean_images
from blastfold.leakage import duplicates, groups
from blastfold.reporting.tables import audits

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


def pairs(*rows):
    return pd.DataFrame(rows, columns=["first", "second", "kind", "transform", "similarity"])


# --- Leakage


@pytest.fixture
def audited():
    """A random data set of two folds, audited, with all that the audit was made from."""
    random = np.random.default_rng(3)
    ids = [f"i{number}" for number in range(60)]
    subjects = [f"s{number}" for number in random.integers(0, 25, 60)]
    table = manifest(ids, subjects, [f"p{number}" for number in random.integers(0, 3, 60)])
    found = pairs(("i0", "i1", "identical", "identity", 1.0), ("i7", "i9", "shifted", "x", 0.9))
    grouped = groups.leakage_groups(table, found)
    folds = pd.concat(
        pd.DataFrame({"image_id": ids, "fold": fold, "role": roles})
        for fold, roles in enumerate(random.choice(["train", "validation", "test"], (2, 60)))
    )
    return groups.audit_folds(folds, table, grouped, found)[0], table, folds


def test_leakage_of_all_folds_is_counted_as_by_brute_force(audited):
    leakage, table, folds = audited
    rows = audits.leakage_rows(leakage, table).set_index("against")
    subject = dict(zip(table["image_id"], table["subject"], strict=True))
    for against in ("train", "validation"):
        crossing = tested = 0
        for _, part in folds.groupby("fold"):
            known = {subject[name] for name in part.loc[part["role"] == against, "image_id"]}
            test = part.loc[part["role"] == "test", "image_id"]
            crossing += sum(subject[name] in known for name in test)
            tested += len(test)
        row = rows.loc[against]
        assert (row["folds"], row["test_images"], row["subject"]) == (2, tested, crossing)
        assert 0 < crossing < tested
        assert row["subject_share"] == pytest.approx(crossing / tested)
        assert row["leakage_group"] >= row["subject"] >= row["picture"]


def test_what_the_source_does_not_name_is_unknown_and_not_zero(audited, tmp_path):
    leakage, table, _ = audited
    rows = audits.leakage_rows(leakage, table.assign(subject=""))
    assert rows["subject"].isna().all()
    assert rows["subject_share"].isna().all()
    assert (rows["note"] == "The source does not name its subjects.").all()
    assert rows["picture"].notna().all()
    partly = table.assign(picture=["", *table["picture"][1:]])
    rows = audits.leakage_rows(leakage, partly)
    assert rows["picture"].notna().all()
    assert (rows["note"] == "1 of 60 images have no picture; these count as new.").all()


def test_leakage_table_shows_counts_with_shares_and_keeps_both_apart_in_tsv(audited, tmp_path):
    leakage, table, _ = audited
    paths = [tmp_path / f"t.{ending}" for ending in ENDINGS]
    audits.tabulate_leakage(
        [write(leakage, tmp_path / "l.tsv")],
        {"d": write(table.assign(subject=""), tmp_path / "m.tsv")},
        [("d", "k")],
        TITLES,
        paths,
    )
    exact = pd.read_csv(paths[0], sep="\t")
    assert exact["against"].tolist() == ["train", "validation"]
    assert exact["subject"].isna().all()
    first = exact.iloc[0]
    lines = paths[2].read_text().splitlines()
    assert lines[2].startswith("| Data set | Protocol | Known to | Folds | Test images | Copy |")
    cells = [cell.strip() for cell in lines[4].split("|")[1:-1]]
    assert cells[:3] == ["Data & more", "K folds", "training"]
    assert cells[5] == f"{first['copy']} ({100 * first['copy'] / first['test_images']:.1f} %)"
    assert cells[6] == "n/a<sup>a</sup>"
    assert "<sup>a</sup> The source does not name its subjects." in lines
    assert "nan" not in paths[2].read_text().lower()
    assert "Data \\& more" in paths[1].read_text()


def test_a_split_without_test_images_has_no_share_but_a_note():
    leakage = pd.DataFrame(
        [(0, against, reason, 0, 0, 0.0) for against in ("train",) for reason in groups.REASONS],
        columns=groups.SUMMARY,
    )
    row = audits.leakage_rows(leakage, manifest(["a"], ["s"], ["p"])).iloc[0]
    assert row["note"] == "no test image"
    assert pd.isna(row["copy_share"])


# --- Duplicates


def test_kinds_are_those_of_the_audit():
    assert tuple(audits.KIND_TITLES) == duplicates.KINDS


def test_duplicates_are_counted_by_kind_subject_and_class():
    table = manifest(
        ["NA", "b", "c", "d", "e", "f"],
        ["s1", "s1", "s2", "", "s3", "s4"],
        labels=["0", "0", "1", "1", "0", "0"],
    )
    found = pairs(
        ("NA", "b", "identical", "identity", 1.0),
        ("NA", "c", "shifted", "identity shift (1, 2)", 0.9),
        ("c", "d", "shifted", "identity shift (1, 2)", 0.9),
        ("NA", "d", "mirrored_twice", "identity", 0.9),
    )
    grouped = groups.leakage_groups(table, found)
    counts = audits.duplicate_counts(found, table, grouped).set_index("kind")
    columns = ["pairs", "images", "same_subject", "different_subjects", "unknown_subject"]
    columns += ["different_classes", "groups", "largest_group"]
    shown = counts[columns].T.to_dict("list")
    assert shown["identical"] == [1, 2, 1, 0, 0, 0, 1, 4]
    assert shown["shifted"] == [2, 3, 0, 1, 1, 1, 1, 4]
    assert shown["mirrored_twice"] == [1, 2, 0, 0, 1, 1, 1, 4]
    assert shown["recompressed"] == [0] * 8
    assert shown["any_kind"] == [4, 4, 1, 1, 2, 2, 1, 4]
    assert shown["all_images"] == [4, 6, 1, 1, 2, 2, 3, 4]
    assert counts.at["mirrored_twice", "kind_title"] == "Mirrored twice"


def test_duplicates_table_reads_names_that_look_like_missing_values(tmp_path):
    table = manifest(["NA", "null", "007"], ["", "", ""])
    found = pairs(("NA", "007", "identical", "identity", 1.0))
    paths = [tmp_path / f"t.{ending}" for ending in ENDINGS]
    audits.tabulate_duplicates(
        write(found, tmp_path / "d.tsv"),
        write(table, tmp_path / "m.tsv"),
        write(groups.leakage_groups(table, found), tmp_path / "g.tsv"),
        "A_B",
        "tab:d",
        paths,
    )
    counts = pd.read_csv(paths[0], sep="\t").set_index("kind")
    assert counts.at["all_images", "groups"] == 2
    assert counts.at["identical", "unknown_subject"] == 1
    assert "A\\_B" in paths[1].read_text()


def test_data_set_without_duplicates_has_a_table_of_zeros():
    table = manifest(["a", "b"], ["s", "s"])
    counts = audits.duplicate_counts(pairs(), table, groups.leakage_groups(table, pairs()))
    counts = counts.set_index("kind")
    assert counts.loc["any_kind"].drop("kind_title").eq(0).all()
    assert counts.loc["all_images", ["images", "groups", "largest_group"]].tolist() == [2, 1, 2]


def test_a_duplicate_of_an_unknown_image_is_named():
    table = manifest(["a"], ["s"])
    found = pairs(("a", "lost", "identical", "identity", 1.0))
    with pytest.raises(InputError, match="'lost' is not in the manifest"):
        audits.duplicate_counts(found, table, table)


# --- Fitted artefacts

IDS = [f"image {number}" for number in range(12)]
ROLES = ["train"] * 6 + ["validation"] * 2 + ["test"] * 4


def oracle(ids):
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


@pytest.fixture
def folds():
    """Two folds; the second one is the first one backwards."""
    return pd.concat(
        pd.DataFrame({"image_id": ids, "fold": fold, "role": ROLES})
        for fold, ids in enumerate((IDS, IDS[::-1]))
    )


def record(digest, fold=0):
    return {"dataset": "d", "protocol": "k", "artefact": "a", "fold": fold, "fitted_on": digest}


def judge(folds, digest, fold=0):
    (row,) = audits.check_fitted({("d", "k"): folds}, [record(digest, fold)]).to_dict("records")
    return row["fitted_part"], row["images"], row["verdict"]


def test_the_part_that_something_was_fitted_on_is_found_by_its_digest(folds):
    for fold, ids in enumerate((IDS, IDS[::-1])):
        assert judge(folds, oracle(ids[:6]), fold) == ("train", 6, "no test image")
        assert judge(folds, oracle(ids[6:8]), fold) == ("validation", 2, "no test image")
        assert judge(folds, oracle(ids[:8]), fold)[::2] == ("train + validation", "no test image")
    assert judge(folds, oracle([])) == ("none", 0, "no test image")


def test_any_other_set_of_images_is_not_accepted(folds):
    accepted = {oracle(ids) for ids in (IDS[:6], IDS[6:8], IDS[:8])}
    for size in (1, 5, 7, 11, 12):
        for ids in itertools.islice(itertools.combinations(IDS, size), 50):
            if oracle(ids) not in accepted:
                assert judge(folds, oracle(ids))[2] != "no test image"
    assert judge(folds, oracle(IDS[8:])) == ("test", 4, "fitted on the test images")
    assert judge(folds, oracle(IDS[:6]), fold=1)[2] == "fitted on other images than any part's"


def test_an_image_in_two_parts_of_a_fold_is_seen(folds):
    twice = pd.DataFrame({"image_id": [IDS[0]], "fold": 0, "role": "test"})
    assert judge(pd.concat([folds, twice]), oracle(IDS[:6]))[2] == "1 test images"


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
    return make_mean_images(tmp_path, table, tmp_path / "folds.tsv", 2)


def make_mean_images(folder, table, folds, count):
    records = [folder / f"fold-{fold}.json" for fold in range(count)]
    means = [folder / f"fold-{fold}.npy" for fold in range(count)]
    compute_mean_images(folder / "images.npy", table, folds, means, records)
    return records


def tabulate(paths, folder, artefact="mean image"):
    artefacts = [
        {"dataset": "d", "protocol": "k", "artefact": artefact, "path": str(path)} for path in paths
    ]
    outputs = [folder / f"fitted.{ending}" for ending in ENDINGS]
    audits.tabulate_fitted(artefacts, {("d", "k"): folder / "folds.tsv"}, TITLES, outputs)
    return pd.read_csv(outputs[0], sep="\t", dtype={"fitted_on": str}), outputs[2].read_text()


def test_no_mean_image_was_made_from_a_test_image(mean_images, tmp_path):
    table, shown = tabulate(mean_images, tmp_path)
    assert table["verdict"].tolist() == ["no test image"] * 2
    assert table["fitted_part"].tolist() == ["train"] * 2
    assert table["fitted_on"].tolist() == [oracle(IDS[:6]), oracle(IDS[::-1][:6])]
    # The pixels themselves: the mean of the training images of the fold and of no other.
    images = np.load(tmp_path / "images.npy").astype(float)
    np.testing.assert_allclose(np.load(tmp_path / "fold-0.npy"), images[:6].mean(0), rtol=1e-6)
    np.testing.assert_allclose(np.load(tmp_path / "fold-1.npy"), images[6:].mean(0), rtol=1e-6)
    assert "| Data & more | K folds | mean image | 2 | train | 6 | no test image |" in shown


def test_a_mean_image_of_another_split_stops_the_run(mean_images, folds, tmp_path):
    swapped = folds.replace({"role": {"train": "test", "test": "train"}})
    write(swapped, tmp_path / "other.tsv")
    make_mean_images(tmp_path, tmp_path / "manifest.tsv", tmp_path / "other.tsv", 1)
    with pytest.raises(InputError, match=r"1 of 2 fitted artefacts(?s:.)*fitted on the test"):
        tabulate(mean_images, tmp_path)
    assert not (tmp_path / "fitted.tsv").exists()


def test_temperatures_and_thresholds_are_read_as_the_calibration_writes_them(folds, tmp_path):
    validation = pd.concat(
        pd.DataFrame({"image_id": ids[6:8], "fold": fold, "role": "validation"})
        for fold, ids in ((0, IDS), (1, IDS[::-1]))
    ).assign(label=[0, 1, 0, 1], probability=[0.2, 0.7, 0.6, 0.4])
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
        assert audits.read_fitted(folder / "r.json") == expected


def test_records_that_prove_nothing_are_refused(tmp_path):
    for content, message in (({"fold": 0}, "no key 'fitted_on'"), ({"fitted_on": "x"}, "'fold'")):
        path = tmp_path / "r.json"
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match=rf"r\.json: .*{message}"):
            audits.read_fitted(path)
