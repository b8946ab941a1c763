"""Latency, throughput and peak memory of every network of an experiment on this machine.

Every network has a process of its own, in which it is built, compiled and run before any time is
taken. The processes then take turns, so that a change of the machine's speed meets all networks
alike. Times are those of the compiled prediction from stored images (uint8) to probabilities. Start
weights do not matter for them and are random.
"""

import contextlib
import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, Self

import numpy as np
import onnxruntime
import pandas as pd

from blastfold.core.errors import BlastfoldError
from blastfold.core.lean_keras import keras
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import make_note
from blastfold.core.settings import JobSettings, OnnxSettings
from blastfold.networks.architectures import build_head
from blastfold.networks.preprocessing import declared_scaling
from blastfold.planning.machine_speed import build_timed_network, noise_preparation
from blastfold.training.device import backend_version, compiled
from blastfold.training.device_setup import Setup, set_up
from blastfold.training.gpu_slots import claim_gpu
from blastfold.training.own_backbones import open_onnx
from blastfold.training.run_record import describe_process
from blastfold.training.trainer import whole_model

logger = logging.getLogger(__name__)

BATCH_SIZE = 16
"""Images of a batch whose time gives the throughput."""

LEAST_PASSES, MOST_PASSES, SECONDS = 10, 30, 1.0
"""Timed passes of one image: until all networks have the least number, and then until each has the
largest number or has been timed for so many seconds."""

LEAST_BATCHES, MOST_BATCHES = 2, 10
"""The same for batches."""

PERCENTILE = 90
"""Of the latencies, next to their median."""


class MeasurementError(BlastfoldError):
    """A network could not be built or run in its own process."""


def measure_networks(
    networks: Sequence[Mapping], compute: JobSettings, output: str | os.PathLike
) -> None:
    """Write what was measured of every network.

    Args:
        networks: See :class:`NetworkProcess`; each also with ``runs``, the pairs of data set and
            model whose network it is.
        compute: How the networks compute.
        output: Table to write, one row per data set and model: see :func:`measure` for its
            columns; latency_ms is a median, and latency_p90_ms the 90th percentile.
    """
    rows = []
    for network, measured in zip(networks, measure(networks, compute), strict=True):
        name = "/".join(network["runs"][0])
        rows += [
            {"dataset": dataset, "model": model, "measured_as": name, **measured}
            for dataset, model in network["runs"]
        ]
        logger.info(
            "%s: %.2f ms per image (90th percentile %.2f), %.1f images per second",
            *(name, measured["latency_ms"], measured["latency_p90_ms"]),
            measured["images_per_second"],
        )
    write_noted(pd.DataFrame(rows), output)


def measure(networks: Sequence[Mapping], compute: JobSettings) -> list[dict]:
    """Run all networks in turns.

    Args:
        networks: See :class:`NetworkProcess`.
        compute: How the networks compute.

    Returns:
        For each network latency_ms, latency_p90_ms and their passes; images_per_second and its
        batch_size; peak_memory_mb and gpu_memory_mb (None on a CPU) of its process; device,
        runtime, precision and threads; cores, and load_before and load_after, the machine's load
        average of a minute; note.

    Raises:
        MeasurementError: A network could not be built or run.
    """
    if compute.gpu and compute.device != "cpu":
        # All processes of this job use its GPU.
        claim_gpu()
    with contextlib.ExitStack() as ended:
        processes: list[NetworkProcess] = []
        for network in networks:
            processes.append(ended.enter_context(NetworkProcess(network, compute, processes)))
        facts = [process.receive() for process in processes]
        before = os.getloadavg()[0]
        one = take_turns(
            [lambda process=process: process.run(1) for process in processes],
            *(LEAST_PASSES, MOST_PASSES, SECONDS),
        )
        batches = take_turns(
            [lambda process=process: process.run(BATCH_SIZE) for process in processes],
            *(LEAST_BATCHES, MOST_BATCHES, SECONDS),
            warm_up=False,
        )
        after = os.getloadavg()[0]
        memory = [process.end() for process in processes]
    machine = {"cores": os.cpu_count(), "load_before": before, "load_after": after}
    measured = zip(one, batches, facts, memory, strict=True)
    return [
        {**describe_times(passes, batch), **fact, **peak, **machine}
        for passes, batch, fact, peak in measured
    ]


def describe_times(passes: Sequence[float], batches: Sequence[float]) -> dict:
    """Return latency and throughput.

    Args:
        passes: Seconds of each pass of one image.
        batches: Seconds of each batch of :data:`BATCH_SIZE` images.
    """
    return {
        "latency_ms": 1000 * float(np.median(passes)),
        "latency_p90_ms": 1000 * float(np.percentile(passes, PERCENTILE)),
        "passes": len(passes),
        "images_per_second": BATCH_SIZE / float(np.median(batches)),
        "batch_size": BATCH_SIZE,
    }


