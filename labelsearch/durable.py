"""Files that survive kills and power failures, and do not hide damage.

Append-only text files have a checksum in each line, which tells an interrupted write from damage. A line is the CRC-32
of its text as eight hexadecimal digits, a space, the text, and a newline. Only the last line can be torn, by a kill or
a power failure while it was written; it was never committed and does not count. Any other line that does not match its
checksum was committed and has changed since: the file is refused and left as it is.
"""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from labelsearch.errors import InputError


class DamagedFileError(InputError):
    """A file that has changed since it was written, as one line."""


def checked_line(text: bytes) -> bytes:
    """The line of a text, which must hold neither newlines nor zero bytes."""
    return b"%08x %s\n" % (zlib.crc32(text), text)


def checked_texts(path: Path) -> tuple[list[bytes], int]:
    """Texts of the committed lines of a file, and how many bytes they take; none if there is no such file.

    Raises
    ------
    DamagedFileError
        Names the first line that has changed since it was committed.
    """
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], 0
    texts, length = [], 0
    for number, line in enumerate(lines, 1):
        if not _whole(line):
            # blocks that a power failure left unwritten read as zeros
            if number == len(lines) and not rest and b"\0\0" in line:
                break
            raise _damaged(path, number, length)
        texts.append(line[9:])
        length += len(line) + 1
    if rest and _whole(rest[:-1]):  # whole but for its newline, which has become another byte
        raise _damaged(path, len(lines) + 1, length)
    return texts, length


def _whole(line: bytes) -> bool:
    return line[:9] == b"%08x " % zlib.crc32(line[9:])


def _damaged(path: Path, number: int, byte: int) -> DamagedFileError:
    return DamagedFileError(
        f"{path}: line {number}, which starts at byte {byte}, has changed since it was written; restore the file from "
        "a copy, or remove the line to give up what it records"
    )


@contextmanager
def held(path: Path, *, busy: Exception | None = None) -> Iterator[None]:
    """Hold a lock file, which a process that ends in any way releases.

    Parameters
    ----------
    path : Path
        The lock file; its folder is created.
    busy : Exception, optional
        Raised if another process holds it; by default, wait until that process releases it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=-1 if busy is None else 0, thread_local=False)
    try:
        lock.acquire(poll_interval=0.01)
    except Timeout:
        assert busy is not None
        raise busy from None
    try:
        yield
    finally:
        lock.release()


def sync_folder(folder: Path) -> None:
    """Make names in a folder, new ones and renamed ones, survive a power failure, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
