"""Shared values as bytes for other processes; arrays lie apart, so that they are copied once or not at all."""

import mmap
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64  # bytes


class Packed(NamedTuple):
    """A pickled value without its arrays, and their memory as bytes."""

    text: bytes
    arrays: list[NDArray[np.uint8]]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays)


def pack(value: Any) -> Packed:
    """Pickle a value; its arrays are not copied."""
    buffers: list[pickle.PickleBuffer] = []
    text = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return Packed(text, [np.frombuffer(buffer.raw(), dtype=np.uint8) for buffer in buffers])


def unpack(packed: Packed) -> Any:
    """Inverse of `pack`; arrays are private copies, as read-only ones would be compiled for again."""
    return _loaded(packed.text, [array.copy().data for array in packed.arrays])


def spool(value: Any, folder: Path) -> None:
    """Write a value for other processes of this machine: arrays go to a file that they map, so memory is shared."""
    packed = pack(value)
    with (folder / "buffers").open("wb") as file:
        for array in packed.arrays:
            file.write(array.data)
            file.write(b"\0" * (-array.nbytes % ALIGNMENT))
    (folder / "value").write_bytes(pickle.dumps((packed.text, [array.nbytes for array in packed.arrays])))


def unspool(folder: Path) -> Any:
    """Inverse of `spool`; arrays are private copies on write, as read-only ones would be compiled for again."""
    text, sizes = pickle.loads((folder / "value").read_bytes())
    if not sum(sizes):
        return _loaded(text, [memoryview(b"")] * len(sizes))
    with (folder / "buffers").open("rb") as file:
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    buffers, start = [], 0
    for size in sizes:
        buffers.append(view[start : start + size])
        start += size + -size % ALIGNMENT
    return _loaded(text, buffers)


def _loaded(text: bytes, buffers: Sequence[memoryview]) -> Any:
    # memory of no length may come from anywhere, but must be writable as the rest is
    return pickle.loads(text, buffers=[buffer if buffer.nbytes else bytearray() for buffer in buffers])
