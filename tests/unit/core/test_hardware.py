"""Whether a GPU is there is read from the driver's device files."""

import pytest

from blastfold.core.hardware import (
    declared_threads,
    has_gpu,
    installed_memory,
    visible_gpus,
)


def test_device_files_and_visibility_decide(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "nvidiactl").touch()
    assert not has_gpu(tmp_path)
    (tmp_path / "nvidia0").touch()
    assert has_gpu(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not has_gpu(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert has_gpu(tmp_path)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (None, ["0", "1", "2"]),
        ("1", ["1"]),
        ("2,0", ["2", "0"]),
        (" 1 , 1", ["1"]),
        ("0,-1,2", ["0"]),
        ("", []),
        ("-1", []),
        ("GPU-0a,MIG-1b", ["GPU-0a", "MIG-1b"]),
    ],
)
def test_visible_gpus_are_listed_as_cuda_reads_them(tmp_path, named, expected):
    # Inside a container the files may be those of a part of the machine; CUDA counts from 0.
    for number in (1, 3, 5):
        (tmp_path / f"nvidia{number}").touch()
    (tmp_path / "nvidia-uvm").touch()
    environment = {} if named is None else {"CUDA_VISIBLE_DEVICES": named}
    assert visible_gpus(tmp_path, environment) == expected


@pytest.mark.parametrize(
    ("threads", "cores", "memory", "side_by_side"),
    [
        (1, 1, 64, 1),
        (1, 2, 24, 2),
        (1, 8, 64, 8),
        # Memory for five; eight cores are no multiple of five.
        (1, 8, 32, 4),
        (1, 8, 8, 1),
        (1, 8, 2, 1),
        (4, 8, 64, 2),
        (4, 2, 64, 1),
    ],
)
def test_as_many_trainings_run_side_by_side_as_cores_and_memory_allow(
    threads, cores, memory, side_by_side
):
    declared = declared_threads(threads, cores, memory)
    # The scheduler never counts more threads than it has cores.
    assert cores // min(declared, cores) == side_by_side
    assert declared >= threads


def test_the_memory_of_this_machine_is_known():
    assert 0.1 < installed_memory() < 1e5
