"""Sentences with numbers: one image is, two images are."""

import re

SINGULAR = {"boxes": "box", "classes": "class", "copies": "copy"}
"""Singular of nouns that do not just lose their last letter."""

VERBS = {"are": "is", "have": "has", "were": "was", "differ": "differs", "look": "looks"}
VERBS |= {"contribute": "contributes", "include": "includes", "lack": "lacks"}

NOUNS = (
    *("images", "files", "subjects", "pictures", "photographs", "boxes", "groups", "folds"),
    *("pairs", "runs", "jobs", "classes", "cells", "trainings", "repeats", "rows", "maps"),
    *("predictions", "documents", "masks", "tables", "leukocytes", "units", "resamples"),
    *("models", "data sets", "copies"),
)
"""What sentences count."""

_ONE = re.compile(
    r"(?<![\w,.'/\\-])1 (?P<kind>(?:hidden |unread |rejected |test |validation |leakage |more )?)"
    rf"(?P<noun>{'|'.join(NOUNS)})\b(?: (?P<verb>{'|'.join(VERBS)})\b)?"
)


def agreeing(text: str) -> str:
    """Return a text in which nouns, and verbs right after them, agree with the number 1.

    Args:
        text: For instance ``1 images have one colour only``.
    """
    return _ONE.sub(_agreed, text)


def _agreed(found: re.Match) -> str:
    noun = found["noun"]
    words = ["1", found["kind"].strip(), SINGULAR.get(noun, noun.removesuffix("s"))]
    return " ".join(filter(None, [*words, VERBS.get(found["verb"] or "", "")]))
