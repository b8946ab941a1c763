"""Settings of a model that are chosen in every fold."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from blastfold.core.plain_settings import Settings

TUNABLE = (
    *("learning_rate", "schedule", "epochs", "early_stopping", "batch_size", "class_weights"),
    *("dropout", "batch_normalisation", "stages", "stage_learning_rate_factor"),
)
"""Keys of a model entry that can be chosen in each fold: they change how a network is trained, not
what it sees or how many weights it has, so that one table of layers and costs is true of it."""

BY_LOSS = "loss"
"""A configuration is chosen by the cross-entropy of the validation images, not by a metric."""


@dataclasses.dataclass(frozen=True)
class TuningSettings(Settings):
    """How settings of a model are chosen in each fold.

    Attributes:
        criterion: :data:`BY_LOSS` or the name of a metric.
        possible: Number of configurations that the lists of the config have together.
        configurations: Those that are trained, in the order of the config: settings by key.
    """

    criterion: str
    possible: int
    configurations: tuple[Mapping[str, Any], ...]

    def plain(self) -> dict[str, Any]:
        """Return the settings as values that JSON can hold."""
        return {**super().plain(), "configurations": [dict(one) for one in self.configurations]}


def tuning_settings(values: Mapping[str, Any] | None) -> TuningSettings | None:
    """Read how settings of a model are chosen; None where they are given."""
    if not values:
        return None
    return TuningSettings.read({**values, "configurations": tuple(values["configurations"])})


def configuration_name(changes: Mapping[str, Any]) -> str:
    """Return the name of a configuration, for instance ``learning_rate 0.001, epochs 5``."""
    return ", ".join(f"{key} {json.dumps(changes[key])}" for key in TUNABLE if key in changes)
