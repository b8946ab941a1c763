"""Which raw files count, and digests of their content."""

import os
import shutil

import pytest

from blastfold.core import digest_cache, raw_files
from blastfold.core.errors import InputError
from blastfold.core.raw_files import digest_raw_folder, digest_slide, find_files


@pytest.fixture
def folder(tmp_path):
    files = {
        "normal/ü 1.bmp": b"aaaa",
        "blast/2.bmp": b"bbbb",
        "labels.csv": b"2.bmp,1\n",
        "Im001_1.xyc": b"1 2\n",
    }
    for name, content in files.items():
        path = tmp_path / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    age(tmp_path / "raw")
    return tmp_path / "raw"


def age(folder):
    """Make all files look as if they were written long ago, as far as a user can."""
    for path in folder.rglob("*"):
        os.utime(path, ns=(10**18, 10**18), follow_symlinks=False)


def digest(folder, **options):
    return digest_raw_folder(folder, folder.parent / "cache" / "digests.json", **options)


def overwrite(path, content):
    """Replace the content in place and set its date back."""
    dates = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))


@pytest.mark.parametrize("name", ["labels.csv", "Im001_1.xyc", "blast/2.bmp", "normal/ü 1.bmp"])
def test_content_of_the_same_length_counts(folder, name):
    first = digest(folder)
    before = (folder / name).read_bytes()
    overwrite(folder / name, before.translate(bytes.maketrans(b"1ab", b"0ba")))
    assert digest(folder) != first
    overwrite(folder / name, before)
    assert digest(folder) == first


def test_dates_copies_links_and_an_absent_cache_do_not_count(folder, tmp_path):
    first = digest(folder)
    for path in folder.rglob("*"):
        path.touch()
    assert digest(folder) == first
    shutil.copytree(folder, tmp_path / "copy")
    assert digest(tmp_path / "copy") == first
    (tmp_path / "link").symlink_to("raw")
    assert digest(tmp_path / "link") == first
    (tmp_path / "linked").mkdir()
    for path in folder.iterdir():
        (tmp_path / "linked" / path.name).symlink_to(path)
    assert digest(tmp_path / "linked") == first
    (tmp_path / "cache" / "digests.json").unlink()
    assert digest(folder) == first


def test_names_added_and_removed_files_count(folder):
    digests = {digest(folder)}
    (folder / "blast" / "2.bmp").rename(folder / "blast" / "3.bmp")
    digests.add(digest(folder))
    (folder / "blast" / "4.bmp").write_bytes(b"bbbb")
    digests.add(digest(folder))
    (folder / "blast" / "4.bmp").unlink()
    (folder / "labels.csv").unlink()
    digests.add(digest(folder))
    assert len(digests) == 4


def test_files_that_exchange_their_content_count(folder):
    first = digest(folder)
    one, two = folder / "normal" / "ü 1.bmp", folder / "blast" / "2.bmp"
    contents = one.read_bytes(), two.read_bytes()
    overwrite(one, contents[1])
    overwrite(two, contents[0])
    assert digest(folder) != first


@pytest.mark.parametrize(
    "name",
    [".hidden", ".git/config", "@eaDir/1.bmp", "__MACOSX/._1.bmp", "blast/Thumbs.db", "README.txt"],
)
def test_what_no_format_reads_does_not_count(folder, name):
    first = digest(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"new")
    assert digest(folder) == first


def test_a_sheet_counts_whatever_its_ending_is(folder):
    (folder / "sheet.txt").write_text("path\tlabel\n")
    first = digest(folder, sheet="./sheet.txt")
    overwrite(folder / "sheet.txt", b"path\tclass\n")
    assert digest(folder, sheet="./sheet.txt") != first


def test_known_files_are_not_read_again(folder, monkeypatch):
    read = []
    monkeypatch.setattr(digest_cache, "COARSE_NS", 0)

    def reading(path):
        read.append(path.name)
        return files_digest(path)

    files_digest = raw_files.digest_file
    monkeypatch.setattr(raw_files, "digest_file", reading)
    first = digest(folder)
    assert sorted(read) == ["2.bmp", "Im001_1.xyc", "labels.csv", "ü 1.bmp"]
    assert digest(folder) == first
    assert len(read) == 4
    (folder / "labels.csv").touch()
    assert digest(folder) == first
    assert read[4:] == ["labels.csv"]


