"""The answer, the protocol to quote and the traffic lights, on worked examples."""

import json

import pandas as pd
import pytest
from support.result_pages import (
    NOTHING,
    about,
    comparison,
    intervals,
    predictions,
    read_study,
    write_study,
)

from blastfold.core.tables import read_table, write_table
from blastfold.reporting.page.answer import NO_HONEST, answer_sentences, banner
from blastfold.reporting.page.cells import Cells
from blastfold.reporting.page.content import failure_section, quote_section
from blastfold.reporting.page.elsewhere import clinical_section
from blastfold.reporting.page.trust import BAD, CAUTION, GOOD, LEAKS, OPEN, lights
from blastfold.reporting.tables.writing import write_table as write_printed

SOME = "images_without_subject:2:8"


def state_of(study, check):
    [state] = {light.state for light in lights(study) if light.check.startswith(check)}
    return state


def compare(folder, table):
    """Store a comparison of the two models by subject."""
    write_table(table, folder / "evaluation" / "cells" / "by_subject" / "comparisons.tsv")
    return read_study(folder, about())


def test_the_answer_agrees_with_the_tables(tmp_path):
    write_study(tmp_path)
    study = compare(tmp_path, comparison("no_difference", 0.142))
    first, second = answer_sentences(study, "cells")
    assert first == (
        "On Cells under \u201cby subject\u201d, where none of the 8 test images is related to a "
        "training image, 2 models reach an AUC between 85.0 % [80.0, 90.0] for Small net and 91.0 "
        "% [86.0, 96.0] for Big net; no difference between models is detected (detectable: 14.2 "
        "points)."
    )
    assert second == (
        "Under \u201cby image\u201d, where 8 of 8 test images (100 %) are related to training "
        "images, 2 models reach an AUC between 85.0 % [80.0, 90.0] for Small net and 91.0 % "
        "[86.0, 96.0] for Big net."
    )


def test_a_model_whose_start_weights_learnt_test_images_is_not_quoted(tmp_path):
    write_study(tmp_path)
    row = {"protocol": "by_subject", "learnt_from": "more", "learnt_from_title": "More cells"}
    row |= {"tested_on": "cells", "tested_on_title": "Cells", "tested_images": 8, "affected": 8}
    row |= {"protocol_title": "by subject", "note": ""}
    rows = [row | {"verdict": "shared"}, row | {"learnt_from": "w.h5", "verdict": "no equal file"}]
    write_table(pd.DataFrame(rows), tmp_path / "tables" / "identity.tsv")
    study = read_study(tmp_path, about(learnt_before={"big": ["w.h5", "more"], "small": ["w.h5"]}))
    answer = answer_sentences(study, "cells")[0]
    assert "Small net reaches an AUC of 85.0 % [80.0, 90.0]." in answer
    assert (
        "The start weights of Big net learnt from More cells, which has 8 of the 8 test images"
    ) in answer
    both = read_study(tmp_path, about(learnt_before={"big": ["more"], "small": ["more"]}))
    answer = answer_sentences(both, "cells")[0]
    assert "no model is without test images in its start weights" in answer


@pytest.mark.parametrize(
    ("detectable", "words"),
    [
        ((0.105, 0.3), "(detectable: 10.5 to 30.0 points, depending on the pair)"),
        ((0.105, 1.559), "(detectable: 10.5 points and more; in some pairs none)"),
        ((1.0, 1.559), "(too few groups to detect any)"),
        ((float("nan"), 0.3), "(detectable: 30.0 points)"),
    ],
)
def test_no_difference_of_100_points_is_named(tmp_path, detectable, words):
    write_study(tmp_path)
    rows = pd.concat([comparison("no_difference", value) for value in detectable])
    assert f" is detected {words}." in answer_sentences(compare(tmp_path, rows), "cells")[0]


