"""Every code that the library writes has a sentence, and nothing else reaches a table."""

import ast
import string

import pytest
from support.repository import LIBRARY

from blastfold.core.errors import BlastfoldError
from blastfold.core.notes import NOTES, make_note
from blastfold.reporting.notes import SENTENCES, SHORT, sentences


def codes_in_the_library():
    """The first argument of every call of make_note, parts that are filled in as ``*``."""
    found = {}
    for path in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "make_note":
                found.update(dict.fromkeys(_texts(node.args[0]), path))
    return found


def _texts(node):
    if isinstance(node, ast.Constant):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else "*" for part in node.values]
        return ["".join(parts)]
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    return [ast.unparse(node)]


def matches(pattern, code):
    start, star, end = pattern.partition("*")
    return code == start if not star else code.startswith(start) and code.endswith(end)


def test_every_code_has_a_sentence_that_names_only_its_values():
    assert set(SENTENCES) == set(NOTES)
    assert set(SHORT) < set(NOTES)
    for code, sentence in [*SENTENCES.items(), *SHORT.items()]:
        used = {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
        assert used <= set(NOTES[code]), code
        assert sentence.endswith(sentence.rstrip(".; ")), code


def test_the_library_writes_registered_codes_and_every_one_of_them():
    written = codes_in_the_library()
    for pattern, path in written.items():
        assert any(matches(pattern, code) for code in NOTES), f"{path}: {pattern}"
    for code in NOTES:
        assert any(matches(pattern, code) for pattern in written), f"{code} is never written"


@pytest.mark.parametrize("code", NOTES)
def test_every_code_is_shown_with_its_values(code):
    values = range(1, len(NOTES[code]) + 1)
    assert sentences(make_note(code, *values)).strip()
    assert "{" not in sentences(make_note(code, *values), short=True)


def test_sentences_name_what_they_are_about():
    note = (
        "few_groups:6.6@auc; few_groups:7.12@accuracy; threshold_without_validation@fold-0,fold-2"
    )
    few = "it is wide, and its coverage depends on how similar the groups are"
    rests = "the interval rests on few groups"
    validation = "fold 0, 2: no validation images: the threshold stays 0.5"
    assert sentences(note, short=True) == f"Accuracy, AUC: {rests}: {few}; {validation}"
    assert sentences(note) == (
        f"AUC: {rests} (as informative as 6.6 equal ones): {few}; "
        f"Accuracy: {rests} (as informative as 7.1 equal ones): {few}; {validation}"
    )
    titles = {"by_image": "5 folds by image"}
    text = sentences("no_negative_image@by_image", names=titles)
    assert text == "5 folds by image: undefined: no image of the negative class"
    assert sentences("") == ""


@pytest.mark.parametrize("note", ["few groups: wide", "no_such_code", "undefined: no images"])
def test_nothing_but_codes_reaches_a_table(note):
    with pytest.raises(BlastfoldError, match="note '"):
        sentences(note)


@pytest.mark.parametrize(
    ("code", "values", "text"),
    [
        ("folds_left_out", {"folds": 1}, "1 fold left out, where it is undefined"),
        ("common_images", {"images": 1}, "1 image is tested under both protocols"),
        ("common_images", {"images": 11}, "11 images are tested under both protocols"),
        (
            "predictions_left_out",
            {"predictions": 1},
            "left out: 1 prediction without a probability",
        ),
        (
            "test_needs_more_groups",
            {"groups": 1, "needed": 2},
            "1 group is too few for this test, which needs at least 2",
        ),
    ],
)
def test_one_thing_is_no_plural(code, values, text):
    assert sentences(make_note(code, *values.values())) == text
