"""Audit of printed results of several classes, against all matrices that exist, and by hand."""

import itertools

import numpy as np
import pytest

from blastfold.core.errors import InputError
from blastfold.core.notes import note_codes
from blastfold.evaluation.printed_classes import audit_sheet
from blastfold.reporting.printed_command import main
from blastfold.statistics.printed_classes import audit_printed_classes

SIZES = {"a": 7, "b 2": 5, "c": 9}


def printed(sizes, correct):
    """What two decimals print of correct images by class, and of all of them."""
    recalls = {name: round(100 * hits / sizes[name], 2) for name, hits in correct.items()}
    return recalls, round(100 * sum(correct.values()) / sum(sizes.values()), 2)


def test_every_true_result_is_possible_and_counted_as_by_trying_all():
    random = np.random.default_rng(1)
    everything = list(itertools.product(*(range(size + 1) for size in SIZES.values())))
    for _ in range(20):
        correct = {name: int(random.integers(size + 1)) for name, size in SIZES.items()}
        recalls, accuracy = printed(SIZES, correct)
        given = {**recalls, "b 2": None}
        found = audit_printed_classes(SIZES, given, accuracy)
        ways = [
            hits
            for hits in everything
            if (hits[0], hits[2]) == (correct["a"], correct["c"])
            and abs(100 * sum(hits) / 21 - accuracy) <= 0.01
        ]
        assert (found.verdict, found.ways) == ("possible", len(ways))
        assert audit_printed_classes(SIZES, recalls, accuracy).ways == 1


def test_two_classes_of_known_sizes_are_decided_as_by_all_matrices():
    for accuracy in np.arange(40, 60, 0.37).round(2):
        found = audit_printed_classes({"n": 6, "p": 4}, {"n": 50.0, "p": None}, accuracy)
        possible = any(abs(10 * (3 + hits) - accuracy) <= 0.01 for hits in range(5))
        assert (found.verdict == "possible") == possible


def test_the_reason_of_an_impossible_result_is_named():
    recalls, accuracy = printed(SIZES, {"a": 6, "b 2": 5, "c": 9})
    wrong = audit_printed_classes(SIZES, {**recalls, "a": 90.0}, accuracy)
    assert wrong.note == "no_count_gives_recall:1:90:7"
    other = audit_printed_classes(SIZES, recalls, 90.48)
    assert note_codes(other.note) == {"recalls_give_other_accuracy"}
    between = audit_printed_classes(SIZES, dict.fromkeys(SIZES), 91.0)
    assert note_codes(between.note) == {"no_count_gives_accuracy"}
    assert [one.verdict for one in (wrong, other, between)] == ["impossible"] * 3
    assert [one.ways for one in (wrong, other, between)] == [0] * 3


def test_forty_classes_of_thousands_of_images_are_counted():
    sizes = {f"k{place}": 1000 + place for place in range(40)}
    found = audit_printed_classes(sizes, dict.fromkeys(sizes), 50.0)
    assert found.verdict == "possible"
    assert found.ways > 10**100


@pytest.mark.parametrize(
    ("images", "recalls", "accuracy", "words"),
    [
        ({"a": 3}, {}, 50, "two classes"),
        ({"a": 3, "b": 0}, {}, 50, "two classes"),
        ({"a": 3, "b": 2}, {"c": 5.0}, 50, r"classes \['c'\]"),
        ({"a": 3, "b": 2}, {"a": 105.0}, 50, "a: got 105"),
        ({"a": 3, "b": 2}, {}, float("nan"), "accuracy: got nan"),
    ],
)
def test_impossible_questions_are_refused(images, recalls, accuracy, words):
    with pytest.raises(InputError, match=words):
        audit_printed_classes(images, recalls, accuracy)


SHEET = """result\tclass\timages\trecall\taccuracy
first\tbenign\t100\t99 %\t98,33
first\tpre-B\t200\t98.00\t
second\tbenign\t100\t99\t97.00
second\tpre-B\t200\t98.00\t97.00
"""


def test_a_sheet_is_audited_result_by_result_and_printed(tmp_path, capsys):
    path = tmp_path / "sheet.tsv"
    path.write_text(SHEET)
    audit = audit_sheet(path).set_index("result")
    assert audit["verdict"].to_dict() == {"first": "possible", "second": "impossible"}
    assert audit.loc["first", ["classes", "images", "possible_counts"]].tolist() == [2, 300, 1]
    main([str(path)])
    shown = capsys.readouterr().out
    assert "second (2 classes, 300 images): impossible" in shown
    assert "give an accuracy from 98.333 to 98.333 %, not 97 %" in shown


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("99 %", "many", "recall of benign: got 'many'"),
        ("\t100\t99 %", "\t1.5\t99 %", "images: got '1.5'"),
        ("second\tpre-B", "second\tbenign", "'second'.*twice"),
        ("98.00\t97.00", "98.00\t96.00", "accuracies"),
        ("result\tclass", "result\tkind", "class"),
    ],
)
def test_faults_of_a_sheet_are_named(tmp_path, old, new, words):
    path = tmp_path / "sheet.tsv"
    path.write_text(SHEET.replace(old, new))
    with pytest.raises(InputError, match=words):
        audit_sheet(path)
