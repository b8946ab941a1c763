"""The one-node SLURM cluster that the tests of this folder share."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("one_node_cluster.sh")
NOT_HERE = 77


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """Start the cluster and stop it at the end; skip where this is impossible."""
    folder = tmp_path_factory.mktemp("slurm")
    started = subprocess.run(
        [SCRIPT, "start", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if started.returncode == NOT_HERE:
        pytest.skip(started.stdout.strip().splitlines()[-1])
    try:
        assert started.returncode == 0, started.stdout
        yield folder
    finally:
        subprocess.run([SCRIPT, "stop", folder], check=True)
