"""Training with less memory: a batch that does not fit is cut into smaller pieces."""

import logging
from collections.abc import Callable
from typing import Any

from blastfold.core.errors import OutOfMemoryError
from blastfold.training.device import is_out_of_memory
from blastfold.training.trainer import Trainer

logger = logging.getLogger(__name__)


def within_memory(
    build: Callable[[int], Trainer],
    work: Callable[[Trainer], Any],
    when_out_of_memory: str,
    batch: int,
) -> tuple[Trainer, Any]:
    """Work with a trainer; cut batches into smaller pieces when the memory is full.

    Args:
        build: Builds the trainer for a number of pieces per batch.
        work: The work of the trainer.
        when_out_of_memory: ``stop``, or ``accumulate`` to try smaller pieces.
        batch: Images per batch.

    Returns:
        The trainer and the result of the work.

    Raises:
        OutOfMemoryError: The memory is full and no smaller piece is allowed or possible.
    """
    pieces = 1
    while True:
        trainer = build(pieces)
        try:
            return trainer, work(trainer)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            allowed = when_out_of_memory == "accumulate"
            if not allowed or batch % (2 * pieces):
                raise OutOfMemoryError(_advice(batch // pieces, allowed)) from error
            pieces *= 2
            logger.warning(
                "The memory of the device is full. Batches are computed in pieces of %d images "
                "instead of %d and their gradients are added up. Where batch normalisation is "
                "trained, its statistics are those of the pieces.",
                batch // pieces,
                2 * batch // pieces,
            )
        # The network that did not fit must be gone before the next one is built.
        del trainer


def _advice(images: int, allowed: bool) -> str:
    accumulate = "" if allowed else "when_out_of_memory: accumulate, "
    return (
        f"The memory of the device is not enough for {images} images at once. Set {accumulate}a "
        "smaller batch_size, precision: mixed_float16 or mixed_bfloat16 on a GPU, or a smaller "
        "image_size"
    )
