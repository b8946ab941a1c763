"""Config files as they are written: encoding, keys that are there twice, text that is no config."""

import codecs

import pytest
import yaml
from support.repository import REPOSITORY

from blastfold.core.errors import InputError
from blastfold.experiment.config_file import check_config_files, read_config_file

TEXT = "seed: 1\ndatasets:\n  cells: {format: folder}\n"
SHIPPED = [REPOSITORY / "config.yaml", *sorted((REPOSITORY / "config").glob("*.yaml"))]


def fault_of(tmp_path, content):
    path = tmp_path / "mine.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        read_config_file(path)
    assert str(caught.value).startswith(f"'{path}'")
    return str(caught.value)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_config_is_read_as_yaml_reads_it(path):
    assert read_config_file(path) == yaml.safe_load(path.read_text("utf-8"))


@pytest.mark.parametrize(
    "content",
    [TEXT, "\ufeff" + TEXT, TEXT.replace("\n", "\r\n"), '{"seed": 1, "datasets": {"cells": {}}}'],
)
def test_usual_spellings_are_read(tmp_path, content):
    (tmp_path / "mine.yaml").write_bytes(content.encode())
    config = read_config_file(tmp_path / "mine.yaml")
    assert list(config) == ["seed", "datasets"]
    assert list(config["datasets"]) == ["cells"]


def test_tabs_are_json_s_own(tmp_path):
    (tmp_path / "mine.json").write_text('{\n\t"seed": 1,\n\t"datasets": {}\n}', "utf-8")
    assert read_config_file(tmp_path / "mine.json") == {"seed": 1, "datasets": {}}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("mark", [True, False])
def test_other_encodings_are_named(tmp_path, encoding, mark):
    name = encoding.upper().replace("-", "_").removeprefix("UTF_")
    start = getattr(codecs, f"BOM_UTF{name}") if mark else b""
    message = fault_of(tmp_path, start + TEXT.encode(encoding))
    assert (f"is {encoding[:6].upper()} text" if mark else "is not a text file") in message
    assert "Save it as UTF-8" in message


def test_a_byte_that_is_not_utf_8_is_named_with_its_line(tmp_path):
    message = fault_of(tmp_path, TEXT.encode() + 'title: "Universität"'.encode("latin-1"))
    assert "byte 0xe4 in line 4" in message


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        ("seed: 1\nname: a\nseed: 2\n", ["seed: in line 1 and again in line 3"]),
        ("{seed: 1, seed: 1}", ["seed: in line 1 and again in line 1"]),
        (
            "models:\n  a: {epochs: 1}\n  b: {epochs: 1}\n  a: {epochs: 2, epochs: 3}\n",
            ["models.a: in line 2 and again in line 4", "models.a.epochs: in line 4 and again"],
        ),
        ("experiments:\n- models: [a]\n  models: [b]\n", ["experiments.0.models: in line 2 and"]),
        ('seed: 1\n"seed": 2\n', ["seed: in line 1 and again in line 2"]),
        ('{"seed": 1, "datasets": {"a": 1, "a": 2}}', ["  - a\n"]),
        ("a: 1\na: 2\na: 3\n", ["in line 1 and again in line 2", "in line 2 and again in line 3"]),
    ],
)
def test_a_key_that_is_there_twice_is_named_with_its_lines(tmp_path, content, faults):
    message = fault_of(tmp_path, content)
    assert "has a key twice" in message
    for fault in faults:
        assert fault in message


def test_an_alias_and_a_merge_are_no_second_keys(tmp_path):
    text = "a: &a {x: 1}\nb: *a\nc: {<<: *a, x: 2}\nd: {<<: *a, y: 2}\ne: [*a, *a]\n"
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    assert read_config_file(tmp_path / "mine.yaml")["c"] == {"x": 2}


def test_an_alias_within_itself_ends(tmp_path):
    (tmp_path / "mine.yaml").write_text("a: &a {x: *a}\n", "utf-8")
    config = read_config_file(tmp_path / "mine.yaml")
    assert config["a"]["x"] is config["a"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("seed: [1\n", "is not YAML"),
        ("a:\n\tb: 1\n", "line 2, column 1"),
        ("title: a: b\n", "is not YAML"),
        ("x: 2022-13-45\n", "is not YAML"),
        ("x: !!python/object:os.system {}\n", "is not YAML"),
        ("- a\n", "holds list at its top level"),
        ("", "holds nothing at its top level"),
        ("words", "holds str at its top level"),
        ("a: 1\n---\nb: 2\n", "is not YAML"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not UTF-8 text"),
        (b"PK\0\0", "is not a text file"),
    ],
)
def test_what_is_no_config_is_refused(tmp_path, content, expected):
    assert expected in fault_of(tmp_path, content)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=f"There is no file '{tmp_path / 'lost.yaml'}'"):
        read_config_file(tmp_path / "lost.yaml")
    with pytest.raises(InputError, match=f"'{tmp_path}' cannot be read"):
        read_config_file(tmp_path)
    # A job on another machine may not have the file; its config was given to it.
    check_config_files([tmp_path / "lost.yaml"])
