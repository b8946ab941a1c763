"""Figures: what is drawn holds the data, and the same data give the same bytes."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread

from blastfold.core.errors import BlastfoldError
from blastfold.core.names import BASELINES
from blastfold.reporting.figures import (
    accuracy,
    architecture,
    comparisons,
    datasets,
    evaluation,
    style,
    training,
)
from blastfold.reporting.figures import baselines as looks

HOSTILE = "$x_1$ 100 % & a very long title with ünïcode that has to be broken into lines"


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def manifest(labels, subjects):
    names = [("normal", "blast")[label] for label in labels]
    ids = [str(number) for number in range(len(labels))]
    return pd.DataFrame({"image_id": ids, "label": labels, "class": names, "subject": subjects})


@pytest.fixture
def figure():
    return datasets.class_distribution(manifest([0, 1, 1], ["a", "b", "b"]), HOSTILE)


def test_same_figure_same_bytes_in_every_format(tmp_path):
    for name in ("first", "second"):
        paths = [tmp_path / f"{name}.{ending}" for ending in ("pdf", "svg", "png")]
        table = manifest([0, 1, 1], ["a", "b", "b"])
        style.save_figure(datasets.class_distribution(table, HOSTILE), paths)
    for ending in ("pdf", "svg", "png"):
        first, second = (tmp_path / f"{name}.{ending}" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes(), ending


def test_files_have_no_date_text_stays_text_and_width_is_the_column(figure, tmp_path):
    paths = [tmp_path / f"f.{ending}" for ending in ("pdf", "svg", "png")]
    style.save_figure(figure, paths)
    svg = paths[1].read_text()
    assert "dc:date" not in svg
    assert ">Normal</text>" in svg
    assert re.search(r'width="([\d.]+)pt"', svg).group(1).startswith("510.2")
    pdf = paths[0].read_bytes()
    assert b"CreationDate" not in pdf
    assert b"/Type3" not in pdf
    assert imread(paths[2]).shape[1] == pytest.approx(180 / 25.4 * 300, abs=1)


def test_labels_keep_their_distance_from_the_edge_of_the_picture(tmp_path):
    titles = {
        "protocol": {"a": "75/5/20 by image", "b": "3 folds by subject"},
        "model": {"long": "DenseNet169", "short": "Simple CNN"},
    }
    rows = pd.DataFrame({"model": ["long", "short"] * 2, "metric": ["accuracy"] * 2 + ["auc"] * 2})
    names = {"first_protocol": "a", "second_protocol": "b", "view": "common images"}
    numbers = {"difference": 0.02, "lower": -0.1, "upper": 0.1, "common_images": 45}
    rows = rows.assign(**names, **numbers, outcome="descriptive", metric_title="")
    sizes = {"a": "166", "b": "124"}
    style.save_figure(
        comparisons.protocol_gap(rows, titles, sizes, "Smears"), [tmp_path / "gap.png"]
    )
    dark = (imread(tmp_path / "gap.png")[..., :3] < 0.9).any(axis=2).any(axis=0)
    # 0.02 inches; measured at another resolution, the longest label was cut at the left edge.
    assert not dark[:6].any()
    assert not dark[-6:].any()


def test_style_does_not_depend_on_the_caller(tmp_path):
    import matplotlib as mpl

    plain = datasets.class_distribution(manifest([0, 1], ["", ""]), "t")
    style.save_figure(plain, [tmp_path / "a.png"])
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.bbox": "tight"}):
        other = datasets.class_distribution(manifest([0, 1], ["", ""]), "t")
        style.save_figure(other, [tmp_path / "b.png"])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_unknown_suffix_is_refused(figure, tmp_path):
    with pytest.raises(BlastfoldError, match=r"pdf, \.svg, \.png"):
        style.save_figure(figure, [tmp_path / "f.jpg"])


def test_class_bars_are_as_high_as_the_counts():
    table = manifest([0] * 3 + [1] * 5, ["a", "a", "b", "c", "c", "c", "c", "d"])
    classes, subjects = datasets.class_distribution(table, "t").axes
    assert [bar.get_height() for bar in classes.patches] == [3, 5]
    drawn = np.array([bar.get_height() for bar in subjects.patches]).reshape(2, 4)
    assert [label.get_text() for label in subjects.get_xticklabels()] == ["c", "a", "b", "d"]
    assert drawn.tolist() == [[0, 2, 1, 0], [4, 0, 0, 1]]


def test_examples_come_from_as_many_subjects_as_there_are():
    labels = [0] * 40 + [1] * 12
    subjects = [f"s{number // 10}" for number in range(40)] + ["x"] * 12
    chosen = datasets.choose_examples(manifest(labels, subjects), 6)
    normal = chosen[chosen["label"] == 0]
    assert len(normal) == 6
    assert normal["subject"].nunique() == 4
    assert (chosen["label"] == 1).sum() == 6
    many = manifest([0] * 100, [f"s{number:02d}" for number in range(100)])
    assert datasets.choose_examples(many, 6).index.tolist() == [0, 20, 40, 59, 79, 99]


def test_example_images_are_the_chosen_ones(tmp_path):
    images = np.arange(5 * 4 * 4 * 3, dtype="uint8").reshape(5, 4, 4, 3)
    np.save(tmp_path / "images.npy", images)
    table = manifest([0, 1, 0, 1, 1], list("abcde"))
    figure = datasets.example_images(images, table)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    for drawn, position in zip(shown, (0, 2, 1, 3, 4), strict=True):
        np.testing.assert_array_equal(drawn, images[position])
    assert {"Normal", "Blast", "Subject a", "Subject e"} <= set(texts(figure))
    table.to_csv(tmp_path / "manifest.tsv", sep="\t", index=False)
    datasets.plot_example_images(
        tmp_path / "images.npy", tmp_path / "manifest.tsv", [tmp_path / "f.png"]
    )
    assert (tmp_path / "f.png").stat().st_size > 1000


def test_augmented_images_are_next_to_their_original(tmp_path):
    original = np.arange(2 * 3 * 5 * 3, dtype="uint8").reshape(2, 3, 5, 3)
    augmented = np.stack([original + 100, original + 150, original], axis=1)
    figure = datasets.augmented_images(original, augmented, ["flip_up", "hue", "all"])
    shown = [axes.images[0].get_array() for axes in figure.axes]
    np.testing.assert_array_equal(shown[0], original[0])
    np.testing.assert_array_equal(shown[2], augmented[0, 1])
    np.testing.assert_array_equal(shown[5], augmented[1, 0])
    assert {"Original", "Flip up", "Hue", "All"} <= set(texts(figure))
    np.savez(
        tmp_path / "s.npz",
        original=original,
        augmented=augmented,
        operations=np.array(["flip_up", "hue", "all"]),
    )
    datasets.plot_augmented_images(tmp_path / "s.npz", [tmp_path / "f.svg"])
    assert "Flip up" in (tmp_path / "f.svg").read_text()


@pytest.mark.parametrize("folds", [1, 2, 7])
def test_mean_images_show_every_fold(folds):
    means = {fold: np.full((4, 6, 3), 25.5 * fold, dtype="float32") for fold in range(folds)}
    figure = datasets.mean_image_grid(means)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(shown) == folds
    for fold, drawn in enumerate(shown):
        np.testing.assert_allclose(drawn, fold / 10, atol=1e-6)


def history(epochs, shift=0.0):
    epoch = np.arange(1, epochs + 1)
    columns = {"epoch": epoch}
    for place, name in enumerate(("loss", "accuracy", "f1")):
        columns[name] = epoch / 100 + shift + place
        columns[f"val_{name}"] = epoch / 50 + shift + place
    return pd.DataFrame(columns)


def test_training_curves_are_the_history_and_its_mean():
    folds = [history(4), history(6, shift=0.1)]
    figure = training.training_curves(folds, HOSTILE)
    for axes, name in zip(figure.axes, ("accuracy", "loss", "f1"), strict=True):
        thin_first, thin_second, mean = axes.lines[:3]
        np.testing.assert_array_equal(thin_first.get_ydata(), folds[0][name])
        np.testing.assert_array_equal(thin_second.get_ydata(), folds[1][name])
        expected = (folds[0][name] + folds[1][name][:4]) / 2
        np.testing.assert_allclose(mean.get_ydata(), expected)
        np.testing.assert_array_equal(mean.get_xdata(), [1, 2, 3, 4])


def test_training_curves_without_validation_and_of_one_epoch():
    single = history(1).assign(val_loss=np.nan, val_accuracy=np.nan, val_f1=np.nan)
    figure = training.training_curves([single], "t")
    for axes in figure.axes:
        assert len(axes.lines) == 1
        assert axes.lines[0].get_marker() == "o"


def test_confusion_matrix_writes_counts_and_row_percent():
    figure = evaluation.confusion_matrix(np.array([[203, 20], [4, 190]]), ["hem", "ALL"], 10, "t")
    written = texts(figure)
    assert {"203", "20", "4", "190"} <= set(written)
    assert {"Hem", "ALL", "Hem\n(n = 223)", "ALL\n(n = 194)"} <= set(written)
    assert {"91.03 %", "97.94 %", "8.97 %", "2.06 %"} <= set(written)
    assert "t\n417 test images, 10 folds together" in written
    np.testing.assert_allclose(figure.axes[0].images[0].get_array().sum(axis=1), 1)


def test_confusion_matrix_of_one_class_reports_it():
    figure = evaluation.confusion_matrix(np.array([[0, 0], [1, 2]]), ["normal", "blast"], 1, "t")
    assert texts(figure).count("no images") == 2


def roc_points(scopes):
    return pd.concat(
        pd.DataFrame(
            {
                "scope": scope,
                "false_positive_rate": [0, 0.1, 1],
                "true_positive_rate": [0, height, 1],
            }
        )
        for scope, height in scopes.items()
    )


def test_roc_draws_each_model_and_its_folds():
    several = roc_points({"fold-0": 0.5, "fold-1": 0.7, "pooled": 0.6})
    single = roc_points({"fold-0": 0.9, "pooled": 0.9})
    figure = evaluation.roc([several, single], [0.75, 0.9], ["A", "A"], HOSTILE)
    heights = [line.get_ydata()[1] for line in figure.axes[0].lines]
    assert heights == [1, 0.5, 0.7, 0.6, 0.9]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["A, AUC 0.750", "A, AUC 0.900", "Chance"]
    colours = [to_hex(line.get_color()) for line in figure.axes[0].lines]
    assert colours[3].upper() == style.BLUE
    assert colours[4].upper() == style.VERMILLION


def test_roc_without_a_curve_is_called_undefined():
    empty = pd.DataFrame(columns=["scope"])
    figure = evaluation.roc([empty], [float("nan")], ["A"], "t")
    assert figure.legends[0].get_texts()[0].get_text() == "A, AUC undefined"


def test_precision_recall_shows_the_share_of_the_positive_class():
    points = pd.DataFrame({"scope": "pooled", "recall": [1, 0.5, 0], "precision": [0.4, 0.8, 1]})
    points["average_precision"] = 0.6
    figure = evaluation.precision_recall([points], ["M"], (0.4, "ALL"), "t")
    chance, curve = figure.axes[0].lines
    assert set(chance.get_ydata()) == {0.4}
    assert list(curve.get_ydata()) == [0.4, 0.8, 1]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["M, average precision 0.600", "Chance (40.0 % ALL)"]


def test_precision_recall_without_a_curve_is_undefined():
    empty = pd.DataFrame(columns=["scope", "recall", "precision", "average_precision"])
    figure = evaluation.precision_recall([empty], ["M"], (1.0, "blast"), "t")
    assert figure.legends[0].get_texts()[0].get_text() == "M, average precision undefined"


def run_row(model, protocol, accuracy, folds, printed=()):
    names = {"model": model, "model_title": model, "protocol": protocol, "protocol_title": protocol}
    ends = {"lower": accuracy - 0.2, "upper": accuracy + 0.05}
    return names | {"accuracy": accuracy, "folds": folds, "printed": list(printed)} | ends


def test_every_accuracy_has_its_interval_folds_and_printed_values():
    rows = [
        run_row("vgg19", "image", 0.9, [0.9], printed=[0.85, 0.87]),
        run_row("vgg19", "subject", 0.7, [0.6, 0.8], printed=[0.85, 0.87]),
    ]
    axes = accuracy.accuracy_comparison(rows, HOSTILE).axes[0]
    values = [bar.lines[0].get_ydata()[0] for bar in axes.containers]
    assert values == [0.9, 0.7]
    [points] = [item for item in axes.collections if hasattr(item, "get_sizes")]
    np.testing.assert_allclose(points.get_offsets()[:, 1], [0.6, 0.8])
    lines = [item for item in axes.collections if item is not points]
    segments = np.concatenate([np.array(item.get_segments()) for item in lines])
    heights = {tuple(np.round(segment[:, 1], 6)) for segment in segments}
    assert {(0.7, 0.95), (0.5, 0.75)} <= heights
    assert {(0.85, 0.85), (0.87, 0.87)} <= heights


def test_literature_bars_are_sorted_and_distinguished():
    entries = [
        {"name": "b", "kind": "measured", "accuracy": 0.8},
        {"name": "a", "kind": "literature", "accuracy": 0.9},
        {"name": "c", "kind": "thesis", "accuracy": 0.7},
    ]
    axes = accuracy.literature_comparison(entries).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c", "b", "a"]
    bars = {round(bar.get_y() + 0.36): bar for bar in axes.patches}
    assert [bars[place].get_width() for place in range(3)] == [0.7, 0.8, 0.9]
    assert bars[0].get_hatch()
    assert to_hex(bars[1].get_facecolor()).upper() == style.BLUE
    assert to_hex(bars[2].get_facecolor()).upper() == style.LIGHT_GREY


def test_literature_entries_name_each_printed_accuracy_once():
    literature = pd.DataFrame(
        [{"reference": "6", "first_author": "G", "classifier": "KNN", "accuracy": "91", "note": ""}]
    )
    rows = [("T1", "99"), ("T2", "99"), ("S", "86.87")]
    published = pd.DataFrame(
        [
            {"source": source, "dataset": "D", "model": "densenet169", "accuracy": accuracy}
            for source, accuracy in rows
        ]
    )
    entries = accuracy.literature_entries(literature, published)
    assert [entry["kind"] for entry in entries] == ["literature", "thesis", "thesis"]
    assert [entry["accuracy"] for entry in entries] == pytest.approx([0.91, 0.99, 0.8687])


def layers(rows):
    columns = ["name", "kind", "output_shape", "parameters", "trainable", "block"]
    return pd.DataFrame(rows, columns=columns)


SIMPLE_CNN = layers(
    [
        ("conv2d", "Conv2D", "255x255x32", 896, 1, "conv2d"),
        ("max_pooling2d", "MaxPooling2D", "127x127x32", 0, 0, "max_pooling2d"),
        ("conv2d_1", "Conv2D", "125x125x64", 18496, 1, "conv2d_1"),
        ("max_pooling2d_1", "MaxPooling2D", "62x62x64", 0, 0, "max_pooling2d_1"),
        ("conv2d_2", "Conv2D", "60x60x128", 73856, 1, "conv2d_2"),
        ("flatten", "Flatten", "460800", 0, 0, "flatten"),
        ("dense", "Dense", "128", 58982528, 1, "dense"),
        ("classifier", "Dense", "1", 129, 1, "classifier"),
    ]
)


def test_simple_cnn_keeps_its_eight_stages():
    stages = architecture.find_stages(SIMPLE_CNN)
    assert len(stages) == 8
    roles = [
        "convolution",
        "pooling",
        "convolution",
        "pooling",
        "convolution",
        "other",
        "dense",
        "dense",
    ]
    assert [stage.role for stage in stages] == roles
    assert architecture.summarise(SIMPLE_CNN) == "8 layers, 59,075,905 parameters"
    assert architecture.describe(stages[0]) == (
        "Convolution",
        ["255 x 255 x 32", "896 parameters"],
    )
    assert architecture.describe(stages[-1])[1] == ["dense layer", "1 value", "129 parameters"]
    figure = architecture.architecture(SIMPLE_CNN, (257, 257), "Simple CNN")
    assert {"257 x 257 x 3", "58,982,528 parameters"} <= {
        line for text in texts(figure) for line in text.split("\n")
    }


def test_deep_networks_lose_no_layer_and_no_parameter():
    rows = [("input", "InputLayer", "64x64x3", 0, 0, "input")]
    for number in range(30):
        size = 32 // 2 ** (number // 10)
        for kind, parameters in (("ZeroPadding2D", 0), ("Conv2D", 10), ("BatchNormalization", 4)):
            block = f"pad_{number}" if kind == "ZeroPadding2D" else f"block_{number}"
            rows.append((kind, kind, f"{size}x{size}x8", parameters, 0, block))
    rows.append(("relu", "ReLU", "8x8x8", 0, 0, "out"))
    rows.append(("pool", "GlobalAveragePooling2D", "8", 0, 0, "pool"))
    rows.append(("classifier", "Dense", "2", 18, 1, "classifier"))
    table = layers(rows)
    stages = architecture.find_stages(table)
    assert [stage.shape for stage in stages] == [(32, 32, 8), (16, 16, 8), (8, 8, 8), (8,), (2,)]
    assert sum(len(stage.kinds) for stage in stages) == len(table) - 1
    assert sum(stage.parameters for stage in stages) == table["parameters"].sum()
    assert [stage.trained for stage in stages] == [False, False, False, False, True]
    assert "10 convolutions" in architecture.describe(stages[0])[1]
    assert "frozen" in architecture.describe(stages[0])[1]
    assert architecture.summarise(table).endswith("18 of them in trained layers")


def test_the_legend_of_baselines_has_the_marks_that_are_drawn():
    limits = {"value": 0.8, "lower": 0.7, "upper": 0.9}
    rows = [
        {"model": "net", "model_title": "Net", "look": looks.NOT_SHOWN},
        *({"model": name, "model_title": name, "look": looks.TRIVIAL} for name in BASELINES),
    ]
    table = pd.DataFrame([{"protocol": "folds"} | row | limits for row in rows])
    [legend] = looks.baselines(table, {"folds": "Folds"}, "Cells").legends
    assert [text.get_text() for text in legend.get_texts()] == [looks.NOT_SHOWN, looks.TRIVIAL]
