"""A file of lines that only grows: one writer at a time, each line durable before its writer goes on."""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from abkit.errors import DataError

BLOCK = 65_536


def append_line(path: Path, line_after: Callable[[bytes | None], bytes | None]) -> bytes | None:
    """Append the line that follows the last one, and return it; None from the caller appends nothing.

    What a writer that was killed left of a line is moved to a file beside, `.torn`, before.
    """
    try:
        with _locked(path) as file:
            end = _set_torn_aside(file, path)
            line = line_after(_last_line(file, end))
            if line is not None:
                _write(file, end, line + b"\n")
            return line
    except OSError as error:
        raise DataError(f"the audit file {str(path)!r} cannot be written: {error.strerror}.") from error


def read_lines(path: Path) -> tuple[list[bytes], int]:
    """The complete lines, and how many bytes of a torn one follow them."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"the audit file {str(path)!r} cannot be read: {error.strerror}.") from error
    *lines, torn = content.split(b"\n")
    return lines, len(torn)


def holds(path: Path, text: bytes) -> bool:
    """Whether a file that is not empty has these bytes: a search of memory, some thousand records a millisecond."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(text) >= 0


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file, open for this writer alone; if another one took its place while this one waited, that one."""
    while True:
        new = not path.exists()
        file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            _lock(file)
            if os.path.exists(path) and os.path.samestat(os.fstat(file), os.stat(path)):  # noqa: PTH110, PTH116
                if new:
                    _sync_folder(path)
                yield file
                return
        finally:
            _unlock(file)
            os.close(file)


if sys.platform == "win32":
    import msvcrt

    #: A byte far beyond any line, since Windows keeps others from a locked one.
    FAR = 2**62

    def _lock(file: int) -> None:
        os.lseek(file, FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_LOCK, 1)

    def _unlock(file: int) -> None:
        os.lseek(file, FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

    def _sync_folder(path: Path) -> None:
        """Windows keeps its folders itself."""

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)

    def _sync_folder(path: Path) -> None:
        """So that a new file is found after a crash of the machine."""
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _set_torn_aside(file: int, path: Path) -> int:
    """Where the complete lines end."""
    size = os.lseek(file, 0, os.SEEK_END)
    end = _after_last_newline(file, size)
    if end < size:
        torn = _read(file, end, size - end)
        beside = os.open(path.with_name(path.name + ".torn"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _write_all(beside, torn + b"\n")
            os.fsync(beside)
        finally:
            os.close(beside)
        os.ftruncate(file, end)
        os.fsync(file)
    return end


def _after_last_newline(file: int, end: int) -> int:
    while end > 0:
        start = max(0, end - BLOCK)
        found = _read(file, start, end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _last_line(file: int, end: int) -> bytes | None:
    if not end:
        return None
    start = _after_last_newline(file, end - 1)
    return _read(file, start, end - 1 - start)


def _read(file: int, start: int, size: int) -> bytes:
    os.lseek(file, start, os.SEEK_SET)
    pieces = []
    while size > 0 and (piece := os.read(file, size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _write(file: int, end: int, line: bytes) -> None:
    """All of the line or, where the disk is full, nothing."""
    os.lseek(file, end, os.SEEK_SET)
    try:
        _write_all(file, line)
        os.fsync(file)
    except OSError:
        os.ftruncate(file, end)
        raise


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
