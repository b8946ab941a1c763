import pytest

from blastfold.core.errors import BlastfoldError
from blastfold.core.notes import (
    NOTES,
    Note,
    join_notes,
    make_note,
    note_codes,
    notes_about,
    parse_notes,
    without_notes,
)


def test_a_note_is_read_back_as_it_was_written():
    text = join_notes(make_note("few_groups", 6.6), make_note("undefined_resamples", 12, 2000))
    assert text == "few_groups:6.6; undefined_resamples:12:2000"
    assert parse_notes(text) == [
        Note("few_groups", (6.6,)),
        Note("undefined_resamples", (12.0, 2000.0)),
    ]
    assert note_codes(text) == {"few_groups", "undefined_resamples"}


@pytest.mark.parametrize("code", NOTES)
def test_every_code_is_read_back(code):
    text = make_note(code, *range(1, len(NOTES[code]) + 1))
    assert [note.code for note in parse_notes(text)] == [code]
    assert parse_notes(notes_about({"auc": text}))[0].about == ("auc",)


def test_joining_leaves_out_what_is_empty_or_doubled():
    assert join_notes() == join_notes("", "") == ""
    assert join_notes("too_narrow", "", "one_fold; too_narrow") == "too_narrow; one_fold"
    assert parse_notes("") == []


def test_notes_of_several_names_are_joined_by_code():
    found = notes_about(
        {"auc": "few_groups:7; too_narrow", "mcc": "", "f1": "few_groups:7", "recall": "no_images"}
    )
    assert found == "few_groups:7@auc,f1; too_narrow@auc; no_images@recall"
    assert parse_notes(found)[0] == Note("few_groups", (7.0,), ("auc", "f1"))


def test_a_code_can_be_taken_out():
    text = "few_groups:7@auc; too_narrow; few_groups:3@f1"
    assert without_notes(text, "few_groups") == "too_narrow"
    assert without_notes(text, "few_groups", "too_narrow") == ""


@pytest.mark.parametrize(
    "text",
    [
        "few groups: wide",
        "no_such_code",
        "few_groups",
        "few_groups:1:2",
        "one_fold:3",
        "too_narrow;",
    ],
)
def test_what_is_not_a_code_is_refused(text):
    with pytest.raises(BlastfoldError, match="note '"):
        parse_notes(text)


def test_unknown_codes_and_wrong_values_cannot_be_written():
    with pytest.raises(BlastfoldError, match="unknown"):
        make_note("few_group", 7)
    with pytest.raises(BlastfoldError, match="expected effective_groups"):
        make_note("few_groups")
    with pytest.raises(BlastfoldError, match="already about auc"):
        notes_about({"fold-0": "too_narrow@auc"})
