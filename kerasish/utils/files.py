"""Files from the web or from elsewhere, checked and unpacked without trust in their contents."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import shutil
import stat
import tarfile
import tempfile
import urllib.parse
import urllib.request
import zipfile
from typing import Any

from kerasish import config
from kerasish.errors import InvalidArgument, UnsafeFile

_CHUNK = 1 << 20


def get_file(
    fname: str | None = None, origin: str | None = None, untar: bool = False,
    md5_hash: str | None = None, file_hash: str | None = None, cache_subdir: str = "datasets",
    hash_algorithm: str = "auto", extract: bool = False, archive_format: Any = "auto",
    cache_dir: Any = None, force_download: bool = False,
) -> str:  # fmt: skip
    """The path of a copy of a file that is downloaded once, and again where its hash is wrong.

    Args:
        fname: the name of the copy; by default the last part of `origin`. With an absolute path
            its folder is used in place of the cache.
        origin: the address, `https://...` or `file://...`.
        untar: kept for compatibility: `extract` for tar files.
        md5_hash: kept for compatibility: a `file_hash` by MD5.
        file_hash: the hexadecimal hash that the file must have.
        cache_subdir: the folder inside of the cache.
        hash_algorithm: `"sha256"`, `"md5"`, or `"auto"`, by the length of the hash.
        extract: unpack the archive; then the path of the folder with its contents is returned.
        archive_format: `"tar"`, `"zip"`, a list of them, or `"auto"` for either.
        cache_dir: the cache; by default `KERASISH_HOME`, or `.kerasish` in the home folder.
        force_download: download also what is there.

    >>> import pathlib, tempfile
    >>> import kerasish as keras
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source = pathlib.Path(folder, "words.txt")
    ...     _ = source.write_text("one two")
    ...     copy = keras.utils.get_file(origin=source.as_uri(), cache_dir=folder)
    ...     pathlib.Path(copy).read_text()
    'one two'
    """
    if not origin:
        raise InvalidArgument("get_file needs an origin: the address of the file.")
    if fname is None:
        fname = os.path.basename(urllib.parse.unquote(urllib.parse.urlsplit(origin).path))
        if not fname:
            raise InvalidArgument(f"get_file: {origin!r} ends in no file name: give fname.")
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    folder = pathlib.Path(config.home() if cache_dir is None else cache_dir, cache_subdir)
    target = pathlib.Path(folder, fname)
    if ".." in pathlib.PurePath(fname).parts:
        raise InvalidArgument(f"get_file: fname leads out of the cache: {fname!r}.")
    target.parent.mkdir(parents=True, exist_ok=True)
    unpack = extract or untar
    file = target.with_name(target.name + ".archive") if unpack else target

    fresh = force_download or not file.exists()
    if not fresh and file_hash is not None and not _matches(file, file_hash, hash_algorithm):
        fresh = True
    if fresh:
        _download(origin, file, file_hash, hash_algorithm)
    if unpack and (fresh or not target.exists()):
        _unpack(file, target, ["tar"] if untar and not extract else archive_format)
    return str(target)


def _matches(path: pathlib.Path, wanted: str, algorithm: str) -> bool:
    if algorithm == "auto":
        algorithm = "sha256" if len(wanted) == 64 else "md5"
    if algorithm not in ("sha256", "md5"):
        raise InvalidArgument(
            f"get_file: hash_algorithm is 'sha256', 'md5' or 'auto', got {algorithm!r}."
        )
    found = hashlib.new(algorithm, usedforsecurity=algorithm != "md5")
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest() == wanted.lower()


def _download(origin: str, file: pathlib.Path, wanted: str | None, algorithm: str) -> None:
    """Into a file beside the target, which it replaces when it is whole and has its hash."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    part = pathlib.Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            try:
                with urllib.request.urlopen(origin) as response:
                    shutil.copyfileobj(response, out, _CHUNK)
            except (OSError, ValueError) as error:
                raise InvalidArgument(f"get_file cannot read {origin}: {error}") from error
        if wanted is not None and not _matches(part, wanted, algorithm):
            raise UnsafeFile(
                f"What {origin} gave has not the hash {wanted!r}: it was changed or is damaged. "
                "Nothing was kept."
            )
        os.replace(part, file)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _unpack(archive: pathlib.Path, target: pathlib.Path, formats: Any) -> None:
    """Unpacks into a folder beside the target, which it replaces when all went well."""
    formats = ["tar", "zip"] if formats == "auto" else [formats] if isinstance(formats, str) else (
        list(formats or ())
    )
    if unknown := set(formats) - {"tar", "zip"}:
        raise InvalidArgument(f"get_file: archive formats are 'tar' and 'zip', got {unknown}.")
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        inner = pathlib.Path(name, "content")
        inner.mkdir()
        if "zip" in formats and zipfile.is_zipfile(archive):
            _unpack_zip(archive, inner)
        elif "tar" in formats and tarfile.is_tarfile(archive):
            _unpack_tar(archive, inner)
        else:
            raise InvalidArgument(f"{str(archive)!r} is no archive of the formats {formats}.")
        if target.is_dir():
            shutil.rmtree(target)
        elif target.exists():
            target.unlink()
        os.replace(inner, target)


def _inside(folder: pathlib.Path, name: str) -> pathlib.Path:
    """Where a member goes; an error where that is not inside of the folder."""
    path = pathlib.PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in (path.parts or ("",))[0]:
        raise UnsafeFile(f"The archive has a member {name!r}, which leads out of its folder.")
    return folder.joinpath(*path.parts)


def _unpack_zip(archive: pathlib.Path, folder: pathlib.Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            path = _inside(folder, info.filename)
            if stat.S_ISLNK(info.external_attr >> 16):
                raise UnsafeFile(f"The archive has a link, {info.filename!r}: not unpacked.")
            if info.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with file.open(info) as source, open(path, "wb") as out:
                shutil.copyfileobj(source, out, _CHUNK)


def _unpack_tar(archive: pathlib.Path, folder: pathlib.Path) -> None:
    with tarfile.open(archive) as file:
        for info in file:
            path = _inside(folder, info.name)
            if info.isdir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            if not info.isfile():
                raise UnsafeFile(
                    f"The archive has a link or device, {info.name!r}: not unpacked."
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            source: Any = file.extractfile(info)
            with source, open(path, "wb") as out:
                shutil.copyfileobj(source, out, _CHUNK)