def test_a_file_that_was_just_changed_is_read_again(folder):
    # Both changes may carry the same dates where the clock of the file system is coarse.
    digest(folder)
    cache = folder.parent / "cache" / "digests.json"
    sizes = {entry[0] for entry in digest_cache.DigestCache(cache).known.values()}
    assert sizes == {-1}


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"labels.csv": [1, 2]}', '{"a": 3}'])
def test_a_damaged_cache_is_an_empty_one(folder, content):
    first = digest(folder)
    (folder.parent / "cache" / "digests.json").write_text(content)
    assert digest(folder) == first


def test_a_cache_that_cannot_be_written_changes_nothing(folder):
    (folder.parent / "cache").write_text("a file in place of the folder")
    assert digest(folder) == digest(folder)


def test_links_in_a_circle_end(folder):
    first = digest(folder)
    (folder / "blast" / "again").symlink_to(folder)
    (folder / "normal" / "above").symlink_to(folder.parent)
    (folder / "normal" / "other").symlink_to(folder / "blast")
    (folder / "self").symlink_to("self")
    assert [name for name in find_files(folder) if name != "self"] == [
        "Im001_1.xyc",
        "blast/2.bmp",
        "labels.csv",
        "normal/ü 1.bmp",
    ]
    (folder / "self").unlink()
    assert digest(folder) == first


def test_a_linked_folder_is_listed_under_its_own_name(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere" / "part"
    elsewhere.mkdir(parents=True)
    (elsewhere / "3.bmp").write_bytes(b"c")
    # The names sort the link before the folder.
    (folder / "a").symlink_to(folder / "blast")
    (folder / "far").symlink_to(tmp_path / "elsewhere")
    (folder / "part").symlink_to(elsewhere)
    found = find_files(folder)
    assert "blast/2.bmp" in found
    assert "far/part/3.bmp" in found
    assert len(found) == 5


def test_an_unreadable_folder_is_an_error(folder, monkeypatch):
    # Permissions do not hold root, which tests may run as.
    listed = os.scandir

    def refusing(path):
        if str(path).endswith("blast"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)
    expected = f"The folder '{folder}/blast' cannot be read (Permission denied)"
    for function in (find_files, digest):
        with pytest.raises(InputError) as refused:
            function(folder)
        assert expected in str(refused.value)


def test_a_file_that_is_gone_or_none_counts_by_its_name(folder):
    first = digest(folder)
    (folder / "lost.bmp").symlink_to("nowhere.bmp")
    os.mkfifo(folder / "pipe.bmp")
    second = digest(folder)
    assert second != first
    assert digest(folder) == second


def test_a_file_that_changes_while_it_is_read_is_an_error(folder, monkeypatch):
    def appending(path):
        with path.open("ab") as file:
            file.write(b"more")
        return "digest"

    monkeypatch.setattr(raw_files, "digest_file", appending)
    with pytest.raises(InputError, match="changes while it is read"):
        digest(folder)


def test_a_file_that_changes_once_is_read_again(folder):
    path = folder / "labels.csv"
    contents = iter([b"one", None])

    def changing(path):
        content = next(contents)
        if content:
            path.write_bytes(content)
        return path.read_text()

    stamp, content = digest_cache.read_stable(path, changing)
    assert content == "one"
    assert stamp is not None


def test_progress_is_reported(folder, monkeypatch):
    monkeypatch.setattr(digest_cache, "SECONDS_BETWEEN_REPORTS", 0.0)
    lines = []
    digest(folder, report=lines.append)
    assert lines[-1].startswith("0.0 of 0.0 GB of raw files read, ")


def test_slides(tmp_path, monkeypatch):
    slide, cache = tmp_path / "slide.tif", tmp_path / "slides.json"
    slide.write_bytes(bytes(1000))
    whole = digest_slide(slide, cache)
    overwrite(slide, bytes(500) + b"\1" + bytes(499))
    assert digest_slide(slide, cache) != whole
    monkeypatch.setattr(raw_files, "SAMPLED_ABOVE", 999)
    monkeypatch.setattr(raw_files, "SAMPLES", 11)
    monkeypatch.setattr(raw_files, "SAMPLE_SIZE", 20)
    overwrite(slide, bytes(1000))
    sampled = digest_slide(slide, cache)
    assert sampled != whole
    for place in (0, 19, 98, 980, 999):
        content = bytearray(1000)
        content[place] = 1
        overwrite(slide, content)
        assert digest_slide(slide, cache) != sampled, place
    overwrite(slide, bytes(1001))
    assert digest_slide(slide, cache) != sampled
    slide.touch()
    last = digest_slide(slide, cache)
    slide.unlink()
    assert digest_slide(slide, cache) == last
    assert digest_slide(tmp_path / "never.tif", cache) == ""
