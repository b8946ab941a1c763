import pytest

from blastfold.core.parts import parts_of_fold, unknown_parts


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Val"])
def test_one_test_part_alone_trains_on_the_others_and_validates_on_the_part_of_that_name(name):
    parts = parts_of_fold({"test_parts": ["test"]}, ["train", name, "test"], 0)
    assert parts == (["train"], [name], ["test"])


def test_without_a_validation_part_the_validation_images_are_drawn():
    assert parts_of_fold({"test_parts": ["b"]}, ["a", "b", ""], 0) == (["a"], None, ["b"])


def test_several_test_parts_are_folds_of_one_another():
    protocol = {"test_parts": ["a", "b", "c"]}
    assert parts_of_fold(protocol, ["a", "b", "c", "d"], 1) == (["a", "c"], None, ["b"])


def test_named_parts_are_used_as_they_are_named():
    protocol = {
        "test_parts": ["test"],
        "train_parts": ["train"],
        "validation_parts": ["validation"],
    }
    known = ["extra", "test", "train", "valid"]
    assert parts_of_fold(protocol, known, 0) == (["train"], ["valid"], ["test"])
    assert parts_of_fold({**protocol, "train_parts": ["train", "test"]}, known, 0).train == [
        "train"
    ]
    del protocol["validation_parts"]
    assert parts_of_fold(protocol, known, 0) == (["train"], None, ["test"])


def test_unknown_parts_are_found_whatever_their_usual_name():
    protocol = {"test_parts": ["testing", "fold_9"], "validation_parts": ["val"]}
    assert unknown_parts(protocol, ["test", "train", "valid"]) == ["fold_9"]
