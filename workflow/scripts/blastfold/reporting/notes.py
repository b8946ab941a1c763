"""The sentences of stored notes, and the words for what a test of a difference found.

Files of the evaluation hold codes (:mod:`blastfold.core.notes`); only this module has the
sentence of each.
"""

from collections.abc import Mapping, Sequence

from blastfold.core.errors import BlastfoldError
from blastfold.core.names import METRICS
from blastfold.core.notes import (
    NOTES,
    Note,
    parse_notes,
)
from blastfold.core.plurals import agreeing
from blastfold.reporting.tables.writing import heading_of

SENTENCES = {
    "undefined": "undefined",
    "no_images": "undefined: no images",
    "one_class": "undefined: the test images are of one class",
    "no_positive_image": "undefined: no image of the positive class",
    "no_negative_image": "undefined: no image of the negative class",
    "none_predicted_positive": "undefined: no image is predicted as positive",
    "no_positive_image_and_none_predicted": (
        "undefined: no image is of the positive class and none is predicted as positive"
    ),
    "one_class_predicted": "undefined: all images are predicted as one class",
    "classes_without_images": (
        "undefined: {absent:.0f} of the {classes:.0f} classes have no test image"
    ),
    "classes_with_images": (
        "mean over the {present:.0f} of the {classes:.0f} classes that have images here"
    ),
    "no_known_leukocyte": "undefined: no photograph is known to have a leukocyte",
    "no_detected_leukocyte": "undefined: no leukocyte was detected",
    "research_software_not_a_diagnosis": "Research software, not a diagnosis",
    "not_classified": "set aside by the detector and not classified",
    "photograph_unreadable": "not classified: the photograph could not be read again",
    "crop_beyond_photograph": "not classified: the photograph is smaller than the crop of a cell",
    "training_cell": "the model learnt from this cell",
    "training_photograph": "the model learnt from cells of this photograph",
    "one_network": "one network has no spread",
    "no_reference": "the export has no description of its training images",
    "no_cell_classified": "undefined: no cell was classified",
    "subject_not_named": "the photographs whose subject nobody named, together",
    "one_photograph": (
        "one photograph shows no spread between photographs: cells are taken as independent, and "
        "the interval is too narrow where cells of one photograph are similar"
    ),
    "one_fold": "undefined: one fold has no standard deviation",
    "defined_folds": "of the {defined:.0f} folds of {folds:.0f} where it is defined",
    "mean_of_folds": "mean of {folds:.0f} folds",
    "folds_left_out": "{folds:.0f} folds left out, where it is undefined",
    "fewer_than_two_folds": "fewer than two folds: no spread between folds",
    "folds_agree": "all folds have the same value: no spread between folds",
    "no_interval": "no interval",
    "few_groups": (
        "the interval rests on few groups (as informative as {effective_groups:.1f} equal ones): "
        "it is wide, and its coverage depends on how similar the groups are"
    ),
    "too_narrow": (
        "the interval is narrower than that of independent images, because the few groups agree by "
        "chance: it is not reliable"
    ),
    "fewer_than_two_groups": (
        "fewer than two groups contribute: the spread between groups cannot be measured"
    ),
    "images_instead_of_groups": (
        "fewer than two leakage groups contribute, so that they show no spread: images are taken "
        "as independent, and the interval is too narrow where images of one group are similar"
    ),
    "images_taken_as_independent": "images of one group are taken as independent",
    "exact_interval": "no spread between groups: exact interval for the effective number of groups",
    "exact_spread_of_one_protocol": (
        "no spread between the groups of one protocol: that of its exact interval is used"
    ),
    "no_width": "no spread: the interval has no width, the method 'jackknife-t' gives one",
    "unchanged_by_groups": "leaving out any group does not change the difference",
    "same_difference_in_every_group": (
        "every group differs by the same amount: the test is not defined"
    ),
    "no_spread_between_images": "no spread between images: the test is not defined",
    "descriptive": "only the primary metric is tested: this difference is descriptive",
    "seeds_not_separated": (
        "seeds and splits were drawn together: a protocol with redraw: seeds separates them"
    ),
    "fewer_than_two_repeats": "fewer than two repeats: no spread between repeats",
    "negative_component": "the estimate is below 0, which is set to 0",
    "component_without_interval": (
        "splits have no interval: their variance is the difference of two mean squares"
    ),
    "repeats_test_other_images": (
        "the repeats test different images, so that subjects and splits are not separated"
    ),
    "same_model": "one model under two names: a detected difference is an error",
    "one_training_each": "one training each: no verdict on the procedures",
    "verdict_of_folds": (
        "one training for each of {folds:.0f} folds: the verdict rests on the spread between folds"
    ),
    "other_folds": "the two sides have different folds, so that their repeats are not paired",
    "bound_of_equal_groups": (
        "no group changes the difference: the interval is the bound for what no group shows"
    ),
    "predictions_left_out": "left out: {predictions:.0f} predictions without a probability",
    "same_order": "both models put the images in the same order",
    "one_group_with_positive_images": (
        "only one group has images of the positive class: the variance of the AUC cannot be "
        "estimated"
    ),
    "one_group_with_negative_images": (
        "only one group has images of the negative class: the variance of the AUC cannot be "
        "estimated"
    ),
    "undefined_resamples": (
        "{left_out:.0f} of {resamples:.0f} resamples left out, where it is undefined"
    ),
    "one_class_resamples": (
        "{left_out:.0f} of {resamples:.0f} resamples left out, which have one class only"
    ),
    "no_unit_known": "unknown: the source does not name them, so that there is no such result",
    "images_of_unknown_units": (
        "{missing:.0f} of {images:.0f} test images are left out: it is not known to which one they "
        "belong"
    ),
    "units_of_several_classes": (
        "{units:.0f} of {all_units:.0f} are left out, which have images of several classes"
    ),
    "units_of_both_classes": (
        "{units:.0f} of {all_units:.0f} are left out, which have images of both classes"
    ),
    "units_in_training": (
        "other images of {units:.0f} of {all_units:.0f} were in the training set of a network that "
        "predicted them: this is not a result on new ones"
    ),
    "right_on_the_same_images": "both models are right on the same images",
    "no_odds_ratio": "no odds ratio and no Cohen's g: the models are right on the same images",
    "nothing_detectable": "with {images:.0f} images no difference is detectable",
    "detectable_by_mcnemar": (
        "the detectable difference is McNemar's, which takes images as independent"
    ),
    "p_value_of_independent_images": ("McNemar's p value takes images of one group as independent"),
    "test_needs_two_groups": "the test needs at least two groups",
    "test_without_interval": "this test has no interval",
    "test_needs_more_groups": (
        "{groups:.0f} groups are too few for this test, which needs at least {needed:.0f}"
    ),
    "test_of_independent_images": "this test takes images of one group as independent",
    "same_marginals": "both models predict every class equally often",
    "unpaired": "no image is tested under both protocols: unpaired",
    "common_images": "{images:.0f} images are tested under both protocols",
    "no_common_image": "undefined: no image is tested by every combination",
    "common_images_of_cells": (
        "{images:.0f} of {all_images:.0f} images, those that every combination tested"
    ),
    "no_pair_of_cells": "undefined: no pair of combinations",
    "missing_pairs_of_cells": "{missing:.0f} of {pairs:.0f} pairs of combinations lack predictions",
    "temperature_per_fold": "every fold has its own temperature",
    "temperature_without_validation": (
        "no validation images: no calibration is fitted, and the temperature stays 1"
    ),
    "temperature_of_one_class": "the validation images are of one class: the temperature stays 1",
    "temperature_of_equal_probabilities": (
        "the probabilities of all validation images are equal: the temperature stays 1"
    ),
    "temperature_of_one_sided_images": (
        "all validation images are predicted correctly, or all incorrectly: the temperature stays 1"
    ),
    "temperature_without_maximum": (
        "the likelihood has no maximum inside the range: the temperature stays 1"
    ),
    "few_validation_groups": (
        "the validation images are of {negative_groups:.0f} groups of the negative and "
        "{positive_groups:.0f} of the positive class, fewer than {fewest:.0f}: no calibration is "
        "fitted"
    ),
    "few_groups_of_a_class": (
        "a class has validation images of {groups:.0f} groups, fewer than {fewest:.0f}: no "
        "calibration is fitted"
    ),
    "vector_of_missing_classes": ("a class has no validation images: no vector scaling is fitted"),
    "vector_without_maximum": (
        "vector scaling separates the validation images completely: it is not fitted"
    ),
    "vector_changes_classes": (
        "vector scaling changes the predicted class of {images:.0f} of {all_images:.0f} images; "
        "all other results are without it"
    ),
    "platt_of_one_class": "the validation images are of one class: no Platt scaling is fitted",
    "platt_of_equal_probabilities": (
        "the probabilities of all validation images are equal: no Platt scaling is fitted"
    ),
    "platt_of_separated_classes": (
        "a threshold separates the classes of the validation images: no Platt scaling is fitted"
    ),
    "platt_without_maximum": (
        "the likelihood of Platt scaling has no maximum inside the range: none is fitted"
    ),
    "no_attribution": "undefined: no cell with an attribution",
    "no_maps": (
        "no attribution: the network has no convolution, or its last feature maps have no places"
    ),
    "empty_maps": "{empty:.0f} of {cells:.0f} maps are 0 everywhere and are left out",
    "cells_not_found": "no cell was found in {missing:.0f} of {cells:.0f} images, left out",
    "onnx_differs": (
        "the ONNX file gave probabilities that differ from those of Keras by up to "
        "{difference:.1e}, more than {tolerance:.0e}: it is not exported"
    ),
    "not_in_onnx": "ONNX cannot hold this network ({error} while it was converted or loaded)",
    "rates_undefined": "undefined: sensitivity or specificity is not defined",
    "none_predicted_negative": "undefined: no image is predicted as negative",
    "threshold_without_validation": "no validation images: the threshold stays 0.5",
    "threshold_without_positive_images": (
        "the validation images include none of the positive class: the threshold stays 0.5"
    ),
    "threshold_without_negative_images": (
        "the validation images include none of the negative class: the threshold stays 0.5"
    ),
    "threshold_of_the_test_images": (
        "the threshold is read from the ROC curve of the same test images: the value describes the "
        "ranking"
    ),
    "limits_of_pooled_images_only": "intervals are given for the pooled images only",
    "cell_not_found": (
        "no cell was found in {missing:.0f} of {images:.0f} images, which take the mean of the "
        "training images"
    ),
    "no_cell_found": "unknown: no cell was found in any image",
    "ground_is_masked": "the ground around the cells is masked, so that nothing is left of it",
    "constant_in_each_fold": (
        "all images of a fold have one prediction: a pooled AUC that is not 50 % comes from "
        "differences between the folds"
    ),
    "not_above_baseline": (
        "the interval of the difference includes 0: these results do not show that the network "
        "sees more than the baseline"
    ),
    "labels_of_subjects_unknown": (
        "labels cannot be permuted among subjects: an image has no subject, or a subject has "
        "images of several classes"
    ),
    "folds_of_one_class": (
        "of {folds:.0f} folds of all permutations {undefined:.0f} are left out, whose test images "
        "have one class"
    ),
    "no_gpu": "GPU memory n/a: measured on the CPU",
    "uncounted_layer": (
        "no count of multiply-adds: layers of the class {kind} have weights and no formula"
    ),
    "random_backbone": "not compared: the backbone is random and frozen",
    "no_costlier_model": "not compared: no model with learnt weights needs more multiply-adds",
    "no_costlier_known": (
        "not compared: of the models whose result and multiply-adds are known, none with learnt "
        "weights needs more of them; they are not known of {models:.0f}"
    ),
    "not_measured": "latency, throughput and memory were not measured",
    "no_test_images": "no test image",
    "no_subject_named": (
        "the source does not name its subjects: how many images share a subject or a leakage group "
        "is unknown, and what was found is the fewest possible"
    ),
    "removed_duplicates_tie": (
        "{removed:.0f} duplicates are left out, but their subjects or pictures stay in one leakage "
        "group: an image of one showed a cell of the other, so that they may be one person or field"
    ),
    "no_picture_named": "the source does not name its pictures",
    "start_weights_learnt_tests": (
        "no result on new images: the start weights learnt from {affected:.0f} of the {tested:.0f} "
        "test images or from other images of their subjects"
    ),
    "no_learnt_images_recorded": (
        "the file of weights does not record its training images, or not all of them: whether test "
        "images are among them is unknown"
    ),
    "only_equal_files_found": (
        "the file of weights records the digests of its training files alone: only equal files "
        "can be found, and the number of affected images is the fewest possible"
    ),
    "no_parent_named": (
        "the source does not name originals: whether it contains changed copies of images is "
        "unknown"
    ),
    "images_without_subject": (
        "the subject of {missing:.0f} of {images:.0f} images is unknown, so that what was found is "
        "the fewest possible"
    ),
    "images_without_picture": (
        "the picture of {missing:.0f} of {images:.0f} images is unknown, so that what was found is "
        "the fewest possible"
    ),
    "groups_of_unknown_subjects": (
        "the subject of {missing:.0f} of {images:.0f} test images is unknown: the interval takes "
        "them as independent unless a duplicate or a picture ties them, and is too narrow where "
        "they are related"
    ),
    "accuracy_below_both_rates": (
        "accuracy {accuracy:g} is below both sensitivity {sensitivity:g} and specificity "
        "{specificity:g}, of which it is a weighted mean"
    ),
    "accuracy_above_both_rates": (
        "accuracy {accuracy:g} is above both sensitivity {sensitivity:g} and specificity "
        "{specificity:g}, of which it is a weighted mean"
    ),
    "no_count_gives_accuracy": (
        "no count of {images:.0f} images gives accuracy {accuracy:g}: {fewer:.0f} correct are "
        "{fewer_percent:.3f}, {more:.0f} are {more_percent:.3f}"
    ),
    "no_count_gives_recall": (
        "no number of correct images out of {images:.0f} gives a recall of {percent:g} %"
    ),
    "recalls_not_printed": "the recall of {classes:.0f} classes is not printed",
    "recalls_give_other_accuracy": (
        "the printed recalls give an accuracy from {lowest:g} to {highest:g} %, not {accuracy:g} %"
    ),
    "no_class_gives_rate": "no class of fewer than {images:.0f} images gives {percent:g}",
    "no_class_ratio_gives_all": (
        "no number of blasts from 1 to {most:.0f} gives all figures at once (within {tolerance:g} "
        "points)"
    ),
    "implied_positives": (
        "implies {positives:.0f} blasts of {images:.0f} images, expected {expected:.0f}"
    ),
    "implied_range": (
        "implies {fewest:.0f} to {most:.0f} blasts of {images:.0f} images, expected {expected:.0f}"
    ),
    "not_printed": "not printed, so that any value is allowed",
    "too_many_matrices": "too many matrices to list",
    "only_matrix": (
        "the only matrix: {true_positive:.0f} of {positives:.0f} blasts and {true_negative:.0f} of "
        "{negatives:.0f} normals correct"
    ),
    "example_matrix": (
        "for instance: {true_positive:.0f} of {positives:.0f} blasts and {true_negative:.0f} of "
        "{negatives:.0f} normals correct"
    ),
}
"""The sentence of every code of :data:`blastfold.core.notes.NOTES`, with its values."""