def test_images_are_counted_once_however_often_they_are_tested(tmp_path):
    write_study(tmp_path)
    study = read_study(tmp_path, about(repeats={"by_image": 4, "by_subject": 4}))
    first, second = answer_sentences(study, "cells")
    assert "none of the 2 test images (4 repeats) is related to a training image" in first
    assert "where 2 of 2 test images (100 %) are related to training images" in second


@pytest.mark.parametrize(("mean", "named"), [(0.95, True), (0.9, False), (float("nan"), False)])
def test_a_pooled_result_unlike_its_folds_is_named(tmp_path, mean, named):
    write_study(tmp_path)
    rows = [
        {"protocol": "by_subject", "model": "small", "view": "mean of folds", "auc": mean},
        {"protocol": "by_subject", "model": "small", "view": "pooled folds", "auc": 0.85},
    ]
    (tmp_path / "tables" / "cells").mkdir(parents=True)
    write_table(pd.DataFrame(rows), tmp_path / "tables" / "cells" / "results.tsv")
    found = answer_sentences(read_study(tmp_path, about()), "cells")
    expected = "the mean of the folds, which is 95.0 % for Small net, pooled 85.0 %:"
    assert any(expected in text for text in found) == named


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("first_higher", "; differences are detected: Small net above Big net by 6.0 points."),
        ("second_higher", "; differences are detected: Big net above Small net by 6.0 points."),
        ("no_verdict", "; one training each: no verdict on the procedures."),
    ],
)
def test_the_verdict_is_the_stored_one(tmp_path, outcome, words):
    write_study(tmp_path)
    assert answer_sentences(compare(tmp_path, comparison(outcome)), "cells")[0].endswith(words)


@pytest.mark.parametrize(
    ("untrained", "ending"),
    [
        (["small", "big"], "not a property of the architectures)."),
        (["small"], "above Big net by 6.0 points."),
    ],
)
def test_a_difference_of_networks_that_learnt_nothing_is_named_as_one(tmp_path, untrained, ending):
    write_study(tmp_path)
    write_table(
        comparison("first_higher"), tmp_path / "evaluation/cells/by_subject/comparisons.tsv"
    )
    study = read_study(tmp_path, about(random_backbones=untrained))
    assert answer_sentences(study, "cells")[0].endswith(ending)


def store_baselines(folder, above, size=("shown", "shown")):
    """Store both models next to the mean colour and the cell size, the stronger one."""
    rows = [
        {"model": model, "model_title": title, "baseline": name, "above_baseline": word}
        | {"baseline_value": value, "protocol": "by_subject", "metric": "auc"}
        for name, value, words in (("mean_colour", 0.8, above), ("cell_size", 0.84, size))
        for model, title, word in zip(
            ("small", "big"), ("Small net", "Big net"), words, strict=True
        )
    ]
    write_table(pd.DataFrame(rows), folder / "tables" / "cells" / "baselines.tsv")


@pytest.mark.parametrize(
    ("positive", "words"),
    [({}, "4 ALL, 4 healthy; positive: healthy)"), ({"cells": ["ALL"]}, "; positive: ALL)")],
)
def test_the_positive_one_of_two_own_classes_is_named(tmp_path, positive, words):
    write_study(tmp_path)
    path = tmp_path / "datasets" / "cells" / "dataset.json"
    own = {"classes": ["ALL", "healthy"], "class_images": {"ALL": 4, "healthy": 4}}
    path.write_text(json.dumps(json.loads(path.read_text()) | own))
    [(_, text), *_] = banner(read_study(tmp_path, about(positive=positive)))["facts"]
    assert words in text


