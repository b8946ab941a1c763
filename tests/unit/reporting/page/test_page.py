"""The page as a file: self-contained, safe with any title, complete where results are missing."""

import html
import re

import numpy as np
import pandas as pd
import pytest
from support.browser import find_browser, open_page
from support.repository import REPOSITORY
from support.result_pages import CITATION, NOTHING, TEMPLATES, about, write_study

from blastfold.core.tables import write_table
from blastfold.reporting.page.drawing import (
    Curve,
    ForestRow,
    SubjectColumn,
    axis_ticks,
    forest_plot,
    roc_plot,
    spread_dots,
    strip_plot,
)
from blastfold.reporting.page.glossary import LINKED, Explainer, read_glossary
from blastfold.reporting.page.render import answer_text, methods_paragraphs, write_page

HOSTILE = "</script><img src=x onerror=alert(1)> {{ 7 * 7 }} *a* `b` |c| 白血病"


def page_of(folder, described):
    files = [path for path in folder.rglob("*") if path.is_file()]
    page, answer = folder / "index.html", folder / "answer.rst"
    write_page(described, CITATION, TEMPLATES, files, page, answer)
    return page.read_text("utf-8"), answer.read_text("utf-8")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    write_study(folder, title=HOSTILE)
    return folder, *page_of(folder, {**about(HOSTILE), "title": HOSTILE})


def test_the_page_needs_nothing_but_itself(hostile):
    _, page, _ = hostile
    assert "Content-Security-Policy" in page
    assert re.findall(r"(?:src|href)=[\"'](?!data:|#|tables/|figures/)[^\"']*", page) == []
    assert re.findall(r"@import|url\((?!\$)|https?://", page) == []


def test_titles_are_text(hostile):
    _, page, answer = hostile
    assert "<img src=x" not in page
    assert html.escape(HOSTILE, quote=False).replace("'", "&#39;") in page
    assert "{{ 7 * 7 }}" in page
    assert r"\*a\* \`b\` \|c\|" in answer


def test_every_picture_and_plot_has_a_text(hostile):
    _, page, _ = hostile
    pictures = re.findall(r"<img [^>]*>", page)
    assert len(pictures) >= 10
    assert all('alt="' in picture for picture in pictures)
    plots = re.findall(r"<svg [^>]*>", page)
    assert all("aria-label" in plot or "aria-hidden" in plot for plot in plots)


@pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed")
def test_the_page_opens_in_a_browser_with_any_title(hostile, tmp_path):
    folder, _, _ = hostile
    shown, messages = open_page(folder / "index.html", tmp_path)
    assert messages == []
    assert "8 of 8 cells, 2 predicted wrongly" in shown
    assert "undefined" not in shown
    assert "None" not in shown.replace("None of 8 test images", "")


def test_a_page_without_results_reports_this(tmp_path, hostile):
    page, answer = page_of(tmp_path, NOTHING)
    # A class is explained where a data set has it.
    assert ['id="word-blast"' in text for text in (page, hostile[1])] == [False, True]
    assert page.count('class="empty"') >= 8
    assert answer == "\n"


def test_the_same_results_give_the_same_bytes(hostile):
    folder, page, answer = hostile
    (folder / "index.html").unlink()
    (folder / "answer.rst").unlink()
    assert page_of(folder, {**about(HOSTILE), "title": HOSTILE}) == (page, answer)


def test_accuracy_against_cost_is_shown_where_it_was_compared(tmp_path):
    write_study(tmp_path)
    rows = [("Big net", "as good as the costlier one"), ("Small net", "")]
    ranked = pd.DataFrame(rows, columns=["model_title", "compared"])
    write_table(ranked, tmp_path / "tables" / "cells" / "efficiency.tsv")
    figure = tmp_path / "figures" / "cells" / "efficiency.svg"
    figure.parent.mkdir(parents=True)
    figure.write_text("<svg/>")
    page, _ = page_of(tmp_path, about())
    assert "<li>Big net: as good as the costlier one.</li>" in page
    assert "Small net: " not in page.partition("accuracy against cost")[2].partition("</ul>")[0]
    assert "data:image/svg+xml;base64,PHN2Zy8+" in page


