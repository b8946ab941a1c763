"""Choice of settings in one fold, on its validation images alone.

Every configuration is trained as a fold of its own with its settings in place; the one that is best
on the validation images is the training of the fold. Test images are predicted by it alone, after
the choice: no configuration that is not chosen ever sees one.

Varma and Simon 2006, Bias in error estimation when using cross-validation for model selection: a
choice by the images that the result is then measured on makes the result too good.
"""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from blastfold.core.errors import InputError
from blastfold.core.files import digest_names
from blastfold.core.names import (
    MACRO_AUC,
    OF_EACH_CLASS,
    PRIMARY_METRIC,
    QUADRATIC_KAPPA,
    VALIDATION,
    primary_metric,
)
from blastfold.core.settings import ModelSettings
from blastfold.core.tuning_settings import BY_LOSS, configuration_name
from blastfold.training import epochs
from blastfold.training.fold import Fold
from blastfold.training.outcome import Outcome, describe_epochs, train_fold
from blastfold.training.state import TrainingState
from blastfold.training.trainer import Trainer

logger = logging.getLogger(__name__)

T = TypeVar("T")

TrainingEnd = Callable[[Trainer, Fold, TrainingState | None], T]
"""Trains the network of a trainer on a fold, and returns what is wanted of it."""

TrainOnce = Callable[[ModelSettings, str, TrainingEnd[T]], T]
"""Starts a training with some settings, under the name of a configuration, and ends it."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """One configuration as it was trained.

    Attributes:
        loss: Cross-entropy of the validation images by the network that would be kept.
        score: The metric of the criterion; None without one, or where the validation images are of
            one class.
        facts: Epochs of the training, see :func:`blastfold.training.outcome.describe_epochs`.
        seconds: Seconds of the training.
    """

    loss: float
    score: float | None
    facts: dict
    seconds: float


def train_tuned(settings: ModelSettings, train: TrainOnce) -> Outcome:
    """Train a fold, after a choice of settings where the model leaves them open.

    Args:
        settings: The model.
        train: Starts a training of the fold.

    Returns:
        The outcome of the fold. Where settings were chosen its facts have ``tuning``: criterion,
        possible, chosen (number of the configuration, from 1), artefact and fitted_on (digest of
        the names of the validation images, see :mod:`blastfold.leakage.fitted_artefacts`) and
        configurations (settings, validation_loss, validation_score, epochs, kept_epoch and seconds
        of each).

    Raises:
        InputError: Settings are to be chosen and the fold has no validation images.
    """
    tune = settings.tune
    if tune is None:
        return train(settings, "", train_fold)
    plans = [(settings.with_changes(one), configuration_name(one)) for one in tune.configurations]

    def end(trainer: Trainer, fold: Fold, state: TrainingState | None) -> Trial:
        return try_fold(trainer, fold, state, tune.criterion)

    trials = [train(changed, name, end) for changed, name in plans]
    criterion, chosen = choose(trials, tune.criterion)
    logger.info("chosen of %d configurations by %s: %s", len(plans), criterion, plans[chosen][1])
    # Its training is complete: this continues from its stored state and predicts.
    outcome = train(*plans[chosen], train_fold)
    criterion = meant_criterion(criterion, len(outcome.fold.classes))
    described = {
        **{"criterion": criterion, "possible": tune.possible, "chosen": chosen + 1},
        # The audit of all that is fitted reads these two.
        "artefact": f"settings of {outcome.fold.run.model}",
        "fitted_on": digest_names(outcome.fold.names_of(VALIDATION)),
        "configurations": [
            describe_trial(dict(changes), trial)
            for changes, trial in zip(tune.configurations, trials, strict=True)
        ],
    }
    return dataclasses.replace(outcome, facts={**outcome.facts, "tuning": described})


def try_fold(
    trainer: Trainer, fold: Fold, state: TrainingState | None, criterion: str = BY_LOSS
) -> Trial:
    """Train on a fold and predict its validation images alone.

    Args:
        trainer: The network and its inputs.
        fold: The fold, whose test images are not used.
        state: Where the state of an unfinished training is kept; None keeps none.
        criterion: What the configuration will be chosen by.

    Raises:
        InputError: The fold has no validation images.
    """
    if VALIDATION not in fold.parts:
        raise InputError(
            f"{fold.name}: has no validation images, by which the settings of the model (tune) are "
            "chosen; expected a larger validation_fraction or validation_group_by: image"
        )
    start = time.monotonic()
    history = epochs.train(trainer, fold.without_test, state)
    part = fold.parts[VALIDATION]
    probabilities = trainer.predict(part)
    score = None
    criterion = meant_criterion(criterion, len(fold.classes))
    if criterion != BY_LOSS and len(set(part.labels.tolist())) == probabilities.shape[1]:
        score = metric_of(criterion, part.labels, probabilities)
    return Trial(
        epochs.log_loss(part.labels, probabilities),
        score,
        describe_epochs(history, trainer),
        time.monotonic() - start,
    )


def meant_criterion(criterion: str, classes: int) -> str:
    """Return what configurations are chosen by on data of this number of classes.

    The AUC of more than two classes is their macro AUC; a metric over all classes has no place
    where there are two (see :func:`blastfold.core.names.primary_metric`).

    Args:
        criterion: :data:`BY_LOSS` or the name of a metric.
        classes: Number of classes.
    """
    if criterion == BY_LOSS:
        return criterion
    return primary_metric(None if criterion == PRIMARY_METRIC else criterion, classes)


def metric_of(metric: str, labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return a metric of predictions of all classes, by scikit-learn.

    The metrics of the evaluation are in a room above this one, where a new metric must not train
    every network again; tests compare the two.

    Args:
        metric: Its name. ``auc`` of more than two classes is the mean of each against the rest.
        labels: Index of the class, all of them among them, shape (n,).
        probabilities: Of every class, shape (n, classes).

    Raises:
        InputError: The metric is about one positive class, and there are more than two classes.
    """
    # Imported here because it takes a second to start, and most trainings choose nothing.
    from sklearn import metrics

    classes = probabilities.shape[1]
    if metric in ("auc", MACRO_AUC):
        areas = [
            metrics.roc_auc_score(labels == label, probabilities[:, label])
            for label in ([1] if classes == 2 else range(classes))
        ]
        return float(np.mean(areas))
    if metric in OF_EACH_CLASS and classes > 2:
        raise InputError(
            f"tune: choose by {metric!r} is about one positive class, and the training knows "
            f"{classes} classes. Expected macro_auc, balanced_accuracy, macro_f1, accuracy or loss"
        )
    undefined = {"zero_division": 0}
    score, options = {
        "accuracy": (metrics.accuracy_score, {}),
        "sensitivity": (metrics.recall_score, undefined),
        "specificity": (metrics.recall_score, {"pos_label": 0, **undefined}),
        "precision": (metrics.precision_score, undefined),
        "f1": (metrics.f1_score, undefined),
        "weighted_f1": (metrics.f1_score, {"average": "weighted", **undefined}),
        "macro_f1": (metrics.f1_score, {"average": "macro", **undefined}),
        "balanced_accuracy": (metrics.balanced_accuracy_score, {}),
        "mcc": (metrics.matthews_corrcoef, {}),
        "kappa": (metrics.cohen_kappa_score, {}),
        QUADRATIC_KAPPA: (metrics.cohen_kappa_score, {"weights": "quadratic"}),
    }[metric]
    return float(score(labels, epochs.predicted_labels(probabilities), **options))


def choose(trials: Sequence[Trial], criterion: str) -> tuple[str, int]:
    """Return what the choice was made by, and the position of the best configuration.

    The smallest loss or the largest metric is best; of equal ones the first. A loss that is not a
    number is the worst. Validation images of one class, which have no metric, are judged by loss.

    Args:
        trials: Configurations in the order of the config.
        criterion: :data:`BY_LOSS` or the name of a metric.
    """
    if criterion != BY_LOSS and any(trial.score is None for trial in trials):
        criterion = BY_LOSS
    values = [trial.loss if criterion == BY_LOSS else -trial.score for trial in trials]
    values = [math.inf if math.isnan(value) else value for value in values]
    return criterion, values.index(min(values))


def describe_trial(changes: dict, trial: Trial) -> dict:
    """Return what the record of a training says of one configuration."""
    return {
        "settings": changes,
        "validation_loss": trial.loss,
        "validation_score": trial.score,
        **{key: trial.facts[key] for key in ("epochs", "kept_epoch")},
        "seconds": round(trial.seconds, 3),
    }
