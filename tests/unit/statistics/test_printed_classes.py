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
    assert wrong.note == "no_count_gives_recall:90:7@class-1"
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
    assert "give an accuracy from 98 to 98.667 %, not 97 %" in shown


@pytest.mark.parametrize("decimals", [0, 1, 2, 3])
def test_every_true_result_is_possible_at_its_printed_decimals(tmp_path, decimals):
    random, cut = np.random.default_rng(decimals), 10**decimals
    lines = ["result\tclass\timages\trecall\taccuracy"]
    for number in range(30):
        sizes = random.integers(1, 90, size=4)
        correct = random.binomial(sizes, 0.9)
        exact = [*(100 * correct / sizes), 100 * correct.sum() / sizes.sum()]
        if number % 2:
            exact = [np.floor(figure * cut + 1e-9) / cut for figure in exact]
        figures = [f"{figure:.{decimals}f}" for figure in exact]
        for place in range(4):
            row = (number, f"k{place}", sizes[place], figures[place], figures[-1])
            lines.append("\t".join(map(str, row)))
    path = tmp_path / "sheet.tsv"
    path.write_text("\n".join(lines))
    assert set(audit_sheet(path)["verdict"]) == {"possible"}


def test_a_figure_is_judged_to_its_own_decimals_and_its_class_is_named(tmp_path, capsys):
    # 70 of 73 are 95.890 %, 69 are 94.521 %: "96" and "95" print them, "96.0" prints none of 73.
    path = tmp_path / "sheet.tsv"
    path.write_text(
        "result\tclass\timages\trecall\taccuracy\n"
        "whole\t[B] pre\t73\t96\t95.2\nwhole\ty\t73\t95\t\n"
        "tenths\t[B] pre\t73\t96.0\t95.2\ntenths\ty\t73\t95\t\n"
    )
    assert audit_sheet(path)["verdict"].tolist() == ["possible", "impossible"]
    main([str(path)])
    assert "[B] pre: no number of correct images out of 73 gives" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["missing.tsv", "."])
def test_a_sheet_that_cannot_be_read_is_named(tmp_path, place):
    with pytest.raises(InputError, match=r"SHEET: .* cannot be read"):
        main([str(tmp_path / place)])


def test_choices_beyond_counting_are_refused():
    with pytest.raises(InputError, match="too many to count"):
        audit_printed_classes({"a": 10**10, "b": 5}, {}, 50.0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (SHEET[SHEET.index("first") :], "", "no row"),
        ("\t99 %\t98,33\n", "\tnan\t98,33\n", "recall of benign: got 'nan'"),
        (
            SHEET[SHEET.index("first") :],
            "a\tx\t9\t0.95\t0.9\na\ty\t9\t1\t0.9\n",
            "look like fractions",
        ),
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
