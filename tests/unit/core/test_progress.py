"""Progress of a long piece of work, without waiting."""

from blastfold.core.progress import Progress


def test_every_call_is_reported_when_no_time_must_pass():
    lines = []
    progress = Progress(10, lines.append, "tiles", seconds=0.0)
    progress.advance(4)
    progress.advance(3, "epoch 2: ")
    assert lines[0].startswith("4 of 10 tiles, ")
    assert lines[0].endswith(" s left")
    assert lines[1].startswith("epoch 2: 7 of 10 tiles, ")


def test_nothing_is_reported_before_the_interval_has_passed():
    lines = []
    progress = Progress(10, lines.append, seconds=3600.0)
    for _ in range(10):
        progress.advance(1)
    assert lines == []
    assert progress.done == 10


def test_an_attempt_that_continues_counts_its_own_speed():
    progress = Progress(None, print, done=1_000_000)
    assert progress.rate() == 0
    progress.advance(1)
    assert progress.describe().startswith("1000001 images, ")


def test_a_last_batch_that_is_filled_up_counts_no_more_than_all():
    lines = []
    Progress(10, lines.append, seconds=0.0).advance(16)
    assert lines[0].startswith("10 of 10 images, ")