def test_without_baselines_in_the_primary_metric_the_auc_is_compared_and_named(tmp_path):
    write_study(tmp_path)
    store_baselines(tmp_path, ("shown", "not shown"), ("shown", "not shown"))
    study = read_study(tmp_path, about(metrics={"cells": "sensitivity"}))
    sentences = " ".join(answer_sentences(study, "cells"))
    assert "Big net is not shown to be above the cell size" in sentences
    assert "which reaches an AUC of 84.0 %" in sentences
    [light] = [one for one in lights(study) if one.check.startswith("Networks against")]
    assert light.state == CAUTION
    assert "an AUC of 80.0 %" in light.text


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        (("not shown", "not shown"), "No model is shown to be above the cell size"),
        (("shown", "not shown"), "Big net is not shown to be above the cell size"),
        (("shown", "shown"), ""),
    ],
)
def test_the_answer_names_the_strongest_baseline_that_models_are_not_above(
    tmp_path, above, expected
):
    write_study(tmp_path)
    store_baselines(tmp_path, ("shown", "shown"), above)
    study = read_study(tmp_path, about())
    rest = ", which reaches 84.0 % and is the strongest result without a network."
    assert [text for text in answer_sentences(study, "cells") if "above the" in text] == (
        [expected + rest] if expected else []
    )
    assert state_of(study, "Networks against") == (CAUTION if expected else GOOD)


def test_networks_are_not_shown_to_see_more_by_a_leaking_split_or_few_groups(tmp_path):
    """All models are above all baselines; what the results rest on decides."""
    write_study(tmp_path, related=(8, 3))
    store_baselines(tmp_path, ("shown", "shown"))
    study = read_study(tmp_path, about())
    assert state_of(study, "Networks against") == CAUTION
    write_study(tmp_path)
    path = tmp_path / "evaluation" / "cells" / "by_subject" / "big" / "intervals.tsv"
    write_table(intervals(0.9, "few_groups:1.6"), path)
    study = read_study(tmp_path, about())
    (light,) = [light for light in lights(study) if light.check.startswith("Networks against")]
    assert (light.state, "1.6 equal ones" in light.text) == (CAUTION, True)


def test_the_answer_names_random_frozen_backbones(tmp_path):
    write_study(tmp_path)
    for models, expected in (
        (["big"], "The backbone is random and frozen in Big net: the results say nothing"),
        (["big", "small"], "The backbones are random and frozen in Small net and Big net: the"),
    ):
        study = read_study(tmp_path, about(random_backbones=models))
        assert answer_sentences(study, "cells")[1].startswith(expected)


def test_one_model_under_two_names_is_not_compared_nor_counted(tmp_path):
    write_study(tmp_path)
    pair = {"dataset": "cells", "protocol": "by_subject", "models": ["small", "big"]}
    write_table(
        comparison("no_difference"), tmp_path / "evaluation/cells/by_subject/comparisons.tsv"
    )
    study = read_study(tmp_path, about(controls=[pair]))
    assert "Small net reaches an AUC of 85.0 % [80.0, 90.0]." in answer_sentences(study, "cells")[0]
    assert state_of(study, "A model against itself") == GOOD
    write_table(
        comparison("first_higher"), tmp_path / "evaluation/cells/by_subject/comparisons.tsv"
    )
    assert state_of(read_study(tmp_path, about(controls=[pair])), "A model against itself") == BAD


def test_without_a_protocol_that_is_free_of_leakage_nothing_is_to_be_quoted(tmp_path):
    for number, (related, notes) in enumerate(
        [((8, 1), ("", "")), ((8, 0), ("", SOME)), ((8, 0), ("", "no_subject_named"))]
    ):
        study = write_study(tmp_path / str(number), related, notes=notes)
        assert study.quoted("cells") is None
        assert study.best_known("cells").protocol == ("by_subject" if number == 0 else "by_image")
        assert answer_sentences(study, "cells")[0] == NO_HONEST


