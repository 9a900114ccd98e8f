"""Feeds that the city pulls or subscribes to: a row each in `connectors.toml`, a small reader for each kind, one runner for all."""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from zhongshu.kernel.journal import Batch, Receipt
from zhongshu.sense.feeds.bucket import BucketReader
from zhongshu.sense.feeds.declared import FILE, Bucket, Declared, GtfsRealtime, Modbus, Mysql, OpcUa, Postgresql, Rest, read_connectors
from zhongshu.sense.feeds.feed import Feed, Reader, Secret, broken, mark_path
from zhongshu.sense.feeds.marks import Marks
from zhongshu.sense.feeds.modbus import ModbusReader
from zhongshu.sense.feeds.opcua import OpcUaReader
from zhongshu.sense.feeds.rest import RestReader
from zhongshu.sense.feeds.sql import MysqlReader, PostgresReader
from zhongshu.sense.feeds.transit import TransitReader
from zhongshu.sense.intake import Intake
from zhongshu.sense.source import Source

__all__ = ["Declared", "Feed", "connect", "open_feed", "read_connectors"]

Report = Callable[[], dict[str, Any]]
_log = logging.getLogger(__name__)


def connect(
    folder: Path, sources: Mapping[str, Source], intake: Intake, submit: Callable[[Batch], "Future[Receipt]"], secret: Callable[[str], str | None]
) -> tuple[list[Feed], list[tuple[str, Report]]]:
    """Make a feed of each good row of a city's connectors; return them, and by source's name what says how each is, those of bad rows too."""
    good, bad = read_connectors(folder / FILE, sources)
    feeds = [open_feed(declared, folder, intake, submit, secret) for declared in good]
    for row in bad:
        _log.warning("feed.refused %s %s", row.name, row.problem)
    return feeds, [*((feed.name, feed.report) for feed in feeds), *((row.name, partial(broken, row, time.time_ns() // 1000)) for row in bad)]


def open_feed(declared: Declared, folder: Path, intake: Intake, submit: Callable[[Batch], "Future[Receipt]"], secret: Callable[[str], str | None]) -> Feed:
    """Make the feed of one row; it is not started."""
    kept = Secret(declared.row.secret, secret)
    return Feed(declared, _reader(declared, intake, kept), submit, Marks(mark_path(folder, declared.row.name)), kept, intake.clock)


def _reader(declared: Declared, intake: Intake, secret: Secret) -> Reader:
    row, source = declared.row, declared.source
    match row:
        case Postgresql():
            return PostgresReader(row, source, intake, secret)
        case Mysql():
            return MysqlReader(row, source, intake, secret)
        case Bucket():
            return BucketReader(row, source, intake, secret)
        case Rest():
            return RestReader(row, source, intake, secret)
        case GtfsRealtime():
            return TransitReader(row, source, intake, secret)
        case OpcUa():
            return OpcUaReader(row, source, intake, secret)
        case Modbus():
            return ModbusReader(row, source, intake, secret)
    raise TypeError(type(row))
