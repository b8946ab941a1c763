import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.leakage.groups import audit_folds, leakage_groups

NO_DUPLICATES = pd.DataFrame({"first": [], "second": []}, dtype=str)


def manifest(*rows):
    return pd.DataFrame(rows, columns=["image_id", "subject", "picture", "parent"])


def pairs(*rows):
    return pd.DataFrame(rows, columns=["first", "second"])


def group_of(table, duplicates=NO_DUPLICATES):
    return leakage_groups(table, duplicates).set_index("image_id")["group"].to_dict()


def test_empty_fields_connect_nothing():
    table = manifest(("a", "", "", ""), ("b", "", "", ""))
    assert group_of(table) == {"a": "a", "b": "b"}


def test_subject_picture_parent_and_duplicate_chain_into_one_group():
    table = manifest(
        ("e", "s1", "", ""),
        ("d", "s1", "", ""),
        ("c", "", "p1", ""),
        ("b", "", "p1", "e"),
        ("a", "", "", ""),
        ("z", "", "", ""),
    )
    assert group_of(table, pairs(("c", "a"))) == dict.fromkeys("edcba", "a") | {"z": "z"}


def test_pictures_are_unique_within_a_subject_only():
    table = manifest(("a", "s1", "1", ""), ("b", "s2", "1", ""), ("c", "", "1", ""))
    assert group_of(table) == {"a": "a", "b": "b", "c": "c"}


def test_siblings_connect_without_their_parent():
    table = manifest(("a", "", "", "gone"), ("b", "", "", "gone"), ("c", "", "", "b"))
    assert group_of(table) == {"a": "a", "b": "a", "c": "a"}


def test_a_subject_named_like_a_picture_or_an_image_connects_nothing():
    table = manifest(("x", "", "", ""), ("b", "x", "", ""), ("c", "", "x", ""))
    assert group_of(table) == {"x": "x", "b": "b", "c": "c"}


def test_groups_do_not_depend_on_the_order_of_rows():
    table = manifest(*[(f"i{k}", f"s{k % 7}", "", "") for k in range(40)])
    assert group_of(table) == group_of(table.sample(frac=1, random_state=3))


def test_no_images_give_no_groups():
    assert leakage_groups(manifest(), NO_DUPLICATES).shape == (0, 2)


def test_unknown_duplicates_repeated_names_and_missing_columns_are_named():
    table = manifest(("a", "", "", ""))
    with pytest.raises(InputError, match=r"second.*'b'"):
        leakage_groups(table, pairs(("a", "b")))
    with pytest.raises(InputError, match=r"'a'.*twice"):
        leakage_groups(manifest(("a", "", "", ""), ("a", "", "", "")), NO_DUPLICATES)
    with pytest.raises(InputError, match="'subject'"):
        leakage_groups(table.drop(columns="subject"), NO_DUPLICATES)


@pytest.fixture
def split():
    table = manifest(
        ("a", "s1", "1", ""),
        ("b", "s1", "2", ""),
        ("c", "s2", "1", ""),
        ("d", "s3", "", ""),
        ("e", "", "", "a"),
        ("f", "", "", ""),
    )
    duplicates = pairs(("c", "d"), ("d", "f"))
    roles = ["train", "test", "train", "validation", "test", "test"]
    folds = pd.DataFrame({"image_id": list("abcdef"), "fold": 0, "role": roles})
    return folds, table, leakage_groups(table, duplicates), duplicates


def test_audit_counts_every_reason_by_hand(split):
    summary, _ = audit_folds(*split)
    counted = summary.set_index(["against", "reason"])["crossing"].to_dict()
    # b shares subject s1 with a; e is grown from a; f copies d, which copies c.
    assert counted == {
        ("train", "copy"): 1,
        ("train", "subject"): 1,
        ("train", "picture"): 0,
        ("train", "parent"): 1,
        ("train", "group"): 3,
        ("validation", "copy"): 1,
        ("validation", "subject"): 0,
        ("validation", "picture"): 0,
        ("validation", "parent"): 0,
        ("validation", "group"): 1,
    }
    assert (summary["test_images"] == 3).all()
    assert summary["share"].tolist() == [count / 3 for count in summary["crossing"]]


def test_audit_lists_whom_every_crossing_image_meets(split):
    _, crossings = audit_folds(*split)
    listed = set(
        crossings[["against", "reason", "test_image", "other_image"]].itertuples(
            index=False, name=None
        )
    )
    assert ("train", "copy", "f", "c") in listed
    assert ("validation", "copy", "f", "d") in listed
    assert ("train", "parent", "e", "a") in listed
    assert len(listed) == 8


def test_folds_are_audited_apart_and_a_clean_fold_is_clean(split):
    folds, table, groups, duplicates = split
    clean = folds.assign(fold=1, role=["train"] * 2 + ["test"] * 2 + ["train", "test"])
    summary, crossings = audit_folds(pd.concat([folds, clean]), table, groups, duplicates)
    assert summary.loc[summary["fold"] == 1, "crossing"].sum() == 0
    assert set(crossings["fold"]) == {0}


def test_a_fold_without_test_images_has_share_zero(split):
    folds, *rest = split
    summary, crossings = audit_folds(folds.assign(role="train"), *rest)
    assert (summary["share"] == 0).all()
    assert crossings.empty


def test_a_split_of_unknown_images_is_refused(split):
    folds, *rest = split
    with pytest.raises(InputError, match="'zz'"):
        audit_folds(folds.replace({"image_id": {"a": "zz"}}), *rest)