def test_the_best_protected_result_comes_before_a_leaking_one(tmp_path):
    study = write_study(tmp_path, (8, 0), notes=("no_subject_named", "no_subject_named"))
    _, protected, remedy, leaking = answer_sentences(study, "cells")
    assert protected.startswith(
        "The best protected results are those under \u201cby subject\u201d: none of the 8 test "
        "images is known to be related to a training image; the source does not name its subjects"
    )
    assert "There, 2 models reach an AUC between 85.0 % [80.0, 90.0] for Small net" in protected
    assert "Until then, a protocol with group_by: group keeps together" in remedy
    assert leaking.startswith("Under \u201cby image\u201d, where 8 of 8 test images (100 %)")


def test_the_only_protocol_that_leaks_is_named_once_with_what_to_do(tmp_path):
    study = write_study(tmp_path, (8, 3))
    [_, protected, remedy, leaking] = answer_sentences(study, "cells")
    assert "3 of 8 test images (37.5 %) are related to training images. There, 2" in protected
    assert remedy.startswith("A protocol with group_by: group keeps together")
    assert "by image" in leaking
    texts = [light.text for light in lights(study) if light.check.startswith("Leakage under")]
    assert [text.endswith(remedy) for text in texts] == [True, True]
    study = write_study(tmp_path / "removed", (8, 3), notes=("", "removed_duplicates_tie:2"))
    texts = [light.text for light in lights(study) if light.check.startswith("Leakage under")]
    assert ["2 duplicates are left out, but" in text for text in texts] == [False, True]


def test_subjects_with_duplicates_of_one_another_are_named(tmp_path):
    write_study(tmp_path)
    pairs = [("cell-0", "cell-1"), ("cell-1", "cell-4"), ("cell-0", "cell-4")]
    place = tmp_path / "datasets" / "cells"
    write_table(pd.DataFrame(pairs, columns=["first", "second"]), place / "duplicates.tsv")
    counts = {"kind": ["any_kind"], "pairs": [3], "different_classes": [0]}
    write_table(pd.DataFrame(counts), tmp_path / "tables" / "cells" / "duplicates.tsv")
    found = lights(read_study(tmp_path, about()))
    [light] = [light for light in found if light.check == "Duplicates"]
    # Cells 0 and 4 are of one subject.
    assert "Different subjects have such pairs: healthy 1 and patient 1 (2 pairs)." in light.text


def test_lights_of_leakage_and_of_intervals(tmp_path):
    study = write_study(tmp_path, notes=("", "no_parent_named"))
    assert state_of(study, "Leakage under \u201cby image") == LEAKS
    assert state_of(study, "Leakage under \u201cby subject") == CAUTION
    assert state_of(study, "Subjects") == GOOD
    assert state_of(study, "Number of groups") == GOOD
    for note, state in [("few_groups:4.5", CAUTION), ("images_instead_of_groups", BAD)]:
        path = tmp_path / "evaluation" / "cells" / "by_subject" / "big" / "intervals.tsv"
        write_table(intervals(0.9, note), path)
        assert state_of(read_study(tmp_path, about()), "Number of groups") == state


def test_files_that_were_not_used_are_seen(tmp_path):
    write_study(tmp_path)
    path = tmp_path / "datasets" / "cells" / "dataset.json"
    facts = json.loads(path.read_text()) | {"files": {"found": 11, "imported": 8, "rejected": 0}}
    for odd, state in [([], GOOD), ([{"code": "unlisted_images", "images": 3}], CAUTION)]:
        path.write_text(json.dumps(facts | {"odd": odd}))
        study = read_study(tmp_path, about())
        assert state_of(study, "Files of") == state
    (light,) = [light for light in lights(study) if light.check.startswith("Files of")]
    assert light.text == (
        "8 images from 8 of 11 files in the folder. 3 images in the folder are not in the sheet."
    )


