"""Schedules of the learning rate within a training."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="blastfold")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """The 1-cycle policy (Smith 2018): rises to the peak along a cosine, then falls to almost 0.

    Args:
        peak: Highest learning rate.
        steps: Steps of the whole cycle.
        rise: Share of the steps in which the learning rate rises.
        start: The cycle starts at the peak divided by this.
        end: The cycle ends at the peak divided by this.
    """

    def __init__(self, peak, steps, rise=0.25, start=25.0, end=1e5):
        self.peak = peak
        self.steps = steps
        self.rise = rise
        self.start = start
        self.end = end

    def __call__(self, step):
        """Return the learning rate of a step, counted from 0."""
        done = ops.cast(step, "float32") / max(self.steps - 1, 1)
        up = _cosine(self.peak / self.start, self.peak, done / self.rise)
        down = _cosine(self.peak, self.peak / self.end, (done - self.rise) / (1.0 - self.rise))
        return ops.where(done < self.rise, up, down)

    def get_config(self):
        """Return the arguments of the constructor."""
        names = ("peak", "steps", "rise", "start", "end")
        return {name: getattr(self, name) for name in names}


def _cosine(first, last, done):
    share = ops.clip(done, 0.0, 1.0)
    return last + (first - last) * (1.0 + ops.cos(math.pi * share)) / 2.0
