"""Snakemake's report shows titles, whatever characters they have."""

from types import SimpleNamespace

from blastfold.experiment.report_titles import escaped_titles, titled

TITLES = {"dataset": {"cells": "Zellen {x} *1*"}, "model": {"cnn": "A CNN"}}


def test_titles_take_the_place_of_wildcards():
    labels = {"show": "On {external}", "model": "{model}", "slide": "{slide}"}
    entry = titled({"subcategory": "{dataset}", "labels": labels, "category": "Audit"}, TITLES)
    names = SimpleNamespace(dataset="cells", external="cells", model="cnn", slide="one")
    assert entry["category"] == "Audit"
    # Snakemake would take a brace for a wildcard.
    assert entry["subcategory"](names) == "Zellen (x) *1*"
    assert entry["labels"](names) == {
        **{"show": "On Zellen (x) *1*", "model": "A CNN", "slide": "one"},
    }


def test_what_has_no_wildcards_stays():
    entry = {"subcategory": "Cost", "labels": {"show": "Duplicates"}}
    assert titled(entry, TITLES) == entry
    assert titled({"category": "Audit"}, TITLES) == {"category": "Audit"}


def test_captions_show_titles_as_text():
    assert escaped_titles(TITLES)["dataset"]["cells"] == r"Zellen {x} \*1\*"
