"""Sense: what the city's devices, departments and citizens know comes in here, is decoded, checked, placed, and made durable."""

from zhongshu.sense.decode import form_of
from zhongshu.sense.feeds import Feed, connect
from zhongshu.sense.intake import Intake, Opened, receive_own
from zhongshu.sense.once import Once
from zhongshu.sense.pipe import Pipe, Waiting
from zhongshu.sense.readers.folder import FolderReader
from zhongshu.sense.readers.mend import read_mended
from zhongshu.sense.readers.mqtt import MqttReader
from zhongshu.sense.readers.tables import read_file
from zhongshu.sense.registry import Registry, from_document, to_document
from zhongshu.sense.rows import MAX_BODY, TOO_LARGE
from zhongshu.sense.source import UNKNOWN_SOURCE, Column, Matrix, RequestTable, Source, Wide

__all__ = [
    "MAX_BODY",
    "TOO_LARGE",
    "UNKNOWN_SOURCE",
    "Column",
    "Feed",
    "FolderReader",
    "Intake",
    "Matrix",
    "MqttReader",
    "Once",
    "Opened",
    "Pipe",
    "Registry",
    "RequestTable",
    "Source",
    "Waiting",
    "Wide",
    "connect",
    "form_of",
    "from_document",
    "read_file",
    "read_mended",
    "receive_own",
    "to_document",
]
