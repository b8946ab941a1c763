"""Properties of the leak contrast for many data sets, and data that do not allow it."""

import numpy as np
import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.folds.assignment import split
from blastfold.leakage.groups import audit_folds, leakage_groups

NO_DUPLICATES = pd.DataFrame({"first": [], "second": []}, dtype=str)


def made(images_of, copies=1, mixed=False):
    """A manifest: the images of each subject, by class; with copies of every image."""
    rows = []
    for label, counts in enumerate(images_of):
        for number, count in enumerate(counts):
            subject = f"{'healthy' if label == 0 else 'patient'}-{number}"
            for image in range(count):
                own = 0 if mixed and label and image == 0 else label
                name = f"{subject}-{image}"
                rows.append((name, own, subject, ""))
                rows += [(f"{name}.{copy}", own, subject, name) for copy in range(1, copies)]
    table = pd.DataFrame(rows, columns=["image_id", "label", "subject", "parent"])
    names = np.array(["normal", "blast"])
    return table.assign(picture="", part="", **{"class": names[table["label"]]})


def arms(images, seed=1, **changes):
    """The fold tables of both arms."""
    protocol = {
        **{"name": "leak", "kind": "leak_contrast", "leak": "subject", "group_by": "subject"},
        **{"folds": 3, "repeats": 2, "validation_fraction": 0.1, "training_share": 1},
        **{"validation_group_by": "image"},
    } | changes
    groups = leakage_groups(images, NO_DUPLICATES)
    images = images.merge(groups, on="image_id")
    return [split(images, protocol | {"arm": arm}, seed) for arm in ("with", "without")]


def audited(folds, images, reason):
    """Images that cross from test to training and to validation for a reason, in all folds."""
    groups = leakage_groups(images, NO_DUPLICATES)
    summary, _ = audit_folds(folds, images, groups, NO_DUPLICATES)
    rows = summary[summary["reason"] == reason]
    found = rows.groupby("against")[["crossing", "test_images"]].sum()
    return found["crossing"].to_dict(), int(found["test_images"].iloc[0])


@pytest.mark.parametrize("mixed", [False, True], ids=["one class", "two classes"])
@pytest.mark.parametrize("leak", ["subject", "copies"])
@pytest.mark.parametrize("seed", range(3))
def test_the_arms_differ_in_the_leak_alone(seed, leak, mixed):
    random = np.random.default_rng(seed)
    healthy, patients = (random.integers(4, 13, random.integers(5, 10)) for _ in range(2))
    images = made((healthy, patients), copies=2 if leak == "copies" else 1, mixed=mixed)
    with_leak, without = arms(images, seed, leak=leak, repeats=1)
    facts = images.set_index("image_id")
    for fold, on in with_leak.groupby("fold"):
        off = without[without["fold"] == fold]
        used = {}
        for arm, table in (("on", on), ("off", off)):
            table = table.join(facts[["label", "subject"]], on="image_id")
            used[arm] = {role: rows for role, rows in table.groupby("role")}
        for role in ("test", "validation"):
            assert set(used["on"][role]["image_id"]) == set(used["off"][role]["image_id"])
        trained = used["on"]["train"], used["off"]["train"]
        # The same number of images and of subjects of each class.
        assert trained[0]["label"].value_counts().equals(trained[1]["label"].value_counts())
        kinds = [side["subject"].drop_duplicates().str[:4].value_counts() for side in trained]
        assert kinds[0].equals(kinds[1])
        tested = set(used["on"]["test"]["subject"])
        assert tested <= set(trained[0]["subject"])
        assert not tested & set(trained[1]["subject"])
        assert not tested & set(used["on"]["validation"]["subject"])
        # No test image itself is learnt, and both classes are tested.
        assert not set(used["on"]["test"]["image_id"]) & set(trained[0]["image_id"])
        assert set(used["on"]["test"]["label"]) == {0, 1}
    for reason in ("subject", "group"):
        crossing, tested = audited(without, images, reason)
        assert crossing == {"train": 0, "validation": 0}
        assert audited(with_leak, images, reason) == ({"train": tested, "validation": 0}, tested)
    # Copies of the tested images leak only where they are asked for.
    crossing, tested = audited(with_leak, images, "parent")
    assert crossing["validation"] == 0
    if leak == "subject":
        assert crossing["train"] == 0
    else:
        assert crossing["train"] > 0.5 * tested


def test_every_repeat_tests_the_same_images_once_with_other_folds():
    table, _ = arms(made(([6] * 6, [6] * 7)), repeats=3)
    tested = table[table["role"] == "test"]
    sets = [sorted(rows["image_id"]) for _, rows in tested.groupby("repeat")]
    assert sets[0] == sets[1] == sets[2]
    assert len(sets[0]) == len(set(sets[0])) == 13 * 3
    first, second = (
        rows.set_index("image_id")["fold"] % 3 for _, rows in list(tested.groupby("repeat"))[:2]
    )
    assert not first.equals(second.reindex(first.index))


def test_where_subjects_leak_an_original_and_its_copies_are_on_one_side():
    images = made(([4] * 5, [4] * 5), copies=3)
    table, _ = arms(images)
    assert audited(table, images, "parent")[0] == {"train": 0, "validation": 0}


def test_a_subject_with_one_image_is_trained_on_and_never_tested():
    images = made(([4, 4, 4, 1], [4, 4, 4, 4]))
    tables = arms(images)
    for table in tables:
        tested = table.loc[table["role"] == "test", "image_id"]
        assert "healthy-3-0" not in set(tested)


@pytest.mark.parametrize(
    ("images_of", "changes", "message"),
    [
        (
            ([4, 4], [4] * 6),
            {},
            "needs 3 subjects of each class.*class 0 has 2.*cannot be isolated",
        ),
        (([4], [4] * 6), {"folds": 2}, "class 0 has 1"),
        (([4] * 4, [4] * 9), {"folds": 5}, "Set folds: 4 at most"),
        (([1] * 5, [4] * 5), {}, "class 0 has 5, 0 of them with two images"),
        (([4] * 5, [4] * 5), {"leak": "copies"}, "0 of them with copies of an image"),
        (
            ([4] * 3, [4] * 3),
            {"validation_group_by": "same", "validation_fraction": 0.2},
            "validation_group_by: image",
        ),
    ],
)
def test_an_impossible_contrast_is_an_error_that_says_why(images_of, changes, message):
    with pytest.raises(InputError, match=message):
        arms(made(images_of), **changes)
