"""Snakemake's command line, forked from a process that has loaded its modules already.

Loading them takes longer than planning a small experiment does. Each line of the standard input is
one request as JSON. Each run is a child of its own, so that no run leaves anything to the next.
"""

import gc
import importlib
import json
import os
import sys

# The imports of a run that take long, in addition to those of the command line.
PRELOADED = (
    "snakemake.cli",
    "snakemake.dag",
    "snakemake.executors.local",
    "snakemake.report",
    "snakemake.report.html_reporter",
    "snakemake.scheduling.job_scheduler",
    "snakemake.script",
    "snakemake.utils",
    "snakemake.workflow",
    "jsonschema",
    "requests",
    "yte",
)


def run(request: dict) -> None:
    """Run the command line in this process and end it with Snakemake's exit status."""
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, standard in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(ours, standard)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = ["snakemake", *request["arguments"]]
    # What runs the scripts of rules.
    sys.executable = request["python"]
    sys.modules["snakemake.cli"].main()


def serve() -> None:
    """Answer requests with their exit statuses until the standard input ends."""
    for module in PRELOADED:
        importlib.import_module(module)
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    # The folder of this file is no place to import from.
    sys.path.pop(0)
    serve()