SHORT = {
    "few_validation_groups": (
        "the validation images are of too few groups of a class (fewer than {fewest:.0f}): no "
        "calibration is fitted"
    ),
    "few_groups": (
        "the interval rests on few groups: it is wide, and its coverage depends on how similar the "
        "groups are"
    ),
    "folds_of_one_class": "folds whose test images have one class are left out",
    "one_class_resamples": "of {resamples:.0f} resamples those with one class only are left out",
    "groups_of_unknown_subjects": (
        "the subjects of test images are unknown: the interval takes them as independent unless a "
        "duplicate or a picture ties them, and is too narrow where they are related"
    ),
}
"""Sentences without the values that differ from row to row, so that rows share one note."""


def sentences(note: str, *, short: bool = False, names: Mapping[str, str] | None = None) -> str:
    """Return the sentences of a stored note.

    Args:
        note: Codes, see :mod:`blastfold.core.notes`.
        short: Leave out values that differ from row to row, see :data:`SHORT`.
        names: Titles of what a code may be about (protocols, models), by name.

    Returns:
        The sentences, separated by semicolons, each once; empty for an empty note.

    Raises:
        BlastfoldError: A code is unknown or has no sentence.
    """
    about: dict[str, list[str]] = {}
    for found in parse_notes(note):
        about.setdefault(_sentence(found, short), []).extend(found.about)
    titles = {text: _titles(found, names or {}) for text, found in about.items()}
    return "; ".join(f"{title}: {text}" if title else text for text, title in titles.items())


def _sentence(note: Note, short: bool) -> str:
    if note.code not in SENTENCES:
        raise BlastfoldError(f"the note '{note.code}' has no sentence")
    template = SHORT.get(note.code) if short else None
    values = dict(zip(NOTES[note.code], note.values, strict=True))
    return agreeing((template or SENTENCES[note.code]).format(**values))


def _titles(about: Sequence[str], names: Mapping[str, str]) -> str:
    """Return the titles of metrics, protocols and models, and the numbers of folds."""
    folds = [name.removeprefix("fold-") for name in about if name.startswith("fold-")]
    others = [name for name in dict.fromkeys(about) if not name.startswith("fold-")]
    others.sort(key=lambda name: METRICS.index(name) if name in METRICS else -1)
    titles = [names.get(name, heading_of(name).removesuffix(" (%)")) for name in others]
    return ", ".join(titles + ([f"fold {', '.join(folds)}"] if folds else []))
