"""Linear algebra with one thread, however many the scheduler gives to a job."""

import json
import os
import re
import subprocess
import sys

from support.repository import SCRIPTS

PROGRAM = """
import json
import blastfold
import numpy, scipy.linalg
from threadpoolctl import threadpool_info
print(json.dumps([pool["num_threads"] for pool in threadpool_info()]))
"""


def test_the_library_limits_blas_to_one_thread():
    asked = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "8")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **asked, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=True,
    )
    pools = json.loads(run.stdout)
    assert pools
    assert set(pools) == {1}


def test_every_script_imports_the_library_before_anything_that_computes():
    # NumPy reads the number of threads when it is imported.
    for path in sorted(SCRIPTS.glob("*.py")):
        modules = re.findall(r"^(?:import|from) (\w+)", path.read_text("utf-8"), re.MULTILINE)
        others = [name for name in modules if name not in sys.stdlib_module_names]
        assert others[0] == "blastfold", path.name
