"""Whether a GPU is there is read from the driver's device files."""

import pytest

from blastfold.core.hardware import has_gpu, visible_gpus


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
