"""ONNX files that are opened and run."""

import os
from collections.abc import Callable, Sequence

import numpy as np
import onnxruntime


def open_session(path: str | os.PathLike, threads: int = 1) -> onnxruntime.InferenceSession:
    """Open an ONNX file on the CPU.

    Raises:
        Exception: Of ONNX Runtime, where the file is not valid.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Only errors: the converter's shapes of a batch make the runtime warn.
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def chained(paths: Sequence[str | os.PathLike], threads: int = 1) -> Callable:
    """Open graphs of which each reads the first output of the one before.

    Returns:
        Function from the input of the first, (n, ...), to the first output of the last, (n, ...).
    """
    run = chained_outputs(paths, threads)
    return lambda values: run(values)[0]


def chained_outputs(paths: Sequence[str | os.PathLike], threads: int = 1) -> Callable:
    """Open graphs as :func:`chained` does; the function returns all outputs of the last one."""
    sessions = [open_session(path, threads) for path in paths]

    def run(values: np.ndarray) -> list[np.ndarray]:
        outputs = [values]
        for session in sessions:
            outputs = session.run(None, {session.get_inputs()[0].name: outputs[0]})
        return outputs

    return run