def test_source_tasks_have_no_answer():
    parts = [{"source": True, "answer": ["No."]}, {"source": False, "answer": ["One.", "Two."]}]
    assert answer_text(parts) == "* One. Two.\n"


def test_methods_are_read_as_they_are_written():
    text = "## Methods\n\n**Images.** A\\_b \\* 2.\n\n**Splits.** None.\n"
    assert methods_paragraphs(text) == [("Images", "A_b * 2."), ("Splits", "None.")]


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [
        ((0.7, 1.0), [0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0][::1]),
        ((-0.5, 0.5), [-0.4, -0.2, 0.0, 0.2, 0.4]),
        ((-0.1, 0.2), [-0.1, 0.0, 0.1, 0.2]),
        ((0.0, 1.0), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    ],
)
def test_ticks_are_round_and_few(ends, ticks):
    found = [round(tick, 6) for tick in axis_ticks(*ends)]
    assert len(found) <= 6
    assert set(found) <= set(ticks)
    assert ends[0] > 0 or 0 in found


def test_places_of_a_forest_plot():
    rows = [
        ForestRow("one", "", 0.5, 0.25, 0.75),
        ForestRow("without interval", "", 0.0, float("nan"), float("nan")),
        ForestRow("undefined", "", float("nan"), float("nan"), float("nan")),
        ForestRow("all", "", 1.0, 1.0, 1.0),
    ]
    plot = forest_plot(rows, mark=0.5)
    places = [(drawn["left"], drawn["width"], drawn["point"]) for drawn in plot.rows]
    assert places == [(25, 50, 50), (0, 0, 0), (100, 0, 100)]
    assert plot.mark == 50
    assert forest_plot(rows[2:3]) is None


def test_a_curve_begins_and_ends_at_its_points():
    plot = roc_plot([Curve("Net", [0, 0.5, 1], [0.25, 1, 1], [0, 0.5, 1], [0.5, 1, 1])])
    assert plot.curves[0]["line"] == "M0.0 225.0L150.0 0.0L300.0 0.0"
    assert plot.curves[0]["band"].endswith("Z")


def test_dots_of_one_subject_do_not_cover_each_other():
    probabilities = np.random.default_rng(3).beta(0.5, 0.5, 40).round(2)
    shifts, apart = spread_dots(probabilities, 90, 4.5)
    points = np.column_stack([shifts, 220 * probabilities])
    distances = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    assert apart
    assert distances[~np.eye(40, dtype=bool)].min() >= 4.5
    assert np.abs(shifts).max() <= 45 - 2.5
    # Thirty equal ones do not fit into the width of five.
    assert not spread_dots([1.0] * 30, 26, 4.5)[1]


def test_the_first_use_of_a_word_is_linked_and_the_rest_is_text():
    entries = read_glossary(
        "| term | meaning |\n|---|---|\n| leakage group | <b> images |\n| run | a model |\n"
    )
    assert [entry.place for entry in entries] == ["leakage-group", "run"]
    text = Explainer(entries)("<i> 3 leakage groups, a leakage group and runs")
    assert text == (
        '&lt;i&gt; 3 <a class="term" href="#word-leakage-group" title="&lt;b&gt; images">leakage '
        "groups</a>, a leakage group and runs"
    )
    assert Explainer([])("a < b") == "a &lt; b"


def test_every_linked_word_is_in_the_glossary(hostile):
    _, page, _ = hostile
    entries = read_glossary((REPOSITORY / "docs" / "glossary.md").read_text("utf-8"))
    assert len(Explainer(entries).entries) == len(LINKED)
    targets = set(re.findall(r'href="#(word-[^"]*)"', page))
    assert targets
    assert targets <= set(re.findall(r'id="(word-[^"]*)"', page))


def test_dots_of_all_subjects_are_two_paths():
    subjects = [
        SubjectColumn("a", False, [0.0, 0.5], 0.25, False),
        SubjectColumn("b", True, [1.0], 1.0, False),
    ]
    plot = strip_plot(subjects, 0.5)
    assert [kind["path"].count("M") for kind in plot.dots] == [2, 1]
    assert plot.columns[0]["x"] < plot.columns[1]["x"]
    assert plot.dots[1]["path"].endswith(f" {12:.1f}h0")
