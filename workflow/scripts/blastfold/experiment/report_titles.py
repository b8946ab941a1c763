"""Titles in place of the config's keys in Snakemake's report: categories, labels and captions."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Titles = Mapping[str, Mapping[str, str]]

_RST = re.compile(r"([\\`*_|<>\[\]])")
_WILDCARD = re.compile(r"\{(\w+)\}")


def escaped_titles(titles: Titles) -> dict[str, dict[str, str]]:
    """Return titles by kind and name as text of reStructuredText, for the captions."""
    return {
        kind: {name: _RST.sub(r"\\\1", " ".join(title.split())) for name, title in named.items()}
        for kind, named in titles.items()
    }


def titled(entry: Mapping[str, Any], titles: Titles) -> dict[str, Any]:
    """Return the arguments of Snakemake's ``report`` with titles for wildcards.

    Args:
        entry: Arguments; ``subcategory`` and the values of ``labels`` may hold wildcards in braces.
        titles: Titles by kind of wildcard and name; a wildcard without a title keeps its value.
    """
    changed = dict(entry)
    if "{" in entry.get("subcategory", ""):
        changed["subcategory"] = _filled(entry["subcategory"], titles)
    labels = entry.get("labels", {})
    if any("{" in text for text in labels.values()):
        makers = {name: _filled(text, titles) for name, text in labels.items()}
        changed["labels"] = lambda wildcards: {
            name: maker(wildcards) for name, maker in makers.items()
        }
    return changed


def _filled(text: str, titles: Titles) -> Callable[[Any], str]:
    def fill(wildcards) -> str:
        def title(found: re.Match) -> str:
            kind, name = found[1], getattr(wildcards, found[1])
            return titles.get(TITLED_AS.get(kind, kind), {}).get(name, name)

        # Snakemake looks for wildcards in what it gets, so that no brace of a title may stay.
        return _WILDCARD.sub(title, text).replace("{", "(").replace("}", ")")

    return fill


TITLED_AS = {"external": "dataset"}
"""Wildcards that have the titles of another kind."""
