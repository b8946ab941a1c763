"""The glossary on the page of results: its words are linked where a sentence uses them."""

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import NamedTuple

from blastfold.core.names import POOLED

LINKED = {
    "leakage group": r"leakage groups?",
    "detectable difference": r"detectable",
    "verdict": r"verdicts?",
    "operating point": r"operating points?",
    "permuted labels": r"permuted labels|labels permuted|permutations",
    "baseline": r"baselines?",
    "simultaneous interval": r"comparisons of the experiment at once|simultaneous",
    "duplicate": r"show the same cell|duplicates?",
    "related image": r"related to (?:a )?training images?",
    "predictive value": r"predictive values?",
    POOLED: POOLED,
    "source task": r"source tasks?",
    "primary metric": r"primary metric",
    "adjusted p": r"adjusted p",
}
"""Words of the glossary that the page links, with what they look like in a sentence."""

_ROW = re.compile(r"^\| (?P<term>[^|]+?) \| (?P<meaning>[^|]+?) \|$", re.MULTILINE)


class Entry(NamedTuple):
    """A word of the glossary, the name of its place on the page, and what it means."""

    term: str
    place: str
    meaning: str


def read_glossary(text: str) -> list[Entry]:
    """Return the entries of ``docs/glossary.md``, a table with the columns term and meaning."""
    rows = [(found["term"], found["meaning"]) for found in _ROW.finditer(text)]
    return [Entry(term, _place(term), meaning) for term, meaning in rows if term != "term"]


class Html(str):
    """Text that is HTML already: templates ask for this method before they escape."""

    def __html__(self) -> str:
        return str(self)


class Explainer:
    """Links the first use of each word in a text to its entry.

    Args:
        entries: The entries that are on the page.
        linked: Words to link -> pattern of what they look like.
    """

    def __init__(self, entries: Iterable[Entry], linked: Mapping[str, str] | None = None) -> None:
        by_place = {entry.place: entry for entry in entries}
        words = LINKED if linked is None else linked
        known = {_place(term): pattern for term, pattern in words.items()}
        self.entries = [by_place[place] for place in known if place in by_place]
        parts = [f"({known[entry.place]})" for entry in self.entries]
        self.pattern = re.compile(rf"\b(?:{'|'.join(parts)})\b") if parts else None

    def __call__(self, text: str) -> Html:
        """Return a text as HTML, its words linked; everything else in it is text."""
        if self.pattern is None:
            return Html(escape(text))
        pieces, end, used = [], 0, set()
        for found in self.pattern.finditer(text):
            entry = self.entries[found.lastindex - 1]
            if entry.place in used:
                continue
            used.add(entry.place)
            pieces += [escape(text[end : found.start()]), _link(entry, found.group())]
            end = found.end()
        return Html("".join([*pieces, escape(text[end:])]))


def _link(entry: Entry, word: str) -> str:
    place = f'href="#word-{entry.place}" title="{escape(entry.meaning)}"'
    return f'<a class="term" {place}>{escape(word)}</a>'


def _place(term: str) -> str:
    """Return the first name of a term as a part of an address."""
    return re.sub(r"[^a-z0-9]+", "-", term.partition(",")[0].partition("(")[0].strip().lower())