CANARIES = [
    ("permuted among images", "by_image", (0.3, 0.6), GOOD),
    ("permuted among images", "by_image", (0.6, 0.8), BAD),
    ("permuted among images", "by_subject", (0.1, 0.4), BAD),
    ("permuted among subjects", "by_image", (0.3, 0.9), CAUTION),
    ("permuted among subjects", "by_image", (0.7, 0.9), BAD),
    ("permuted among subjects", "by_subject", (0.3, 0.9), GOOD),
    ("permuted among subjects", "by_subject", (0.1, 0.4), CAUTION),
    ("permuted among subjects", "by_subject", (None, None), OPEN),
    ("true", "by_subject", (0.8, 0.9), None),
]


def test_lights_of_canaries(tmp_path):
    rows = []
    for number, (labels, protocol, (lower, upper), _) in enumerate(CANARIES):
        names = {"dataset": "cells", "protocol": protocol, "model": "small"}
        titles = {"dataset_title": "Cells", "protocol_title": protocol, "model_title": number}
        limits = {"auc": 0.5, "auc_lower": lower, "auc_upper": upper}
        rows.append({"labels": labels, **names, **titles, **limits, "note": "A note."})
    write_study(tmp_path)
    write_table(pd.DataFrame(rows), tmp_path / "tables" / "canaries.tsv")
    found = lights(read_study(tmp_path, about()))
    states = [light.state for light in found if light.check.startswith("Training on labels")]
    assert states == [state for *_, state in CANARIES if state]


def test_permuted_heads_alone_leave_no_open_light(tmp_path):
    def checks():
        found = lights(read_study(tmp_path, about()))
        return [(light.check, light.state) for light in found if "permuted" in light.check]

    write_study(tmp_path)
    (tmp_path / "tables").mkdir(exist_ok=True)
    assert checks() == [("Training on permuted labels", OPEN)]
    row = {"labels": "permuted among subjects", "dataset_title": "Cells", "note": ""}
    row |= {"protocol_title": "by subject", "model_title": "Big net", "true_labels": 0.9}
    row |= {"permuted_labels": 0.5, "permuted_labels_lower": 0.3, "permuted_labels_upper": 0.7}
    row |= {"permutations": 60, "p_value": 1 / 61}
    write_table(pd.DataFrame([row]), tmp_path / "tables" / "permutations.tsv")
    words = "True labels against labels permuted among subjects: Big net, \u201cby subject\u201d"
    assert checks() == [(words, GOOD)]


def test_the_banner_counts_and_warns(tmp_path):
    shown = banner(write_study(tmp_path, generated=["cells"]))
    assert shown["facts"] == [
        (
            "Data",
            "Cells: 8 images (4 normal, 4 blast), 4 subjects, pictures unknown, 1 rejected file",
        )
    ]
    assert shown["warnings"][0].startswith("“Cells”: generated images. They contain no data of")


def test_worst_cells_are_those_that_most_models_get_wrong(tmp_path):
    study = write_study(tmp_path)
    place = tmp_path / "evaluation" / "cells" / "by_subject"
    write_table(
        predictions([0.8, 0.9, 0.2, 0.1, 0.4, 0.6, 0.7, 0.9]), place / "small/predictions.tsv"
    )
    write_table(
        predictions([0.9, 0.9, 0.2, 0.9, 0.4, 0.6, 0.7, 0.1]), place / "big/predictions.tsv"
    )
    worst = Cells(study).worst("cells", "by_subject", 3)
    # Wrong in both: cell 0 (errors 0.8 and 0.9) and cell 6 (0.7 twice). In one: 3 (0.9 and 0.1)
    # and 7 (0.1 and 0.9), in the order of the manifest.
    assert worst.index.tolist() == ["cell-0", "cell-6", "cell-3"]
    assert worst["wrong"].tolist() == [2, 2, 1]
    assert worst["error"].round(6).tolist() == [0.85, 0.7, 0.5]


