"""Pages opened in a browser without a window."""

import re
import shutil
import subprocess

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--virtual-time-budget=8000", "--dump-dom"),
)


TIMED_FRAMES = "window.requestAnimationFrame = (draw) => setTimeout(draw, 16);\n"
"""The browser runs ahead in a time of its own, in which a busy machine may draw no frame at all."""


def find_browser():
    """The first browser that is installed; None without one."""
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


def open_page(path, profile):
    """Open a file and wait until its scripts have run.

    Args:
        path: The page.
        profile: Folder for what the browser stores.

    Returns:
        The text that the page shows after that, and the messages of its console.
    """
    command = [find_browser(), *OPTIONS, f"--user-data-dir={profile}", path.resolve().as_uri()]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    shown = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", run.stdout)
    return " ".join(shown.split()), re.findall(r"CONSOLE[:(]\d+\)?\] (.*)", run.stderr)