def take_turns(
    passes: Sequence[Callable[[], float]],
    least: int,
    most: int,
    seconds: float,
    *,
    warm_up: bool = True,
) -> list[list[float]]:
    """Time several networks in turns.

    Args:
        passes: For each network, a function that makes one pass and returns its seconds.
        least: Number of timed passes that every network has.
        most: Largest number of timed passes of a network.
        seconds: A network with the least number of passes stops after so many seconds of them.
        warm_up: Before each timed pass a network makes one that does not count, because the caches
            of the processor hold the data of another network.

    Returns:
        The seconds of the timed passes of each network.
    """
    taken: list[list[float]] = [[] for _ in passes]

    def waits(times: Sequence[float]) -> bool:
        return len(times) < least or (len(times) < most and sum(times) < seconds)

    while any(map(waits, taken)):
        for make_pass, times in zip(passes, taken, strict=True):
            if waits(times):
                if warm_up:
                    make_pass()
                times.append(make_pass())
    return taken


class NetworkProcess:
    """A network in a process of its own, which runs it when it is asked to.

    The process is a copy of this one, whose libraries are loaded and which has not begun to
    compute: loading them again for every network would take longer than all passes. Its peak
    memory includes them.

    Args:
        network: ``settings``, the keys of a model entry that decide how fast it is (see
            :data:`blastfold.planning.cost_model.TIMED`), and ``shape``, (height, width, 3). A
            backbone in an ONNX file has also ``weights``, its path, and ``onnx``, what is declared
            of it.
        compute: How it computes.
        earlier: The processes that were started before.
    """

    def __init__(
        self, network: Mapping, compute: JobSettings, earlier: Sequence["NetworkProcess"] = ()
    ):
        self.name = network["settings"]["architecture"]
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        # Each side alone holds its end of the connection, so that the other one sees its death.
        inherited = [self.connection, *(process.connection for process in earlier)]
        arguments = (theirs, inherited, network, compute)
        self._process = context.Process(target=_serve, args=arguments)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def run(self, images: int) -> float:
        """Run the network on a number of images; returns the seconds that it took."""
        self.connection.send(images)
        return self.receive()

    def end(self) -> dict:
        """Ask for the peak memory of the process, which then ends."""
        self.connection.send(0)
        return self.receive()

    def receive(self) -> Any:
        """Wait for the answer of the process.

        Raises:
            MeasurementError: The network failed, or the process ended.
        """
        try:
            answer = self.connection.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            answer = MeasurementError(f"its process ended with status {self._process.exitcode}")
        if isinstance(answer, Exception):
            raise MeasurementError(
                f"{self.name}: its speed could not be measured: {answer}. Set measure_speed: false "
                "to leave it out"
            )
        return answer


def _serve(
    connection: Connection, inherited: Sequence[Connection], network: Mapping, compute: JobSettings
) -> None:
    """Answer the requests of :class:`NetworkProcess` until it asks for no images."""
    for other in inherited:
        other.close()
    try:
        # ONNX Runtime computes on the CPU, as it does when features are extracted.
        setup = set_up(compute.on_cpu() if "onnx" in network else compute, 0)
        shape = tuple(network["shape"])
        if "onnx" in network:
            run, runtime = _onnx_prediction(network, compute.threads, setup)
        else:
            run, runtime = _prediction(network["settings"], shape, setup)
        images = np.random.default_rng(0).integers(0, 256, (BATCH_SIZE, *shape), dtype=np.uint8)
        for count in (1, BATCH_SIZE):
            run(images[:count])
        connection.send(
            {
                "device": setup.device,
                "runtime": runtime,
                "precision": setup.precision,
                "threads": compute.threads,
            }
        )
        while count := connection.recv():
            start = time.perf_counter()
            run(images[:count])
            connection.send(time.perf_counter() - start)
        connection.send(_memory())
    except EOFError:
        # The other side has failed.
        return
    except Exception as error:
        # Whatever a network raises is for the other side.
        connection.send(MeasurementError(f"{type(error).__name__}: {error}"))


def _prediction(
    settings: Mapping, shape: tuple[int, int, int], setup: Setup
) -> tuple[Callable, str]:
    """Return the compiled prediction of a network, and what runs it."""
    model = whole_model(build_timed_network(settings, shape), noise_preparation(settings, shape))
    return compiled(model, setup.jit_compile), _backend()


def _onnx_prediction(network: Mapping, threads: int, setup: Setup) -> tuple[Callable, str]:
    """Return the prediction by a backbone in an ONNX file, with a head, and what runs it."""
    declared = OnnxSettings.read(network["onnx"])
    own = open_onnx(network["weights"], declared, threads)
    settings, shape = network["settings"], tuple(network["shape"])
    stain = noise_preparation(settings, shape).stain
    image = keras.Input(shape, name="image", dtype="uint8")
    seen = image if stain is None else stain(image)
    scaling = keras.Model(image, declared_scaling(shape, declared)(seen))
    architecture, units = settings["architecture"], settings["dense_units"]
    head = build_head((own.features,), architecture, units, settings["dropout"])
    before, after = (compiled(model, setup.jit_compile) for model in (scaling, head))

    def predict(images: np.ndarray) -> np.ndarray:
        return after(own.run(np.asarray(before(images))))

    return predict, f"onnxruntime {onnxruntime.__version__}, {_backend()}"


def _backend() -> str:
    return f"{keras.backend.backend()} {backend_version()}"


def _memory() -> dict:
    process = describe_process()
    gpu = process["peak_gpu_memory_mb"]
    return {
        "peak_memory_mb": process["peak_memory_mb"],
        "gpu_memory_mb": gpu,
        "note": make_note("no_gpu") if gpu is None else "",
    }
