"""Arrays whose place on the disk is reserved."""

import shutil
import subprocess

import numpy as np
import pytest

from blastfold.core.arrays import create_array


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a file system can be mounted by root alone")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_an_array_is_as_numpy_reads_it(tmp_path):
    array = create_array(tmp_path / "a.npy", (3, 4), "float32")
    array[1] = 7
    array.flush()
    stored = np.load(tmp_path / "a.npy")
    assert stored.dtype == np.float32
    assert stored.tolist() == [[0] * 4, [7] * 4, [0] * 4]


def test_the_file_has_no_holes(tmp_path):
    create_array(tmp_path / "a.npy", (2**20,), "uint8")
    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= 2**20


def test_a_full_disk_is_an_error_before_anything_is_written(small_disk):
    with pytest.raises(OSError, match="No space left on device") as error:
        create_array(small_disk / "a.npy", (2**22,), "uint8")
    assert error.value.filename == str(small_disk / "a.npy")
    assert list(small_disk.iterdir()) == []
    create_array(small_disk / "b.npy", (2**19,), "uint8")[:] = 1
