"""Tables: values against pandas and hand-computed numbers, and what hostile text becomes."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from support.predictions import write_stored_predictions
from support.repository import RESOURCES
from support.result_pages import intervals

from blastfold.core.errors import BlastfoldError, InputError
from blastfold.core.names import CELLS, METRICS
from blastfold.evaluation import metrics
from blastfold.reporting.tables import datasets, latex, reproduction, results, writing
from blastfold.reporting.tables.points import CUT
from blastfold.reporting.tables.shown import read_shown_table

HOSTILE = "a_b & 100 % $x^2$ {#1} ~ \\cmd < > | Zürich"


def write_metrics(path, values, notes=None):
    """Write metrics.tsv; values: scope -> accuracy, from which the other metrics are made."""
    rows = [
        (scope, metric, "" if value is None else value - place / 100, (notes or {}).get(scope, ""))
        for scope, value in values.items()
        for place, metric in enumerate(METRICS)
    ]
    table = pd.DataFrame(rows, columns=["scope", "metric", "value", "note"])
    table.to_csv(path, sep="\t", index=False)
    return path


FOLDS = {"fold-0": 0.9, "fold-1": 0.8, "mean": 0.85, "sd": 0.5**0.5 / 10, "pooled": 0.84}


def test_tsv_keeps_full_precision_and_pandas_reads_it_back(tmp_path):
    table = pd.DataFrame({"model": ["ä", "b"], "accuracy": [1 / 3, 2 / 3], "folds": [1, 10]})
    writing.write_table(table, [tmp_path / "t.tsv"], "Caption", "tab:t")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t.tsv", sep="\t"), table)


def test_markdown_shows_percent_with_two_decimals_and_the_deviation_in_the_same_cell():
    table = pd.DataFrame(
        {
            "model": ["vgg19"],
            "model_title": ["VGG19"],
            "accuracy": [0.99494],
            "accuracy_sd": [0.0123],
            "mcc": [-0.5],
            "train_min": [7],
            "train_max": [9],
            "note": [""],
        }
    )
    lines = writing.to_markdown(table, "Caption").splitlines()
    assert lines[2] == "| Model | Accuracy (%) | MCC | Train |"
    assert lines[3] == "| :--- | ---: | ---: | ---: |"
    assert lines[4] == "| VGG19 | 99.49 ± 1.23 | \N{MINUS SIGN}0.500 | 7 to 9 |"


def test_differences_beyond_100_points_are_cut_with_a_note(tmp_path):
    numbers = {"difference": [44.78, 44.78, 5.0], "difference_lower": [-73.75, -73.75, -1.0]}
    table = pd.DataFrame(
        numbers
        | {"difference_upper": [163.31, 163.31, 11.0], "metric": ["auc", "mcc", "auc"]}
        | {"note": ["few groups", "", ""]}
    )
    writing.write_table(table, [tmp_path / "t.tsv"], "Caption", "tab:t")
    written = pd.read_csv(tmp_path / "t.tsv", sep="\t", keep_default_na=False)
    # A difference of two correlations reaches 200 points.
    assert written["difference_upper"].tolist() == [100.0, 163.31, 11.0]
    assert written["difference_lower"].tolist() == [-73.75, -73.75, -1.0]
    assert written["note"].tolist() == [f"few groups; {CUT}", "", ""]


def test_markdown_survives_pipes_and_markup():
    text = writing.to_markdown(pd.DataFrame({"name": ["a|b*c\nd"]}), "x_y")
    assert r"| a\|b\*c d |" in text
    assert text.startswith("x\\_y\n")


def test_latex_escapes_every_special_character():
    escaped = latex.escape_latex(HOSTILE)
    assert escaped == (
        r"a\_b \& 100 \% \$x\textasciicircum{}2\$ \{\#1\} \textasciitilde{} "
        r"\textbackslash{}cmd \textless{} \textgreater{} \textbar{} Zürich"
    )


def test_latex_table_is_whole_and_balanced():
    table = pd.DataFrame({"data_set": [HOSTILE, "b"], "accuracy": [0.5, np.nan], "note": ["", "?"]})
    text = writing.to_latex(table, f"Caption {HOSTILE}", "tab:a b_%")
    assert r"\label{tab:a-b-}" in text
    assert text.count(r"\begin{") == text.count(r"\end{") == 2
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(f"\\{rule}") == 1
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    for row in body:
        assert len(re.findall(r"(?<!\\)&", row)) == 1
        assert row.endswith(r"\\")
    plain = re.sub(r"\\[\\{}]", "", text)
    assert plain.count("{") == plain.count("}")


def test_wide_tables_are_set_in_parts_and_long_ones_break():
    values = {f"c{number}": [0.123456789] for number in range(20)}
    wide = pd.DataFrame({"model_title": ["Net"], "model": ["net"], **values})
    text = writing.to_latex(wide, "c", "l")
    parts = re.findall(r"\\begin\{tabular\}\{(l?r+)\}", text)
    assert len(parts) == 2
    assert sum(part.count("r") for part in parts) == 20
    assert text.count("Net & ") == len(parts)
    assert text.count(r"\caption") == 1
    assert "sideways" not in text
    long = pd.DataFrame({"a": range(latex.LONGEST + 1)})
    text = writing.to_latex(long, "c", "l")
    assert text.count(r"\begin{longtable}{r}") == text.count(r"\end{longtable}") == 1
    assert text.count(r" \\") == latex.LONGEST + 1 + 2


def test_parts_that_do_not_fit_on_one_page_together_break_across_pages():
    """A float that is larger than the page loses its end."""
    values = {f"c{number}": 0.123456789 for number in range(20)}
    for rows, kind in ((20, "tabular"), (30, "longtable")):
        wide = pd.DataFrame({"model": ["Net"] * rows, **values})
        text = writing.to_latex(wide, "c", "l")
        assert text.count(rf"\begin{{{kind}}}") == 2
        assert (r"\begin{table}" in text) == (kind == "tabular")
    # Cells that break have several lines, and so have notes.
    texts = pd.DataFrame({"name": ["word " * 20] * 16, "n": 1})
    assert r"\begin{longtable}" in writing.to_latex(texts, "c", "l")
    noted = pd.DataFrame({"n": range(30), "note": [f"{row} " + "why " * 40 for row in range(30)]})
    assert r"\begin{longtable}" in writing.to_latex(noted, "c", "l")


def test_long_texts_break_within_their_cell():
    text = writing.to_latex(pd.DataFrame({"name": ["word " * 20], "n": [1]}), "c", "l")
    assert r"\begin{tabular}{p{45mm}r}" in text


def test_a_missing_number_needs_a_note(tmp_path):
    table = pd.DataFrame({"model": ["a"], "auc": [np.nan], "auc_sd": [np.nan]})
    with pytest.raises(BlastfoldError, match="column 'auc' has no value and no note"):
        writing.write_table(table, [tmp_path / "t.md"], "c", "l")
    noted = table.assign(note="one class only")
    writing.write_table(noted, [tmp_path / "t.md", tmp_path / "t.tex"], "c", "l")
    assert "| a | n/a<sup>a</sup> |" in (tmp_path / "t.md").read_text()
    assert "<sup>a</sup> one class only" in (tmp_path / "t.md").read_text()
    assert "a & n/a$^{a}$" in (tmp_path / "t.tex").read_text()


def test_unknown_suffix_is_refused(tmp_path):
    with pytest.raises(BlastfoldError, match=r"tsv, \.tex, \.md, \.html"):
        writing.write_table(pd.DataFrame({"a": [1]}), [tmp_path / "t.csv"], "c", "l")


def test_same_table_same_bytes(tmp_path):
    for name in ("first", "second"):
        paths = [tmp_path / f"{name}.{ending}" for ending in ("tsv", "tex", "md")]
        table = pd.DataFrame({"model": [HOSTILE], "accuracy": [0.1 + 0.2]})
        writing.write_table(table, paths, "c", "l")
    for ending in ("tsv", "tex", "md"):
        first, second = (tmp_path / f"{name}.{ending}" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_datasets_table(tmp_path):
    description = {
        "name": "c_nmc",
        "images": 10661,
        "classes": ["normal", "blast"],
        "class_images": {"normal": 3389, "blast": 7272},
        "subjects": 73,
        "pictures": None,
        "rejected": 2,
        "image_size": [257, 300],
        "source_sizes": [[440, 450, 1], [450, 460, 10660]],
        "parts": {},
        "asked_parts": [],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    paths = [tmp_path / "t.tsv", tmp_path / "t.md"]
    titles, expected = {"c_nmc": "C-NMC"}, {"c_nmc": {"images": 10662}}
    datasets.tabulate_datasets([tmp_path / "dataset.json"], titles, expected, paths)
    row = pd.read_csv(paths[0], sep="\t").iloc[0]
    assert row["dataset_title"] == "C-NMC"
    assert row[["normal", "blast", "total", "subjects", "rejected"]].tolist() == [
        *(3389, 7272, 10661, 73, 2)
    ]
    assert (row["resolution"], row["source_resolution"]) == ("300 x 257", "460 x 450")
    assert np.isnan(row["pictures"])
    assert row["note"].startswith(
        "10661 images, the public data set has 10662. The source does not name"
    )
    shown = (tmp_path / "t.md").read_text()
    assert "nan" not in shown.lower()
    assert "| 73 | unknown<sup>a</sup> |" in shown
    description["unnamed"] = {"subject": 61, "picture": 10661}
    note = datasets.dataset_table([description], titles, expected)["note"].iloc[0]
    assert "The subject of 61 of 10661 images is unknown, so that there may be more" in note
    assert "The picture of" not in note


HOSTILE_CLASSES = {
    "[Malignant] Pre-B": 5,
    "*L1 | L2_%": 4,
    "total": 3,
    "accuracy": 2,
    "x": 7,
    "x_title": 1,
    "ALL": 8,
}


def test_names_of_classes_are_shown_as_they_are(tmp_path):
    description = {"name": "d", "images": 30, "subjects": 3, "pictures": 3, "rejected": 0}
    description |= {"classes": list(HOSTILE_CLASSES), "class_images": HOSTILE_CLASSES}
    description |= {"image_size": [9, 9], "source_sizes": [], "parts": {}, "asked_parts": []}
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    paths = [tmp_path / f"t.{ending}" for ending in ("tsv", "md", "tex", "html")]
    datasets.tabulate_datasets([tmp_path / "dataset.json"], {"d": "[D]"}, {}, paths)
    shown = read_shown_table(paths[1])
    assert shown.headings[1:9] == [*HOSTILE_CLASSES, "Total"]
    assert [cell.text for cell in shown.rows[0]][1:9] == ["5", "4", "3", "2", "7", "1", "8", "30"]
    row = pd.read_csv(paths[0], sep="\t").iloc[0]
    assert row[["class total", "class accuracy", "class x_title", "total"]].tolist() == [
        3,
        2,
        1,
        30,
    ]
    # No line break, rule or cell is followed by what LaTeX takes for an argument.
    assert not re.search(r"(\\\\|rule)\s*[\[*]", paths[2].read_text())


def test_a_quoted_result_names_what_its_start_weights_learnt(tmp_path):
    measured = write_metrics(tmp_path / "metrics.tsv", FOLDS)
    limits = tmp_path / "intervals.tsv"
    both = [intervals(0.8), intervals(0.8).assign(view="folds")]
    pd.concat(both).to_csv(limits, sep="\t", index=False)
    runs = [
        {"dataset": "d", "protocol": "p", "model": model, "group_by": "subject"}
        | {f"{kind}_title": kind for kind in ("dataset", "protocol", "model")}
        for model in ("new", "pre")
    ]
    rows = [
        {"learnt_from": "more", "tested_on": tested, "tested_images": 48, "affected": 40}
        | {"verdict": "shared"}
        for tested in ("d", "elsewhere")
    ]
    audit = tmp_path / "p.identity.tsv"
    pd.DataFrame(rows).to_csv(audit, sep="\t", index=False)
    elsewhere = {"identity": [audit], "learnt_before": {"pre": ["w.h5", "more"], "new": ["w.h5"]}}
    paths = [tmp_path / "quoted.tsv"]
    stored = [measured] * 2, [limits] * 2, runs
    results.tabulate_quoted(*stored, elsewhere, "D", "tab:q", paths)
    notes = pd.read_csv(paths[0], sep="\t", keep_default_na=False).set_index("model")["note"]
    assert notes["pre"].startswith(
        "no result on new images: the start weights learnt from 40 of the 48 test images"
    )
    assert "start weights" not in notes["new"]


def test_split_counts_of_the_thesis_holdout():
    roles = ["train"] * 1562 + ["test"] * 417 + ["validation"] * 104
    folds = pd.DataFrame({"image_id": range(2083), "repeat": 0, "fold": 0, "role": roles})
    counts = results.split_counts(folds)
    expected = {"repeats": 1, "folds": 1, "images": 2083, "train_min": 1562, "train_max": 1562}
    expected |= {"test_min": 417, "test_max": 417, "validation_min": 104, "validation_max": 104}
    assert counts == expected


def test_split_counts_give_the_range_of_unequal_folds_without_validation():
    folds = pd.DataFrame(
        {
            "image_id": list("abcde") * 2,
            "repeat": 0,
            "fold": [0] * 5 + [1] * 5,
            "role": ["test", "test", *["train"] * 3, "train", "train", *["test"] * 3],
        }
    )
    counts = results.split_counts(folds)
    assert (counts["train_min"], counts["train_max"]) == (2, 3)
    assert (counts["test_min"], counts["test_max"]) == (2, 3)
    assert (counts["validation_min"], counts["validation_max"]) == (0, 0)


def test_results_keep_mean_and_pooled_apart(tmp_path):
    metrics = results.read_metrics(write_metrics(tmp_path / "m.tsv", FOLDS))
    rows = results.result_rows(metrics).set_index("view")
    accuracy = [FOLDS["fold-0"], FOLDS["fold-1"]]
    assert rows.at["mean of folds", "accuracy"] == pytest.approx(np.mean(accuracy))
    assert rows.at["mean of folds", "accuracy_sd"] == pytest.approx(np.std(accuracy, ddof=1))
    assert rows.at["pooled folds", "accuracy"] == 0.84
    assert np.isnan(rows.at["pooled folds", "accuracy_sd"])


@pytest.mark.parametrize("seed", range(3))
def test_results_are_those_of_the_confusion_matrices(tmp_path, seed):
    random = np.random.default_rng(seed)
    predictions = pd.DataFrame(
        {"image_id": [f"i{place}" for place in range(90)], "role": "test"}
        | {"fold": np.repeat([0, 1, 2], [20, 30, 40]), "label": random.integers(0, 2, 90)}
        | {"probability": random.random(90)}
    )
    write_stored_predictions(predictions, tmp_path / "p.tsv")
    outputs = {name: str(tmp_path / f"{name}.tsv") for name in ("metrics", "confusion")}
    metrics.evaluate_model([str(tmp_path / "p.tsv")], outputs)
    rows = results.result_rows(results.read_metrics(outputs["metrics"])).set_index("view")
    confusion = pd.read_csv(outputs["confusion"], sep="\t", index_col="scope")[list(CELLS)]
    folds = confusion.drop(index="pooled")
    assert folds.sum().to_dict() == confusion.loc["pooled"].to_dict()
    for counts, view in ((folds, "mean of folds"), (confusion.loc[["pooled"]], "pooled folds")):
        negative, false_alarm, missed, hit = counts.to_numpy(float).T
        expected = {
            "accuracy": (hit + negative) / (hit + negative + missed + false_alarm),
            "sensitivity": hit / (hit + missed),
            "specificity": negative / (negative + false_alarm),
            "precision": hit / (hit + false_alarm),
            "f1": 2 * hit / (2 * hit + missed + false_alarm),
            "mcc": (hit * negative - false_alarm * missed)
            / np.sqrt(
                (hit + false_alarm)
                * (hit + missed)
                * (negative + false_alarm)
                * (negative + missed)
            ),
        }
        for metric, values in expected.items():
            assert rows.at[view, metric] == pytest.approx(np.mean(values), abs=1e-12)
            if view == "mean of folds":
                spread = rows.at[view, f"{metric}_sd"]
                assert spread == pytest.approx(np.std(values, ddof=1), abs=1e-12)


def test_results_of_one_fold_are_one_row(tmp_path):
    values = {"fold-0": 0.9, "mean": 0.9, "sd": None, "pooled": 0.9}
    metrics = results.read_metrics(write_metrics(tmp_path / "m.tsv", values))
    rows = results.result_rows(metrics)
    assert rows[["view", "folds", "accuracy"]].to_numpy().tolist() == [["single test set", 1, 0.9]]
    performance = results.performance_table(metrics)
    assert performance["scope_title"].tolist() == ["Test set"]


def test_folds_are_listed_by_number_not_by_letter(tmp_path):
    values = {f"fold-{fold}": 0.5 for fold in (10, 9, 0)} | {"mean": 0.5, "sd": 0.0, "pooled": 0.5}
    metrics = results.read_metrics(write_metrics(tmp_path / "m.tsv", values))
    scopes = results.performance_table(metrics)["scope"].tolist()
    assert scopes == ["fold-0", "fold-9", "fold-10", "mean", "sd", "pooled"]


def test_undefined_metrics_bring_their_reason(tmp_path):
    predictions = pd.DataFrame(
        {"image_id": ["a", "b"], "fold": 0, "role": "test", "label": 1, "probability": [0.9, 0.2]}
    )
    write_stored_predictions(predictions, tmp_path / "p.tsv")
    metrics.evaluate_model([str(tmp_path / "p.tsv")], {"metrics": str(tmp_path / "m.tsv")})
    paths = [tmp_path / "t.tsv", tmp_path / "t.tex", tmp_path / "t.md"]
    results.tabulate_performance(tmp_path / "m.tsv", HOSTILE, "tab:x", paths)
    row = pd.read_csv(tmp_path / "t.tsv", sep="\t").iloc[0]
    assert row["sensitivity"] == 0.5
    assert np.isnan(row["specificity"])
    assert "Specificity" in row["note"]
    assert "no image of the negative class" in row["note"]
    assert "nan" not in (tmp_path / "t.md").read_text().lower()


def test_metrics_file_without_a_metric_is_named(tmp_path):
    pd.DataFrame({"scope": ["fold-0"], "metric": ["accuracy"], "value": [1]}).to_csv(
        tmp_path / "m.tsv", sep="\t", index=False
    )
    with pytest.raises(InputError, match=r"m\.tsv: the column 'metric' lacks sensitivity"):
        results.read_metrics(tmp_path / "m.tsv")


PUBLISHED = """source\tdataset\tmodel\taccuracy\tsensitivity\tspecificity\tauc\tnote
Table 1\tC-NMC\tvgg19\t85.30\t83.70\t91.57\t81\t
Table 2\tC-NMC\tvgg19\t85.3\t83.70\t90\t81\tthe text agrees
Text\tC-NMC\tvgg19\t86.87\t\t\t\tbest rate
"""


def published():
    return pd.read_csv(io.StringIO(PUBLISHED), sep="\t", dtype=str, keep_default_na=False)


def test_contradictions_have_a_row_for_each_version():
    printed = reproduction.printed_values(published())
    shown = printed[["metric", "printed", "printed_in", "note"]].to_numpy().tolist()
    assert shown == [
        ["accuracy", "85.30", "Table 1, Table 2", "The thesis also prints 86.87 in Text"],
        [
            *("accuracy", "86.87", "Text"),
            "The thesis also prints 85.30 in Table 1, Table 2; best rate",
        ],
        ["sensitivity", "83.70", "Table 1, Table 2", ""],
        ["specificity", "91.57", "Table 1", "The thesis also prints 90 in Table 2"],
        ["specificity", "90", "Table 2", "The thesis also prints 91.57 in Table 1"],
        ["auc", "81", "Table 1, Table 2", ""],
    ]


def test_reproduction_subtracts_the_printed_value_and_names_what_was_not_run(tmp_path):
    (tmp_path / "published.tsv").write_text(
        PUBLISHED + "Table 3\tALL_IDB\tvgg19\t99\t98\t97\t96\t\n"
    )
    run = {"dataset": "c", "dataset_title": "C", "protocol": "k", "protocol_title": "K folds"}
    run |= {"model": "vgg19", "model_title": "VGG", "reproduces": "C-NMC"}
    other = run | {"dataset": "demo", "reproduces": None}
    metrics = [write_metrics(tmp_path / "m.tsv", FOLDS)] * 2
    paths = [tmp_path / "t.tsv", tmp_path / "t.tex", tmp_path / "t.md"]
    reproduction.tabulate_reproduction(tmp_path / "published.tsv", metrics, [run, other], paths)
    table = pd.read_csv(tmp_path / "t.tsv", sep="\t", dtype=str, keep_default_na=False)
    assert len(table) == 6 + 4
    first = table.iloc[0]
    assert first[["run", "printed"]].tolist() == ["c/k", "85.30"]
    assert float(first["ours"]) == pytest.approx(85.0)
    assert float(first["difference"]) == pytest.approx(-0.3)
    assert (table.query("dataset == 'ALL_IDB'")["ours"] == "not run").all()
    markdown = (tmp_path / "t.md").read_text()
    assert "| 85.30<sup>a</sup> | Table 1, Table 2 | K folds | 85.00 | \N{MINUS SIGN}0.30 |" in (
        markdown
    )
    assert "nan" not in markdown.lower()


def test_the_shipped_published_results_hold_the_thesis_contradictions():
    printed = reproduction.printed_values(
        reproduction.read_published(RESOURCES / "published_results.tsv")
    )
    versions = printed.groupby(["dataset", "model", "metric"])["printed"].apply(list).to_dict()
    assert versions["C-NMC", "densenet169", "auc"] == ["81", "61"]
    assert versions["C-NMC", "densenet169", "accuracy"] == ["85.41", "86.87"]
    assert versions["C-NMC", "vgg19", "sensitivity"] == ["85.18", "83.84"]
    assert versions["C-NMC", "simple_cnn", "auc"] == ["80", "94", "96"]
    assert versions["ALL_IDB", "simple_cnn", "accuracy"] == ["94.24"]
    assert set(printed["model"]) == set(reproduction.MODEL_TITLES)


def test_literature_is_sorted_and_printed_as_it_is(tmp_path):
    paths = [tmp_path / "t.tsv", tmp_path / "t.md"]
    reproduction.tabulate_literature(RESOURCES / "literature.tsv", paths)
    table = pd.read_csv(paths[0], sep="\t", dtype=str, keep_default_na=False)
    assert len(table) == 18
    values = table["printed_accuracy"].astype(float)
    assert values.is_monotonic_decreasing
    assert values.iloc[[0, -1]].tolist() == [99.37, 73.7]
    assert "| 96 |" in paths[1].read_text()


def test_a_table_as_a_page_shows_what_markdown_shows(tmp_path):
    rows = [{"model_title": "<b>A & B", "model": "a", "auc": 0.5, "note": "one <class> only"}]
    rows += [{"model_title": "C", "model": "c", "auc": float("nan"), "note": "x"}]
    writing.write_table(pd.DataFrame(rows), [tmp_path / "t.html"], "Results. More of them.", "l")
    page = (tmp_path / "t.html").read_text("utf-8")
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall("<tr>.*", page)]
    assert cells == [
        ["Model", "AUC (%)"],
        ["&lt;b&gt;A &amp; B<sup>a</sup>", "50.00"],
        ["C", "n/a<sup>b</sup>"],
    ]
    assert re.findall('"note">(.*)</p>', page) == [
        "<sup>a</sup> one &lt;class&gt; only",
        "<sup>b</sup> x",
    ]
    assert "<title>Results</title>" in page
