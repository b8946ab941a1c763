"""Results from the future, which a clock that was ahead has left."""

import os

from blastfold.experiment.folders import CLOCK_TOLERANCE, settle_dates

NOW = 1_800_000_000.0


def dated(path, seconds):
    os.utime(path, (NOW + seconds, NOW + seconds), follow_symlinks=False)
    return path


def test_files_folders_and_links_from_the_future_get_the_present_date(tmp_path):
    folder = tmp_path / "results" / "datasets"
    folder.mkdir(parents=True)
    past, soon, future = (folder / name for name in ("past", "soon", "future"))
    for path in (past, soon, future):
        path.touch()
    link = folder / "link"
    link.symlink_to("past")
    dated(past, -500)
    dated(soon, CLOCK_TOLERANCE / 2)
    dated(future, 365 * 86400)
    dated(link, 365 * 86400)
    dated(folder, 365 * 86400)
    assert settle_dates(tmp_path / "results", NOW) == 3
    assert past.stat().st_mtime == NOW - 500
    assert soon.stat().st_mtime == NOW + CLOCK_TOLERANCE / 2
    assert future.stat().st_mtime == link.lstat().st_mtime == folder.stat().st_mtime == NOW
    assert settle_dates(tmp_path / "results", NOW) == 0


def test_without_results_nothing_is_changed(tmp_path):
    assert settle_dates(tmp_path / "results") == 0
