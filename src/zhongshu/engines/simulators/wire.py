"""How a worker and who asks it speak: length, then MessagePack, numbers in volume as bytes."""

import struct
from typing import Any, BinaryIO

import msgspec
import numpy as np

LOG = "log"
"""The file in a run's folder that holds what its engine printed."""
_HEAD = struct.Struct("<I")
_COLUMN = 1


def _as_bytes(value: object) -> object:
    if isinstance(value, np.ndarray):
        return msgspec.msgpack.Ext(_COLUMN, np.ascontiguousarray(value, "<f8").tobytes())
    raise TypeError(type(value))


def _as_column(_code: int, data: memoryview) -> object:
    return np.frombuffer(data, "<f8")


_encoder, _decoder = msgspec.msgpack.Encoder(enc_hook=_as_bytes), msgspec.msgpack.Decoder(ext_hook=_as_column)


def encode(value: object) -> bytes:
    """Return a value as bytes; columns are doubles."""
    return _encoder.encode(value)


def decode(data: bytes | memoryview) -> Any:  # noqa: ANN401 (what was encoded)
    """Return what `encode` was given, tuples as lists."""
    return _decoder.decode(data)


def put(stream: BinaryIO, value: object) -> None:
    """Write one message."""
    data = encode(value)
    stream.write(_HEAD.pack(len(data)) + data)
    stream.flush()


def take(stream: BinaryIO) -> Any:  # noqa: ANN401 (what was put)
    """Read one message; raises EOFError where there is none any more."""
    head = stream.read(_HEAD.size)
    data = stream.read(_HEAD.unpack(head)[0]) if len(head) == _HEAD.size else b""
    if len(head) < _HEAD.size or len(data) < _HEAD.unpack(head)[0]:
        raise EOFError
    return decode(data)
