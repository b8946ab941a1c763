"""Figures of more than two classes hold the data, with names as users wrote them."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from support.class_results import KAGGLE, LONG, class_manifest, class_predictions, mark

from blastfold.core.class_tables import RELIABILITY_COLUMNS
from blastfold.core.names import SUBJECT
from blastfold.core.units import units_of
from blastfold.reporting.class_predictions import confused_pairs, predicted_by_image
from blastfold.reporting.class_tables import Confusion
from blastfold.reporting.figures import (
    class_subjects,
    classes,
    confused_cells,
    datasets,
    evaluation,
)
from blastfold.reporting.figures.class_calibration import class_calibration, class_risk_coverage
from blastfold.reporting.figures.class_styles import class_style


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def joined(figure):
    return "|".join(text.replace("\n", " ") for text in texts(figure))


def read(predictions):
    """As a reader returns them."""
    return predictions.assign(class_label=predictions["label"])


def test_the_confusion_matrix_has_counts_and_row_shares_and_whole_names():
    counts = np.array([[90, 10, 0, 0], [5, 15, 0, 0], [0, 1, 299, 0], [0, 0, 0, 0]])
    figure = classes.class_confusion(Confusion(KAGGLE, counts, 5), "Cells, $a_b$")
    shown = joined(figure)
    for text in ("90.0 %", "10.0 %", "25.0 %", "75.0 %", "0.3 %", "99.7 %", "no images"):
        assert text in shown, text
    for name in KAGGLE:
        assert len(re.findall(rf"\|{re.escape(name)}( \(n = \d+\))?(?=\|)", shown)) >= 2
    assert "420 test images, 5 folds together" in shown


@pytest.mark.parametrize("number", [6, 15])
def test_no_text_of_the_confusion_matrix_leaves_its_cell(number):
    counts = np.full((number, number), 1234)
    figure = classes.class_confusion(Confusion(LONG[:number], counts, 1), "t")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    renderer = figure._get_renderer()
    side = abs(np.diff(axes.transData.transform([(0, 0), (1, 1)]), axis=0)).min()
    for text in axes.texts:
        box = text.get_window_extent(renderer)
        assert box.width < 0.98 * side
        assert box.height < 0.5 * side
    assert "1,234" in texts(figure)


def test_twenty_five_classes_show_their_shares_alone():
    names = tuple(f"class {number}" for number in range(25))
    counts = np.eye(25, dtype=int) * 17 + 1
    shown = texts(classes.class_confusion(Confusion(names, counts, 1), "t"))
    assert "43" in shown
    assert "18" not in shown


def test_the_curves_are_the_points_and_the_legend_has_areas_and_images():
    curves = pd.DataFrame(
        {
            "class": ["a", "a", "b", "b"],
            "curve": ["roc", "roc", "precision_recall", "precision_recall"],
            "x": [0.0, 1.0, 0.5, 1.0],
            "y": [0.25, 1.0, 0.75, 0.5],
        }
    )
    counts = np.array([[7, 1, 0], [0, 3, 1], [0, 0, 0]])
    areas = {"a": (0.9, 0.8, 1.0), "b": (0.7, np.nan, np.nan), "c": (np.nan, np.nan, np.nan)}
    figure = classes.class_curves(curves, areas, Confusion(("a", "b", "c"), counts, 1), "t")
    roc, recall = figure.axes
    assert roc.get_lines()[0].get_xydata().tolist() == [[0, 0.25], [1, 1]]
    assert recall.get_lines()[1].get_xydata().tolist() == [[0.5, 0.75], [1, 0.5]]
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == [
        "a (8): AUC 0.900 [0.800, 1.000]",
        "b (4): AUC 0.700",
        "c (0): AUC undefined",
    ]


def test_many_classes_are_drawn_in_ways_that_do_not_repeat():
    looks = [class_style(place) for place in range(28)]
    assert len({(look.colour, look.line) for look in looks}) == 28
    assert len({(look.colour, look.hatch) for look in looks}) == 28


# Machado, Oliveira and Fernandes (2009): deuteranopia and protanopia at full severity, linear RGB.
BLIND = {
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
}


@pytest.mark.parametrize("kind", BLIND)
def test_seven_colours_differ_for_colour_blind_readers(kind):
    seen = []
    for place in range(7):
        linear = np.array(to_rgb(class_style(place).colour)) ** 2.2
        seen.append(np.clip(np.array(BLIND[kind]) @ linear, 0, 1) ** (1 / 2.2))
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(one - other) > 0.15


def test_the_most_confused_pair_is_first_and_both_directions_are_shown():
    predicted = pd.DataFrame(
        [
            ("one", "b", "c", 0.6),
            ("two", "c", "b", 0.9),
            ("three", "b", "c", 0.8),
            ("four", "a", "b", 0.99),
            ("five", "a", "a", 1.0),
        ],
        columns=["image_id", "class", "predicted", "certainty"],
    ).set_index("image_id")
    pairs = confused_pairs(predicted, ("a", "b", "c"), 5, 2)
    assert [(pair.first, pair.second, pair.images) for pair in pairs] == [
        ("b", "c", 3),
        ("a", "b", 1),
    ]
    assert list(pairs[0].cells.index) == ["three", "two"]
    pictures = {name: np.zeros((4, 4, 3), np.uint8) for name in predicted.index}
    shown = joined(confused_cells.confused_cells(pairs, pictures, "t"))
    assert "b and c: 3 images" in shown
    assert "c as b 90 %" in shown
    assert "a and b: 1 image|" in f"{shown}|"


def test_without_a_confusion_the_figure_reports_it():
    assert "No test image is predicted as another class." in texts(
        confused_cells.confused_cells([], {}, "t")
    )


def test_the_prediction_of_an_image_is_the_mean_of_its_repeats():
    table = pd.DataFrame(
        {
            "image_id": ["x", "x"],
            "repeat": [0, 1],
            "fold": [0, 0],
            "class_label": [2, 2],
            "probability_a": [0.6, 0.0],
            "probability_b": [0.3, 0.3],
            "probability_c": [0.1, 0.7],
        }
    )
    row = predicted_by_image(table).loc["x"]
    assert (row["class"], row["predicted"], row["predictions"]) == ("c", "c", 2)
    assert row["certainty"] == pytest.approx(0.4)
    assert row["truth"] == pytest.approx(0.4)


def test_bars_of_subjects_are_the_shares_of_their_cells():
    predictions = read(class_predictions(KAGGLE, 60, seed=3))
    manifest = class_manifest(predictions, KAGGLE, subjects=4)
    table = class_subjects.shares_table(
        predicted_by_image(predictions), units_of(manifest, SUBJECT), KAGGLE
    )
    figure = class_subjects.class_subjects(table, KAGGLE, "t")
    wide = [
        patch
        for patch in figure.axes[0].patches
        if isinstance(patch, Rectangle) and patch.get_width() == pytest.approx(0.48)
    ]
    # Class after class, subject after subject.
    heights = np.array([patch.get_height() for patch in wide]).reshape(4, 4).T
    called = predictions[[f"probability_{name}" for name in KAGGLE]].to_numpy().argmax(axis=1)
    for row, subject in enumerate(table["subject"]):
        own = (manifest["subject"] == subject).to_numpy()
        expected = np.bincount(called[own], minlength=4) / own.sum()
        assert heights[row] == pytest.approx(expected)
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == list(
        table["subject"]
    )


def test_unknown_subjects_are_said_and_two_classes_keep_their_figure():
    predictions = read(mark(class_predictions(KAGGLE, 20), KAGGLE, KAGGLE[1:]))
    manifest = class_manifest(predictions, KAGGLE).assign(subject="")
    table = class_subjects.shares_table(
        predicted_by_image(predictions), units_of(manifest, SUBJECT), KAGGLE
    )
    assert "does not name its subjects" in joined(class_subjects.class_subjects(table, KAGGLE, "t"))


def test_the_distribution_of_many_classes_names_each_with_its_images():
    manifest = class_manifest(class_predictions(LONG[:9], 90), LONG[:9])
    manifest = manifest.assign(label=manifest["label"].astype(int))
    shown = joined(datasets.class_distribution(manifest, "t"))
    for name, number in manifest["class"].value_counts().items():
        assert f" {number} ({100 * number / 90:.1f} %)" in shown
        assert name[:12] in shown


def bins_of(classes, state, shares):
    """One bin per class that has half of its images, and an empty interval in the first one."""
    rows = [
        ("pooled", state, name, 0.0, 0.5, 40, 0.4, share, share - 0.1, share + 0.1, 9, "")
        for name, share in zip(classes, shares, strict=True)
    ]
    table = pd.DataFrame(rows, columns=list(RELIABILITY_COLUMNS))
    table.loc[0, ["lower", "upper"]] = np.nan
    return table


def test_the_reliability_of_each_class_is_its_bins_and_errors():
    classes = LONG[:16]
    shares = np.linspace(0.9, 0.1, 16)
    bins = bins_of(classes, "before", shares)
    # Nothing was fitted for the first class.
    after = bins_of(classes, "after", shares).assign(mean_probability=0.3)
    after.loc[0, "mean_probability"] = 0.4
    errors = pd.DataFrame(
        [("pooled", state, name, 0.125 if state == "before" else 0.0625)
         for state in ("before", "after", "vector") for name in classes],
        columns=["scope", "state", "class", "calibration_error"],
    )  # fmt: skip
    figure = class_calibration(pd.concat([bins, after], ignore_index=True), errors, "t")
    drawn = [axes for axes in figure.axes if axes.get_title()]
    assert len(drawn) == 15
    titles = [axes.get_title().replace("\n", " ") for axes in drawn]
    assert titles[0].endswith("(36) ECE 0.125 nothing fitted")
    assert titles[14].endswith("ECE 0.125 scaled 0.062")
    points = drawn[3].containers[0].lines[0].get_xydata()
    assert points.tolist() == [[pytest.approx(0.39), pytest.approx(shares[3])]]
    assert "without the 1 classes" not in joined(figure)
    assert "without the class with the fewest images" in joined(figure)
    # Without an interval the marker is empty, above the filled one.
    empty = [line for line in drawn[0].lines if line.get_markerfacecolor() == "white"]
    assert empty[0].get_xydata().tolist() == [[pytest.approx(0.39), pytest.approx(0.9)]]
    assert empty[0].zorder > max(line.zorder for line in drawn[0].lines if line is not empty[0])


def test_risk_coverage_has_a_panel_per_protocol_and_one_colour_per_model():
    runs = [
        {"protocol": "a", "protocol_title": "A", "model_title": "One"},
        {"protocol": "b", "protocol_title": "B", "model_title": "One"},
        {"protocol": "b", "protocol_title": "B", "model_title": "Two"},
    ]
    curves = [
        pd.DataFrame(
            {"scope": "pooled", "coverage": [0.5, 1], "risk": [0, risk], "images": [1, 2]}
        ).assign(area=risk / 2)
        for risk in (0.1, 0.2, 0.3)
    ]
    figure = class_risk_coverage(curves, runs, "t")
    legends = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in figure.axes]
    assert legends == [
        ["One, mean error 5.0 %"],
        ["One, mean error 10.0 %", "Two, mean error 15.0 %"],
    ]
    lines = [line for line in figure.axes[1].lines if len(line.get_xdata())]
    assert [line.get_ydata().tolist() for line in lines] == [[0, 0.2], [0, 0.3]]
    assert lines[0].get_color() == figure.axes[0].lines[0].get_color()


def test_sides_of_several_classes_are_named_in_the_confusion_matrix_without_overlap():
    names = [" + ".join(LONG[:3]), " + ".join(LONG[3:5])]
    figure = evaluation.confusion_matrix(np.array([[263, 12], [24, 91]]), names, 3, "t (positive)")
    assert "|Positive classes|" in joined(figure)
    figure.draw_without_rendering()
    ticks = figure.axes[0].get_xticklabels()
    first, second = (tick.get_window_extent() for tick in ticks)
    assert first.x1 < second.x0
    assert evaluation.style.side_names(["Benign", KAGGLE[1]]) == ["Benign", KAGGLE[1]]
