"""Tables as files: what is read back, whatever names and numbers look like."""

import numpy as np
import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.core.tables import read_table, read_text_table, write_table

ODD_NAMES = ["NA", "007", "nan", "1e5", "None", "two words", 'a "quoted" name']


def test_odd_names_come_back_as_they_are(tmp_path):
    table = pd.DataFrame({"image_id": ODD_NAMES, "value": np.arange(7) / 3, "note": ""})
    write_table(table, tmp_path / "folder" / "table.tsv")
    read = read_table(tmp_path / "folder" / "table.tsv", ("image_id", "value"))
    assert read["image_id"].tolist() == ODD_NAMES
    assert read["note"].tolist() == [""] * 7
    np.testing.assert_allclose(read["value"], table["value"], rtol=1e-15)
    text = read_text_table(tmp_path / "folder" / "table.tsv")
    assert text["image_id"].tolist() == ODD_NAMES
    assert text["value"].tolist() == [repr(value) for value in table["value"].tolist()]


LINES = [
    "\r",
    "a\rb",
    "a\r\nb",
    "a\nb",
    "\ra",
    "a\r",
    '"\r"',
    "plain",
    "",
    "\u2028",
    "\x0b",
    "a\tb",
]


@pytest.mark.parametrize("float_format", [None, "%.6g"])
def test_signs_that_end_lines_do_not_end_rows(tmp_path, float_format):
    values = [0.5, np.nan, *range(len(LINES) - 2)]
    table = pd.DataFrame({"file": LINES, "value": values, "number": range(len(LINES))})
    write_table(table, tmp_path / "table.tsv", float_format)
    read = read_table(tmp_path / "table.tsv", text=["file"])
    assert read["file"].tolist() == LINES
    assert read["number"].tolist() == list(range(len(LINES)))
    np.testing.assert_array_equal(read["value"], values)
    text = read_text_table(tmp_path / "table.tsv")
    assert text["file"].tolist() == LINES
    assert text["number"].tolist() == list(map(str, range(len(LINES))))
    assert text["value"].tolist()[:2] == ["0.5", ""]


def test_tables_without_a_carriage_return_have_no_marks(tmp_path):
    table = pd.DataFrame({"file": ["a", "b c"], "value": [1.5, 2]})
    write_table(table, tmp_path / "table.tsv")
    assert (tmp_path / "table.tsv").read_bytes() == b"file\tvalue\na\t1.5\nb c\t2.0\n"


def test_an_empty_number_is_missing_and_an_empty_text_is_not(tmp_path):
    (tmp_path / "table.tsv").write_text("image_id\tfold\tmodel\n1\t\tx\n\t2\t\n")
    read = read_table(tmp_path / "table.tsv")
    assert read["image_id"].tolist() == ["1", ""]
    assert np.isnan(read["fold"][0])
    assert read["fold"][1] == 2
    assert read["model"].tolist() == ["x", ""]


def test_a_table_without_rows_keeps_its_columns(tmp_path):
    (tmp_path / "table.tsv").write_text("image_id\tfold\n")
    assert list(read_table(tmp_path / "table.tsv").columns) == ["image_id", "fold"]


@pytest.mark.parametrize("content", ["", "a\tb\n1\t2\t3\t4\n1\t2\t3\n"])
def test_what_is_no_table_is_named(tmp_path, content):
    path = tmp_path / "table.tsv"
    path.write_text(content)
    with pytest.raises(InputError, match=r"table\.tsv"):
        read_table(path, ("a", "b", "c", "d"))


def test_a_file_of_bytes_is_no_table(tmp_path):
    (tmp_path / "table.tsv").write_bytes(b"a\tb\n\xff\xfe\t1\n")
    with pytest.raises(InputError, match=r"table\.tsv: is no table .* expected tab-separated"):
        read_table(tmp_path / "table.tsv")


@pytest.mark.parametrize("mark", [",", ";"])
def test_commas_in_place_of_tabs_are_named(tmp_path, mark):
    (tmp_path / "table.tsv").write_text(f"image_id{mark}fold\na{mark}0\n")
    with pytest.raises(InputError, match="separate its columns; expected tabs"):
        read_table(tmp_path / "table.tsv", ["image_id", "fold"])


def test_missing_columns_are_named_with_those_received(tmp_path):
    (tmp_path / "table.tsv").write_text("image_id\tfold\n1\t0\n")
    with pytest.raises(InputError, match=r"\['repeat', 'role'\] are missing.*'fold'.*expected"):
        read_table(tmp_path / "table.tsv", ("image_id", "repeat", "role"))
