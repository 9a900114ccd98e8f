"""The program's log on its standard error: as text for people, or a JSON object a line for machines."""

import json
import logging
import threading
from datetime import UTC, datetime

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CHATTY = ("asyncua", "pymodbus.logging")
"""Libraries that log every attempt; what they meet is raised too, and told once by whoever asked."""


class JsonLines(logging.Formatter):
    """One event a line: {at, level, logger, event, …what was given beside it, trace?}."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        event = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        event |= {name: value for name, value in vars(record).items() if name not in _KNOWN}
        if record.exc_info:
            event["trace"] = self.formatException(record.exc_info)
        return json.dumps(event, ensure_ascii=False, default=str)


def begin(form: str) -> None:
    """Write warnings and worse in a form, `text` or `json`."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for library in _CHATTY:
        logging.getLogger(library).setLevel(logging.CRITICAL)
    threading.excepthook = _ended


def _ended(end: threading.ExceptHookArgs) -> None:
    """Log what ended a thread, as everything else is logged."""
    if end.exc_type is not SystemExit:
        held = None if end.exc_value is None else (end.exc_type, end.exc_value, end.exc_traceback)
        logging.getLogger(__name__).error("thread.ended %s", end.thread.name if end.thread else "", exc_info=held)
