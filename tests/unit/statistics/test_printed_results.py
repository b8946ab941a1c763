"""The audit of printed results against brute force and the printed rows of the thesis."""

import itertools

import numpy as np
import pandas as pd
import pytest

from blastfold.core.errors import InputError
from blastfold.core.names import RATES
from blastfold.evaluation.printed_results import audit_published
from blastfold.statistics.printed_results import audit_printed_result

# Abed (2022): test images and expected blasts of a stratified 20 % (1049 of 2083 images,
# 7272 of 10661), then accuracy, sensitivity and specificity as printed.
ALL_IDB, C_NMC = (417, 210), (2133, 1455)
POSSIBLE = {
    "Tables 5.2 and 5.4, DenseNet169": (*ALL_IDB, 99.76, 99.52, 100.0),
}
OTHER_RATIO = {
    "Tables 5.2 and 5.6, simple CNN": (*ALL_IDB, 94.24, 97.93, 91.03),
    "Table 5.3, simple CNN": (*C_NMC, 80.77, 84.08, 72.33),
}
IMPOSSIBLE = {
    "Tables 5.2 and 5.5, VGG19": (*ALL_IDB, 99.49, 100.0, 99.51),
    "Table 5.3, VGG19": (*C_NMC, 85.32, 85.18, 80.98),
    "Table 5.8, VGG19": (*C_NMC, 85.32, 83.84, 80.98),
    "Tables 5.3 and 5.7, DenseNet169": (*C_NMC, 85.41, 83.70, 91.57),
    "Table 5.9, simple CNN": (*C_NMC, 80.77, 84.53, 69.34),
}


def audit(row):
    images, expected, *figures = row
    return audit_printed_result(images, *figures, expected_positives=expected)


def brute_force(images, accuracy, sensitivity, specificity, tolerance):
    found = []
    for positives in range(1, images):
        negatives = images - positives
        for true_positive in range(positives + 1):
            if abs(100 * true_positive / positives - sensitivity) > tolerance + 1e-9:
                continue
            for true_negative in range(negatives + 1):
                figures = (
                    (100 * true_negative / negatives, specificity),
                    (100 * (true_positive + true_negative) / images, accuracy),
                )
                if all(abs(true - printed) <= tolerance + 1e-9 for true, printed in figures):
                    found.append((positives, true_positive, true_negative))
    return found


