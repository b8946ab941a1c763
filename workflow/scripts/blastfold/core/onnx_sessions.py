"""ONNX files that are opened and run."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from blastfold.core.errors import InputError

PARTS = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""Messages within the messages of an ONNX file by the numbers of their fields, as far as they can
hold weights. Source: onnx.proto of ONNX 1.18."""

EXTERNAL_DATA = 13
"""Field of a tensor whose values are in another file."""

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5
"""Wire types of protocol buffers."""


def require_one_file(path: str | os.PathLike, key: str) -> None:
    """Check that an ONNX file holds all of its weights, so that its SHA-256 covers them.

    Args:
        path: The file; one that is damaged passes, ONNX Runtime says more about it.
        key: What the config calls it.

    Raises:
        InputError: Values are in another file.
    """
    try:
        elsewhere = _has_external_data(memoryview(Path(path).read_bytes()), "model")
    except (IndexError, ValueError):
        return
    if elsewhere:
        raise InputError(
            f"{key}: {path} keeps weights in another file (external data), which its SHA-256 does "
            "not cover. Save it as one file and name that: "
            f"python -c \"import onnx; onnx.save(onnx.load('{path}'), 'whole.onnx')\". Such a file "
            "has at most 2 GB"
        )


def _has_external_data(message: memoryview, kind: str) -> bool:
    for number, value in _fields(message):
        if kind == "tensor" and number == EXTERNAL_DATA:
            return True
        part = PARTS[kind].get(number)
        if part and value is not None and _has_external_data(value, part):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | None]]:
    """Yield the fields of a protocol buffer: number, and the bytes of those that have a length.

    Raises:
        IndexError: It ends too early.
        ValueError: It has a field of no known type.
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind = tag & 7
        value = None
        if kind == VARINT:
            _, place = _varint(message, place)
        elif kind in (FIXED_64, FIXED_32):
            place += 8 if kind == FIXED_64 else 4
        elif kind == BYTES:
            length, place = _varint(message, place)
            if place + length > len(message):
                raise IndexError("a field is longer than its message")
            value = message[place : place + length]
            place += length
        else:
            raise ValueError(f"wire type {kind}")
        yield tag >> 3, value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return a number of variable length, and the place after it."""
    number = shift = 0
    while True:
        byte = message[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place


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