def test_repeated_predictions_are_averaged(tmp_path):
    study = write_study(tmp_path)
    path = tmp_path / "evaluation" / "cells" / "by_subject" / "big" / "predictions.tsv"
    twice = [
        predictions([value] * 8).assign(repeat=repeat) for repeat, value in enumerate((0.2, 0.6))
    ]
    write_table(pd.concat(twice), path)
    run = next(
        run for run in Cells(study).predicted if (run.protocol, run.model) == ("by_subject", "big")
    )
    assert run.table["probability"].round(6).tolist() == [0.4] * 8
    assert run.note == "Probabilities are means of up to 2 predictions."


def test_an_experiment_without_results_has_no_answer(tmp_path):
    study = read_study(tmp_path, NOTHING)
    assert study.datasets == []
    assert [light.state for light in lights(study)] == [OPEN]
    assert banner(study) == {"facts": [], "warnings": []}


def test_protocols_with_one_finding_about_identity_have_one_light(tmp_path):
    write_study(tmp_path)
    names = {"learnt_from_title": "weights/imagenet.h5", "tested_on_title": "Cells", "note": ""}
    rows = [
        names | {"protocol_title": "by image", "verdict": "unknown", "affected": None},
        names | {"protocol_title": "by subject", "verdict": "unknown", "affected": None},
        names | {"protocol_title": "in parts", "verdict": "nothing shared", "affected": 0},
    ]
    (tmp_path / "tables").mkdir()
    write_table(pd.DataFrame(rows).assign(tested_images=8), tmp_path / "tables" / "identity.tsv")
    found = [
        (light.state, light.text)
        for light in lights(read_study(tmp_path, about()))
        if light.check == "Test images that are also in imagenet.h5, which is learnt from"
    ]
    assert found == [
        (OPEN, "Under \u201cby image\u201d and \u201cby subject\u201d: unknown."),
        (GOOD, "Under \u201cin parts\u201d: nothing shared, 0 of 8 test images affected."),
    ]


def test_the_section_of_results_names_the_meaning_of_its_numbers(tmp_path):
    write_study(tmp_path)
    pair = {"dataset": "cells", "protocol": "by_subject", "models": ["small", "big"]}
    section = quote_section(read_study(tmp_path, about()), "cells")
    assert section["choice"].startswith("The highest of 2 results")
    # One fold: pooled images are those of the fold.
    assert section["values"] == ""
    path = tmp_path / "folds" / "cells" / "by_subject.leakage.tsv"
    fold = read_table(path)
    write_table(pd.concat([fold, fold.assign(fold=1)]), path)
    section = quote_section(read_study(tmp_path, about(controls=[pair])), "cells")
    assert section["choice"] == ""
    assert "pooled test images of all folds" in section["values"]


@pytest.mark.parametrize(
    ("positives", "words"), [((30, 10), None), ((30, 6), "as few as 6 positive validation images")]
)
def test_thresholds_of_few_validation_images_are_named(tmp_path, positives, words):
    write_study(tmp_path)
    points = {"model": ["small", "big", "big"], "validation_positives_min": [*positives, 0]}
    points["validation_positive_groups_min"] = [3, 1, 0]
    write_table(
        pd.DataFrame(points), tmp_path / "tables" / "cells" / "by_subject" / "operating_points.tsv"
    )
    caution = clinical_section(read_study(tmp_path, about()), "cells")["caution"]
    assert (words is None) == (caution == "")
    assert not words or f"{words} of 1 group:" in caution


def test_shares_of_the_attribution_come_before_its_checks(tmp_path):
    study = write_study(tmp_path)
    for name in ("attribution_checks/cells", "attribution/cells", "attribution/other"):
        place = tmp_path / "tables" / "cells" / "by_subject"
        write_printed(pd.DataFrame({"model": [name]}), [place / f"{name}.md"], name, "tab:x")
    study = read_study(tmp_path, about())
    shown = failure_section(study, Cells(study), "cells")["attribution"]
    names = [item["name"].removeprefix("cells/by_subject/") for item in shown]
    assert {*names[:2]} == {"attribution/cells", "attribution/other"}
    assert names[2:] == ["attribution_checks/cells"]
