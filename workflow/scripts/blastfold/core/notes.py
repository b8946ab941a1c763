"""Notes of stored tables: why a value is missing, or what to keep in mind when reading it.

A stored note is a list of codes, for instance ``few_groups:6.6; too_narrow@sensitivity,auc``: the
name of the code, its values after colons, and after ``@`` what it is about where the row holds
several things (metrics, folds such as ``fold-0``, protocols). :data:`NOTES` lists every code.
:mod:`blastfold.reporting.notes` turns codes into sentences; nothing else does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from blastfold.core.errors import BlastfoldError
from blastfold.core.names import RATES

NOTES: dict[str, tuple[str, ...]] = {
    # A metric that is not defined.
    "undefined": (),
    "no_images": (),
    "one_class": (),
    "no_positive_image": (),
    "no_negative_image": (),
    "none_predicted_positive": (),
    "no_positive_image_and_none_predicted": (),
    "one_class_predicted": (),
    "classes_without_images": ("absent", "classes"),
    "classes_with_images": ("present", "classes"),
    # Detected cells.
    "no_known_leukocyte": (),
    "no_detected_leukocyte": (),
    # Folds.
    "one_fold": (),
    "defined_folds": ("defined", "folds"),
    "mean_of_folds": ("folds",),
    "folds_left_out": ("folds",),
    "fewer_than_two_folds": (),
    "folds_agree": (),
    # Intervals and tests over groups.
    "no_interval": (),
    "few_groups": ("effective_groups",),
    "too_narrow": (),
    "fewer_than_two_groups": (),
    "images_instead_of_groups": (),
    "images_taken_as_independent": (),
    "exact_interval": (),
    "exact_spread_of_one_protocol": (),
    "no_width": (),
    "unchanged_by_groups": (),
    "same_difference_in_every_group": (),
    "no_spread_between_images": (),
    # Variance components.
    "seeds_not_separated": (),
    "fewer_than_two_repeats": (),
    "negative_component": (),
    "component_without_interval": (),
    "repeats_test_other_images": (),
    # Verdicts on training procedures.
    "same_model": (),
    "descriptive": (),
    "one_training_each": (),
    "verdict_of_folds": ("folds",),
    "other_folds": (),
    "bound_of_equal_groups": (),
    "predictions_left_out": ("predictions",),
    "same_order": (),
    "one_group_with_positive_images": (),
    "one_group_with_negative_images": (),
    "undefined_resamples": ("left_out", "resamples"),
    "one_class_resamples": ("left_out", "resamples"),
    # Results by subject and by picture.
    "no_unit_known": (),
    "images_of_unknown_units": ("missing", "images"),
    "units_of_both_classes": ("units", "all_units"),
    "units_of_several_classes": ("units", "all_units"),
    "units_in_training": ("units", "all_units"),
    # Tests of paired accuracies.
    "right_on_the_same_images": (),
    "no_odds_ratio": (),
    "nothing_detectable": ("images",),
    "detectable_by_mcnemar": (),
    "p_value_of_independent_images": (),
    "test_needs_two_groups": (),
    "test_without_interval": (),
    "test_needs_more_groups": ("groups", "needed"),
    "test_of_independent_images": (),
    "same_marginals": (),
    # Protocols and cells of an ablation.
    "unpaired": (),
    "common_images": ("images",),
    "no_common_image": (),
    "common_images_of_cells": ("images", "all_images"),
    "no_pair_of_cells": (),
    "missing_pairs_of_cells": ("missing", "pairs"),
    # What is fitted on the validation part of a fold.
    "temperature_per_fold": (),
    "temperature_without_validation": (),
    "temperature_of_one_class": (),
    "temperature_of_equal_probabilities": (),
    "temperature_of_one_sided_images": (),
    "temperature_without_maximum": (),
    "few_validation_groups": ("negative_groups", "positive_groups", "fewest"),
    "few_groups_of_a_class": ("groups", "fewest"),
    "vector_of_missing_classes": (),
    "vector_without_maximum": (),
    "vector_changes_classes": ("images", "all_images"),
    "platt_of_one_class": (),
    "platt_of_equal_probabilities": (),
    "platt_of_separated_classes": (),
    "platt_without_maximum": (),
    "threshold_without_validation": (),
    "threshold_without_positive_images": (),
    "threshold_without_negative_images": (),
    "threshold_of_the_test_images": (),
    "limits_of_pooled_images_only": (),
    # Trivial baselines.
    "cell_not_found": ("missing", "images"),
    "no_cell_found": (),
    "ground_is_masked": (),
    "constant_in_each_fold": (),
    "not_above_baseline": (),
    # Attribution.
    "no_attribution": (),
    "no_maps": (),
    "empty_maps": ("empty", "cells"),
    "cells_not_found": ("missing", "cells"),
    # Exported networks.
    "onnx_differs": ("difference", "tolerance"),
    "not_in_onnx": ("error",),
    # Applications to photographs.
    "research_software_not_a_diagnosis": (),
    "not_classified": (),
    "photograph_unreadable": (),
    "crop_beyond_photograph": (),
    "training_cell": (),
    "training_photograph": (),
    "one_network": (),
    "no_reference": (),
    "no_cell_classified": (),
    "subject_not_named": (),
    "one_photograph": (),
    # Predictive values.
    "rates_undefined": (),
    "none_predicted_negative": (),
    # Permuted labels.
    "labels_of_subjects_unknown": (),
    "folds_of_one_class": ("undefined", "folds"),
    # Cost.
    "no_gpu": (),
    "uncounted_layer": ("kind",),
    "random_backbone": (),
    "no_costlier_model": (),
    "no_costlier_known": ("models",),
    "not_measured": (),
    # Leakage.
    "no_test_images": (),
    "no_subject_named": (),
    "removed_duplicates_tie": ("removed",),
    "no_picture_named": (),
    "no_parent_named": (),
    "no_learnt_images_recorded": (),
    "start_weights_learnt_tests": ("affected", "tested"),
    "only_equal_files_found": (),
    "groups_of_unknown_subjects": ("missing", "images"),
    "images_without_subject": ("missing", "images"),
    "images_without_picture": ("missing", "images"),
    # Printed results.
    "accuracy_below_both_rates": RATES,
    "accuracy_above_both_rates": RATES,
    "no_count_gives_accuracy": (
        *("accuracy", "images", "fewer", "more", "fewer_percent", "more_percent"),
    ),
    "no_class_gives_rate": ("percent", "images"),
    "no_count_gives_recall": ("percent", "images"),
    "recalls_give_other_accuracy": ("accuracy", "lowest", "highest"),
    "recalls_not_printed": ("classes",),
    "no_class_ratio_gives_all": ("most", "tolerance"),
    "implied_positives": ("positives", "images", "expected"),
    "implied_range": ("fewest", "most", "images", "expected"),
    "not_printed": (),
    "too_many_matrices": (),
    "only_matrix": ("true_positive", "positives", "true_negative", "negatives"),
    "example_matrix": ("true_positive", "positives", "true_negative", "negatives"),
}
"""Every code with the names of its values."""

FIRST_HIGHER, SECOND_HIGHER = "first_higher", "second_higher"
NO_DIFFERENCE, UNDEFINED = "no_difference", "undefined"
DESCRIPTIVE, NO_VERDICT = "descriptive", "no_verdict"
"""What a comparison found: one side is higher, none is, the test is undefined, there is none
because the metric is not the primary one, or because each side was trained once."""

SEPARATOR = "; "

_NOTE = re.compile(r"(?P<code>[a-z_]+)(?P<values>(:[^:;@\s]+)*)(@(?P<about>[^:;@\s]+))?")


@dataclass(frozen=True)
class Note:
    """One code of a stored note.

    Attributes:
        code: A key of :data:`NOTES`.
        values: Numbers or words, in the order of :data:`NOTES`.
        about: Names of the metrics, folds or protocols that it is about; empty for the whole row.
    """

    code: str
    values: tuple[float | str, ...] = ()
    about: tuple[str, ...] = ()

    def __str__(self) -> str:
        values = (value if isinstance(value, str) else f"{value:.10g}" for value in self.values)
        text = ":".join((self.code, *values))
        return f"{text}@{','.join(self.about)}" if self.about else text


def make_note(code: str, *values: float | str) -> str:
    """Build a stored note of one code.

    Args:
        code: A key of :data:`NOTES`.
        *values: Its values; numbers keep ten digits.

    Returns:
        The text, for instance ``few_groups:6.6``.

    Raises:
        BlastfoldError: The code is unknown, or has another number of values.
    """
    found = Note(code, values)
    _check(found, str(found))
    return str(found)


def join_notes(*notes: str) -> str:
    """Join stored notes into one; empty ones are left out and equal ones appear once."""
    codes = (code for note in notes if note for code in note.split(SEPARATOR))
    return SEPARATOR.join(dict.fromkeys(codes))


def parse_notes(text: str) -> list[Note]:
    """Read a stored note.

    Args:
        text: Codes joined by ``"; "``; empty for none.

    Returns:
        The codes in their order; values that are numbers as float.

    Raises:
        BlastfoldError: A code is unknown, or has another number of values.
    """
    return [_parse(part) for part in text.split(SEPARATOR)] if text else []


def note_codes(text: str) -> set[str]:
    """Return the names of the codes of a stored note."""
    return {note.code for note in parse_notes(text)}


def only_notes(text: str, *codes: str) -> str:
    """Return some codes of a stored note."""
    return join_notes(*(str(note) for note in parse_notes(text) if note.code in codes))


def without_notes(text: str, *codes: str) -> str:
    """Return a stored note without some codes."""
    return join_notes(*(str(note) for note in parse_notes(text) if note.code not in codes))


def notes_about(notes: Mapping[str, str]) -> str:
    """Join the notes of several metrics, folds or protocols into the note of one row.

    Args:
        notes: The stored note of each name. Equal codes are joined: they name all they are about.

    Returns:
        The note, for instance ``few_groups:6.6@sensitivity,auc``.

    Raises:
        BlastfoldError: A note already names what it is about.
    """
    about: dict[Note, list[str]] = {}
    for name, text in notes.items():
        for note in parse_notes(text):
            if note.about:
                raise BlastfoldError(f"note '{note}' is already about {', '.join(note.about)}")
            about.setdefault(note, []).append(name)
    return join_notes(*(str(replace(note, about=tuple(names))) for note, names in about.items()))


def _parse(part: str) -> Note:
    matched = _NOTE.fullmatch(part)
    if matched is None:
        raise BlastfoldError(f"note '{part}' is not a code, expected name:value@name")
    values = tuple(map(_number_or_word, matched["values"].split(":")[1:]))
    about = tuple(matched["about"].split(",")) if matched["about"] else ()
    found = Note(matched["code"], values, about)
    _check(found, part)
    return found


def _check(note: Note, text: str) -> None:
    if note.code not in NOTES:
        raise BlastfoldError(f"note '{text}': the code '{note.code}' is unknown")
    if len(note.values) != len(NOTES[note.code]):
        expected = ", ".join(NOTES[note.code]) or "no value"
        raise BlastfoldError(f"note '{text}': expected {expected} after the code '{note.code}'")


def _number_or_word(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
