"""Globs and templates of paths, against answers written by hand and Python's own globbing."""

import fnmatch
import random
import re

import pytest

from blastfold.core.errors import InputError
from blastfold.core.path_patterns import IgnoreRules, PathPattern


@pytest.mark.parametrize(
    ("pattern", "file", "expected"),
    [
        ("UID_{subject}_{picture}_*", "a/UID_H1_3_2_hem.bmp", {"subject": "H1", "picture": "H1_3"}),
        ("UID_{subject}_*.png", "UID_7_3_2_all.PNG", {"subject": "7"}),
        ("{class}/{subject}/*", "x/normal/p 1/a.b.png", {"class": "normal", "subject": "p 1"}),
        ("{class}/{subject}/*", "normal/a.png", None),
        ("{subject}/{subject}_*.png", "p1/p1_a.png", {"subject": "p1"}),
        ("{subject}/{subject}_*.png", "p1/p2_a.png", None),
        ("{part}/**/{subject}-*.png", "train/x/y/p1-1.png", {"part": "train", "subject": "p1"}),
        ("{part}/**/{subject}-*.png", "train/p1-1.png", {"part": "train", "subject": "p1"}),
        ("{subject}_[1].png", "p_[1].png", {"subject": "p"}),
        ("{subject}_[1].png", "p_1.png", None),
        ("{subject}_?", "p_1.png", {"subject": "p"}),
        (
            r"(?P<subject>P\d+)/(?P<picture>\d+)",
            "q/P12/12/x.png",
            {"subject": "P12", "picture": "P12_12"},
        ),
        (
            r"_(?P<picture>(?P<subject>H?\d+)_\d+)_",
            "UID_H1_3_2",
            {"subject": "H1", "picture": "H1_3"},
        ),
    ],
)
def test_fields_are_read_from_paths(pattern, file, expected):
    assert PathPattern(pattern).read(file) == expected


def test_a_template_that_fits_in_several_ways_begins_at_a_class():
    pattern = PathPattern("{class}/{subject}/**", ["normal", "blast"])
    assert pattern.read("fold_0/Normal/p1/s2/a.png") == {"class": "Normal", "subject": "p1"}
    assert pattern.read("other/p1/a.png") == {"class": "other", "subject": "p1"}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "{patient}/*",
            r"field \{patient\}; expected \{subject\}, \{picture\}, \{part\},",
        ),
        ("*/*.png", r"fields none; expected some of subject"),
        (r"(?P<patient>\d+)", r"\['patient'\]"),
        ("(?P<subject>", r"no regular expression"),
    ],
)
def test_a_pattern_that_reads_nothing_known_is_explained(pattern, message):
    with pytest.raises(InputError, match=message):
        PathPattern(pattern)


@pytest.mark.parametrize(
    ("glob", "file", "ignored"),
    [
        ("*_mask.png", "a/b/x_mask.png", True),
        ("*_mask.png", "a/b/x_mask.png/y.png", True),
        ("masks", "a/masks/x.png", True),
        ("masks/", "a/masks/x.png", True),
        ("masks", "a/masks2/x.png", False),
        ("a/masks", "a/masks/deep/x.png", True),
        ("a/masks", "b/a/masks/x.png", False),
        ("**/masks/*.png", "b/a/masks/x.png", True),
        ("a/*.png", "a/b/x.png", False),
        ("a/**", "a/b/x.png", True),
        ("x.p?g", "x.png", True),
        ("{subject}.png", "{subject}.png", True),
        ("a.b", "axb", False),
    ],
)
def test_globs_choose_files_and_what_is_in_folders(glob, file, ignored):
    assert bool(IgnoreRules([glob]).rule_for(file)) is ignored


def test_globs_that_choose_nothing_are_known():
    rules = IgnoreRules(["*.gif", "*.png"])
    assert rules.rule_for("a.png") == "*.png"
    assert rules.unused() == ["*.gif"]
    assert IgnoreRules(None).rule_for("a.png") == ""


def test_globs_agree_with_those_of_python(tmp_path):
    draw = random.Random(0)
    names = ["a", "ab", "b.c", "x_1"]
    for _ in range(60):
        path = tmp_path.joinpath(*draw.choices(names, k=draw.randint(1, 3)), "f.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    for _ in range(200):
        glob = "/".join([*draw.choices(["a", "*", "a*", "?", "**", "*_?"], k=2), "*.png"])
        found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob(glob)}
        rules = IgnoreRules([glob])
        assert {file for file in files if rules.rule_for(file)} == found, glob


def shortest(pieces, text):
    """Return the fields of a template within one name: each takes as few characters as it can.

    Tries every length of every field and star, the shorter ones first.
    """
    if not pieces:
        return {} if text == "" or re.fullmatch(r"\.[^./]*", text) else None
    piece, rest = pieces[0], pieces[1:]
    if piece == "*" or piece.startswith("{"):
        for length in range(piece != "*", len(text) + 1):
            found = shortest(rest, text[length:])
            if found is not None:
                return found if piece == "*" else {piece.strip("{}"): text[:length], **found}
        return None
    same = text and (piece in ("?", text[0]))
    return shortest(rest, text[1:]) if same else None


@pytest.mark.parametrize("seed", range(8))
def test_templates_agree_with_a_search_through_all_lengths(seed):
    draw = random.Random(seed)
    outcomes = {True: 0, False: 0}
    for _ in range(400):
        fields = draw.sample(["{subject}", "{part}"], k=draw.randint(1, 2))
        pieces = draw.choices(["*", "?", "a", "b", "_"], k=draw.randint(0, 6)) + fields
        draw.shuffle(pieces)
        name = "".join(draw.choices("ab_.", k=draw.randint(1, 9)))
        # A name with line ends or spaces is another question.
        expected = shortest(pieces, name)
        assert PathPattern("".join(pieces)).read(name) == expected, (pieces, name)
        outcomes[expected is None] += 1
    assert min(outcomes.values()) > 50


def test_globs_of_names_agree_with_those_of_python():
    draw = random.Random(1)
    for _ in range(3000):
        glob = "".join(draw.choices(["*", "?", "a", "b"], k=draw.randint(1, 8)))
        if "**" in glob:
            continue
        name = "".join(draw.choices("ab", k=draw.randint(1, 10)))
        assert bool(IgnoreRules([glob]).rule_for(name)) is fnmatch.fnmatchcase(name, glob), glob


def test_many_stars_and_long_names_take_no_time():
    """Trying all ways would take longer than anyone waits: 250 characters in eight parts."""
    assert IgnoreRules(["*a" * 12 + "*b"]).rule_for("a" * 250) == ""
    assert IgnoreRules(["**/x" + "*a" * 12 + "*b"]).rule_for(f"y/x{'a' * 250}") == ""
    assert IgnoreRules(["*" * 999 + "b"]).rule_for("a" * 250) == ""
    assert IgnoreRules(["**/" * 99 + "b"]).rule_for("a/" * 99 + "b") != ""
    assert PathPattern("*_" * 12 + "{subject}x*").read("_" * 250) is None
    assert PathPattern("{subject}_{picture}" + "_*" * 12 + "x").read("_" * 250) is None
