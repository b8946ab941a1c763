"""Which photographs an application has, and whose they are."""

import numpy as np
import pytest
from support.smears import write_image

from blastfold.core.errors import InputError
from blastfold.smears.photographs import list_photographs

PIXELS = np.full((8, 8, 3), 200, np.uint8)


@pytest.fixture
def folder(tmp_path):
    for name in ("anna/1.png", "anna/2.png", "ben/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_image(tmp_path / name, PIXELS)
    (tmp_path / "notes.txt").write_text("taken on Monday")
    return tmp_path


def rows(table):
    return table.to_dict("split")["data"]


def test_a_folder_and_a_pattern(folder):
    assert rows(list_photographs(folder, {})) == [
        ["anna/1.png", "", "anna/1", ""],
        ["anna/2.png", "", "anna/2", ""],
        ["ben/1.png", "", "ben/1", ""],
    ]
    settings = {"pattern": "{subject}/*.png", "ignore": ["anna/2*"]}
    assert rows(list_photographs(folder, settings)) == [
        ["anna/1.png", "anna", "anna/1", ""],
        ["ben/1.png", "ben", "ben/1", ""],
    ]


def test_a_sheet_names_subjects_and_pictures_and_what_is_missing(folder):
    (folder / "sheet.csv").write_text(
        "path;subject;picture\nanna/2.png;A;right arm\nben/1.png;B;\nben/9.png;B;\nben/1.png;B;\n"
    )
    found = rows(list_photographs(folder, {"sheet": "sheet.csv"}))
    assert found[:2] == [["anna/2.png", "A", "right arm", ""], ["ben/1.png", "B", "ben/1", ""]]
    assert found[2][:2] == ["ben/9.png", "B"]
    assert "the folder has no such photograph" in found[2][3]
    assert len(found) == 3


def test_a_generated_data_set_names_its_photographs(tmp_path):
    (tmp_path / "cells.tsv").write_text(
        "path\tsubject\tpicture\ncells/b-1-01.png\tb\tb-1\ncells/a-1-01.png\ta\ta-1\n"
        "cells/b-1-02.png\tb\tb-1\n"
    )
    found = list_photographs(tmp_path, {"generated": True})
    assert rows(found) == [
        ["photographs/a-1.png", "a", "a-1", ""],
        ["photographs/b-1.png", "b", "b-1", ""],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,subject\nx,y\n", "the column 'path' is missing"),
        ("path,patient\nanna/1.png,A\n", "the column 'patient' is not read"),
        ("path,subject\nanna/1.png,A\nanna/1.png,B\n", "row 3: .* has the subjects 'A' and 'B'"),
        ("path,subject\n", "has no row"),
    ],
)
def test_sheets_that_are_not_as_expected_are_refused(folder, text, message):
    (folder / "sheet.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        list_photographs(folder, {"sheet": "sheet.csv"})


def test_folders_without_photographs_are_refused(tmp_path):
    with pytest.raises(InputError, match="has no photograph"):
        list_photographs(tmp_path, {})
    with pytest.raises(InputError, match="does not exist"):
        list_photographs(tmp_path / "absent", {})


def test_a_pattern_that_fits_nothing_is_an_error_and_a_partial_one_is_reported(folder, caplog):
    with pytest.raises(InputError, match=r"'\{subject\}-' fits none of 3 photographs"):
        list_photographs(folder, {"pattern": "{subject}-"})
    caplog.set_level("WARNING")
    listed = list_photographs(folder, {"pattern": "anna/{subject}.png"})
    assert (listed["subject"] == "").any()
    assert "The pattern fits 2 of 3 photographs, but not 'ben/1.png'" in caplog.text