@pytest.mark.parametrize("row", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_the_five_impossible_triples_of_the_thesis(row):
    found = audit(row)
    assert found.verdict == "impossible"
    assert found.matrices.empty
    assert found.note


def test_impossible_triples_say_why():
    reasons = {name: audit(row).note for name, row in IMPOSSIBLE.items()}
    # 414 of 417 are 99.2806 %, 415 are 99.5204 %.
    assert reasons["Tables 5.2 and 5.5, VGG19"] == (
        "accuracy_below_both_rates:99.49:100:99.51; "
        "no_count_gives_accuracy:99.49:417:414:415:99.281:99.52"
    )
    for name, sensitivity in (("Table 5.3, VGG19", "85.18"), ("Table 5.8, VGG19", "83.84")):
        assert reasons[name] == f"accuracy_above_both_rates:85.32:{sensitivity}:80.98"
    for name in ("Tables 5.3 and 5.7, DenseNet169", "Table 5.9, simple CNN"):
        assert reasons[name] == "no_class_ratio_gives_all:2132:0.01"


def test_densenet_on_all_idb_has_eight_matrices():
    found = audit(POSSIBLE["Tables 5.2 and 5.4, DenseNet169"])
    assert (found.verdict, len(found.matrices), found.note) == ("possible", 8, "")
    listed = found.matrices[["positives", "true_positive", "true_negative"]].to_numpy().tolist()
    assert [210, 209, 207] in listed


@pytest.mark.parametrize(
    ("name", "positives", "true_positive", "true_negative"),
    [
        ("Tables 5.2 and 5.6, simple CNN", 194, 190, 203),
        ("Table 5.3, simple CNN", 1533, 1289, 434),
    ],
)
def test_unique_matrices_with_another_class_ratio(name, positives, true_positive, true_negative):
    found = audit(OTHER_RATIO[name])
    assert found.verdict == "different_class_ratio"
    assert len(found.matrices) == 1
    cells = found.matrices.iloc[0]
    assert cells["positives"] == positives
    assert (cells["true_positive"], cells["true_negative"]) == (true_positive, true_negative)
    images, expected = OTHER_RATIO[name][:2]
    assert found.note == f"implied_positives:{positives}:{images}:{expected}"


@pytest.mark.parametrize("tolerance", [0.01, 0.05, 1.0])
def test_enumeration_agrees_with_brute_force(tolerance):
    random = np.random.default_rng(0)
    for images in (2, 3, 17, 40):
        for _ in range(5):
            positives = random.integers(1, images)
            true_positive = random.integers(positives + 1)
            true_negative = random.integers(images - positives + 1)
            printed = (
                round(100 * (true_positive + true_negative) / images, 2),
                round(100 * true_positive / positives, 2),
                round(100 * true_negative / (images - positives), 2),
            )
            found = audit_printed_result(images, *printed, tolerance=tolerance)
            columns = found.matrices[["positives", "true_positive", "true_negative"]]
            expected = brute_force(images, *printed, tolerance)
            assert sorted(map(tuple, columns.to_numpy().tolist())) == sorted(expected)
            assert (positives, true_positive, true_negative) in expected


def test_cells_add_up():
    matrices = audit(POSSIBLE["Tables 5.2 and 5.4, DenseNet169"]).matrices
    cells = ["true_negative", "false_positive", "false_negative", "true_positive"]
    assert (matrices[cells].sum(axis=1) == 417).all()
    assert (matrices["false_negative"] + matrices["true_positive"] == matrices["positives"]).all()
    assert (matrices[cells] >= 0).all().all()


@pytest.mark.parametrize("decimals", [1, 2])
def test_true_results_are_always_possible_rounded_or_cut_off(decimals):
    scale = 10**decimals
    for positives, wrong in itertools.product((1, 100, 250), (0, 1, 7)):
        true_positive = max(positives - wrong, 0)
        true_negative = 417 - positives - wrong
        exact = np.array(
            [
                100 * (true_positive + true_negative) / 417,
                100 * true_positive / positives,
                100 * true_negative / (417 - positives),
            ]
        )
        for printed in (np.round(exact, decimals), np.floor(exact * scale + 1e-9) / scale):
            found = audit_printed_result(
                417, *printed, tolerance=1 / scale, expected_positives=positives
            )
            assert found.verdict == "possible"


def test_figures_that_are_not_printed_are_left_open():
    accuracy_only = audit_printed_result(50, 98.0)
    # 49 of 50 right: for each of 49 class ratios the error is a blast or a normal.
    assert len(accuracy_only.matrices) == 2 * 49
    assert audit_printed_result(50, 98.5).verdict == "impossible"


def test_a_rate_that_no_class_can_have_is_named():
    found = audit_printed_result(4, 75.0, 99.0, 50.0)
    assert found.verdict == "impossible"
    assert "no_class_gives_rate:99:4@sensitivity" in found.note.split("; ")


def test_invalid_rows_are_named():
    with pytest.raises(InputError, match="images: got 1"):
        audit_printed_result(1, 100.0)
    with pytest.raises(InputError, match=r"accuracy: got 101\.0, expected percent"):
        audit_printed_result(10, 101.0)
    with pytest.raises(InputError, match="tolerance: got -1"):
        audit_printed_result(10, 90.0, tolerance=-1)
    with pytest.raises(InputError, match="confusion matrices to try"):
        audit_printed_result(50_000, 98.0)
    with pytest.raises(InputError, match="sensitivity: got -3"):
        audit_printed_result(10, 90.0, -3.0, 90.0)


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        # Of 73 blasts and 73 normals, 70 and 69: 95.205, 95.890 and 94.521 %.
        (("95", "96", "95"), "possible"),
        (("95.2", "95.9", "94.5"), "possible"),
        (("95.2", "96", "95"), "different_class_ratio"),
        (("99", "96", "95"), "impossible"),
    ],
)
def test_a_printed_row_is_judged_to_its_decimals(figures, verdict):
    row = {"source": "Table 1", "dataset": "d", "model": "m"}
    printed = pd.DataFrame([row | dict(zip(RATES, figures, strict=True))])
    sizes = pd.DataFrame({"test_images": [146], "expected_positives": [73]}, index=["d"])
    audit, _ = audit_published(printed, sizes)
    assert audit["verdict"].tolist() == [verdict]
