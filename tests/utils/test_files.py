"""get_file: copies, hashes, and archives that want to get out of their folder."""

import hashlib
import io
import pathlib
import tarfile
import zipfile

import pytest

from kerasish.errors import InvalidArgument, UnsafeFile
from kerasish.utils import get_file


@pytest.fixture
def origin(tmp_path):
    path = tmp_path / "origin" / "a file.txt"
    path.parent.mkdir()
    path.write_text("hello")
    return path.as_uri()


def archive(path, members, links=()):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as file:
            for name, text in members.items():
                file.writestr(name, text)
            for name, target in links:
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o120777 << 16
                file.writestr(info, target)
    else:
        with tarfile.open(path, "w:gz") as file:
            for name, text in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(text)
                file.addfile(info, io.BytesIO(text.encode()))
            for name, target in links:
                info = tarfile.TarInfo(name)
                info.type, info.linkname = tarfile.SYMTYPE, target
                file.addfile(info)
    return path.as_uri()


def test_a_copy_is_made_once(origin, tmp_path):
    path = pathlib.Path(get_file(origin=origin, cache_dir=tmp_path / "cache"))
    assert path == tmp_path / "cache" / "datasets" / "a file.txt" and path.read_text() == "hello"
    path.write_text("kept")
    assert get_file(origin=origin, cache_dir=tmp_path / "cache") == str(path)
    assert path.read_text() == "kept"
    get_file(origin=origin, cache_dir=tmp_path / "cache", force_download=True)
    assert path.read_text() == "hello"


def test_hashes(origin, tmp_path):
    sha, md5 = (hashlib.new(n, b"hello").hexdigest() for n in ("sha256", "md5"))
    path = pathlib.Path(get_file("x", origin, file_hash=sha, cache_dir=tmp_path))
    path.write_text("damaged")
    get_file("x", origin, file_hash=sha, cache_dir=tmp_path)
    assert path.read_text() == "hello"
    assert get_file("y", origin, md5_hash=md5, cache_dir=tmp_path)
    with pytest.raises(UnsafeFile, match="hash"):
        get_file("z", origin, file_hash="0" * 64, cache_dir=tmp_path)
    assert [p.name for p in path.parent.iterdir()] in (["x", "y"], ["y", "x"])


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_archives_are_unpacked(ending, tmp_path):
    origin = archive(tmp_path / f"a{ending}", {"in/one.txt": "1", "two.txt": "2"})
    path = pathlib.Path(get_file("out", origin, extract=True, cache_dir=tmp_path / "cache"))
    assert (path / "in" / "one.txt").read_text() == "1" and (path / "two.txt").read_text() == "2"
    (path / "two.txt").write_text("kept")
    get_file("out", origin, extract=True, cache_dir=tmp_path / "cache")
    assert (path / "two.txt").read_text() == "kept"
    get_file("out", origin, extract=True, cache_dir=tmp_path / "cache", force_download=True)
    assert (path / "two.txt").read_text() == "2"


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
@pytest.mark.parametrize("name", ["../out.txt", "/tmp/kerasish_out.txt", "in/../../out.txt", "..\\out.txt", "C:\\out.txt"])
def test_members_stay_inside(ending, name, tmp_path):
    origin = archive(tmp_path / f"a{ending}", {"good.txt": "1", name: "bad"})
    with pytest.raises(UnsafeFile, match="leads out"):
        get_file("d/out", origin, extract=True, cache_dir=tmp_path / "cache")
    assert not any("out.txt" in p.name for p in tmp_path.rglob("*"))
    assert not (tmp_path / "cache" / "datasets" / "d" / "out").exists()


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_links_are_refused(ending, tmp_path):
    origin = archive(tmp_path / f"a{ending}", {"a": "1"}, [("link", "/etc/passwd")])
    with pytest.raises(UnsafeFile, match="link"):
        get_file("out", origin, extract=True, cache_dir=tmp_path / "cache")


def test_mistakes_are_told(origin, tmp_path):
    for kwargs, match in (
        ({"fname": "x"}, "origin"),
        ({"origin": "file:///nowhere/x"}, "cannot read"),
        ({"origin": origin, "fname": "../x"}, "leads out"),
        ({"origin": origin, "extract": True}, "no archive"),
        ({"origin": origin, "file_hash": "0", "hash_algorithm": "crc"}, "crc"),
    ):
        with pytest.raises(InvalidArgument, match=match):
            get_file(**kwargs, cache_dir=tmp_path / "cache")
