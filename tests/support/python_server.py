"""Interpreters for the scripts of rules, forked from one process that has loaded their packages.

Loading TensorFlow, or pandas and Matplotlib, takes longer than most jobs of a miniature experiment
compute. Nothing of the library is loaded here: every script runs its own version of it. Scripts
that are to be killed, and those that have to show what they import, run in plain interpreters.

The program that Snakemake starts (``CLIENT``) hands its arguments, folder, environment and standard
streams to this process, and ends as the script does.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import traceback
from pathlib import Path

PRELOADED = (
    *("cv2", "h5py", "jsonschema", "numpy", "pandas", "PIL.Image", "tifffile", "yaml"),
    *("scipy.optimize", "scipy.stats", "sklearn.linear_model", "sklearn.metrics"),
    *("sklearn.model_selection", "statsmodels.stats.proportion"),
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_pdf"),
    *("matplotlib.backends.backend_svg", "tensorflow", "keras"),
)

SECONDS_IDLE = 60
"""The server of an environment ends when nobody has asked for so long."""

CLIENT = """#!{python} -IS
import json, os, signal, socket, subprocess, sys, time
if len(sys.argv) != 2 or not sys.argv[1].endswith(".py"):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
connection = socket.socket(socket.AF_UNIX)
started, ends = None, time.monotonic() + 120
while True:
    try:
        connection.connect({address!r})
        break
    except OSError:
        if started is None:
            silent = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
            started = subprocess.Popen({server!r}, start_new_session=True, **silent)
        if started.poll() or time.monotonic() > ends:
            sys.exit("the interpreter with loaded packages has ended")
        time.sleep(0.05)
socket.send_fds(connection, [b"."], [0, 1, 2])
request = {{"script": sys.argv[1], "folder": os.getcwd(), "environment": dict(os.environ)}}
connection.sendall(json.dumps(request).encode())
connection.shutdown(socket.SHUT_WR)
status = int(connection.recv(16) or b"1")
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


def run_script(request: dict) -> int:
    """Run a script as an interpreter of its own would; returns its exit status."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    script = request["script"]
    sys.argv = [script]
    sys.path.insert(0, str(Path(script).parent))
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def answer(connection: socket.socket) -> None:
    """Fork the script, tell its exit status, and end it when nobody waits for it any more."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(b"".join(iter(lambda: connection.recv(65536), b"")))
    child = os.fork()
    if child == 0:
        connection.close()
        for stream, standard in zip(streams, (0, 1, 2), strict=True):
            os.dup2(stream, standard)
        status = run_script(request)
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    poll = select.poll()
    ended = os.pidfd_open(child)
    poll.register(ended, select.POLLIN)
    poll.register(connection, select.POLLHUP)
    if all(descriptor != ended for descriptor, _ in poll.poll()):
        os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def write_client(path: Path, python: Path, address: Path, server: list[str]) -> None:
    """Write the program that runs scripts by a server, which it starts when there is none.

    Args:
        path: The program.
        python: The interpreter that runs it, and all that is no script.
        address: Socket of the server.
        server: The command that starts the server.
    """
    text = CLIENT.format(python=str(python), address=str(address), server=server)
    path.write_text(text, "utf-8")
    path.chmod(0o700)


def serve(folder: Path, environment: bool) -> None:
    """Answer requests until the standard input ends, or until an environment's server is idle.

    Args:
        folder: Where the socket is.
        environment: Whether the interpreter is that of a rule's environment, which may lack some of
            the packages and whose client exists already.
    """
    # Without it Keras does not load JAX, which warns of every fork.
    sys.modules["jax"] = None
    for module in PRELOADED:
        with contextlib.suppress(*([ModuleNotFoundError] if environment else [])):
            importlib.import_module(module)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        address = folder / "address"
        try:
            server.bind(str(address))
        except OSError:
            # Two clients found no server, and the other one's is there now.
            return
        server.listen()
        if not environment:
            write_client(folder / "python", sys.executable, address, [])
            print(folder / "python", flush=True)
        asked, seconds = ([], SECONDS_IDLE) if environment else ([sys.stdin], None)
        while True:
            ready, _, _ = select.select([*asked, server], [], [], seconds)
            if server not in ready:
                address.unlink()
                return
            connection, _ = server.accept()
            if os.fork():
                connection.close()
                continue
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            server.close()
            answer(connection)
            os._exit(0)


if __name__ == "__main__":
    # The folder of this file is no place to import from.
    sys.path.pop(0)
    # As the library sets it before NumPy is loaded.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    serve(Path(sys.argv[1]), environment=sys.argv[2:] == ["environment"])
