"""Rows of JSON behind an HTTP interface, page by page: by next link, offset, page number or cursor; from a watermark on, where the interface takes one.

A page that is the same as at the last turn is not handed over again. Bounded in pages, bytes and time; the mark moves only when all pages came.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urljoin

import httpx
import msgspec

from zhongshu.kernel.clock import parse_duration
from zhongshu.kernel.journal import Batch, Refused
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why
from zhongshu.sense.feeds.batches import Cells, cells, digest, of_documents, of_rows, wanted
from zhongshu.sense.feeds.declared import Paging, Rest
from zhongshu.sense.feeds.feed import Part, Secret
from zhongshu.sense.feeds.marks import Mark, back, furthest, sort_of
from zhongshu.sense.feeds.web import Answer, Fetcher
from zhongshu.sense.handing import Stopped
from zhongshu.sense.intake import Intake
from zhongshu.sense.readers.tables import NO_COLUMN
from zhongshu.sense.source import Source

NO_ROWS = declare(
    "connector.no_rows",
    "invalid",
    zh=("答复里找不到数据：{why_zh}。", "请核对 at（例如 data.items）和接口的答复。"),
    en=("No rows can be found in the answer: {why_en}.", "Check at (for example data.items) against what the interface answers."),
)
ENDLESS = declare(
    "connector.endless",
    "invalid",
    zh=("分页没有结束：{why_zh}。", "请核对 paging，或放宽 pages、within；已取到的数据都已接收，下次从原处再取。"),
    en=("The pages do not end: {why_en}.", "Check paging, or raise pages or within; what came is kept, and the next turn begins where this one did."),
)


class RestReader:
    """Pulls one interface."""

    def __init__(self, row: Rest, source: Source, intake: Intake, secret: Secret) -> None:
        """Take the row, its source, what checks, and where its secret is."""
        self.row, self.source = row, source
        self._intake, self._secret = intake, secret

    def read(self, mark: Mark, stop: threading.Event) -> Iterator[Part]:
        """Yield the pages that are new, then how far they go."""
        turn, before = int(mark.get("turn", 0)), list(mark.get("pages", []))
        at, kind = str(mark.get("at", "")), str(mark.get("kind", ""))
        since = back(at, kind, self.row.overlap) if at else self.row.start
        seen: list[str] = []
        headers, handed = set[str](), 0
        with closing(Fetcher(self.row, self._secret)) as fetcher:
            for number, rows in enumerate(self._pages(fetcher, since, stop)):
                seen.append(digest(json.dumps(rows, ensure_ascii=False))[:32])
                values = [v for v in (self._watermark(row) for row in rows) if v]
                kind = kind or (sort_of(values) if values else "")
                at = furthest(values, kind, self.source.zone, self._intake.clock.now() + self.source.future, at) if values else at
                if seen[number : number + 1] != before[number : number + 1]:
                    yield Part(self._batch(rows, f"{turn}:{number}:", headers))
                    handed += 1
        changed = seen != before or at != mark.get("at", "")
        lost = [name for name in wanted(self.source)[1] if name not in headers] if headers and handed == len(seen) else []
        yield Part(None, {"turn": turn + int(changed), "pages": seen, "at": at, "kind": kind}, NO_COLUMN(columns=", ".join(lost)) if lost else None)

    def _batch(self, rows: list[Any], salt: str, headers: set[str]) -> Batch:
        """Make a batch of a page's rows; note under which headers they hold something."""
        if self.source.kind == "requests" and self.source.mapping is None:
            return of_documents(self.source, self._intake, rows, salt)
        good: list[Cells] = []
        odd: list[Refused] = []
        for number, row in enumerate(rows):
            read = cells(row, number)
            if isinstance(read, Refused):
                odd.append(read)
            else:
                good.append(read)
                headers.update(read)
        return of_rows(self.source, self._intake, good, salt, odd)

    def _watermark(self, row: Any) -> str:  # noqa: ANN401 (JSON)
        value = _at(row, self.row.watermark) if self.row.watermark else None
        return value if isinstance(value, str) else json.dumps(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""

    def _pages(self, fetcher: Fetcher, since: str, stop: threading.Event) -> Iterator[list[Any]]:
        """Ask for one page after the other until there is none, within the row's bounds."""
        paging, until = self.row.paging, time.monotonic() + parse_duration(self.row.within) / 1e6
        url, told, taken, last = self.row.address, {self.row.parameter: since} if self.row.parameter and since else {}, 0, ""
        place: str = "" if paging is None or paging.by in {"link", "cursor"} else str(paging.first)
        for number in range(self.row.pages):
            asked = dict(told) if not (paging is not None and paging.by == "link" and number) else {}
            if paging is not None:
                asked |= _placed(paging, place, number)
            answer = fetcher.get(url, asked, stop)
            document = _decoded(answer)
            rows = self._rows(document)
            content = digest(json.dumps(rows, ensure_ascii=False))
            if rows and content == last:
                raise ENDLESS(why_zh="同一页反复出现", why_en="the same page comes again and again")
            if rows or number == 0:
                yield rows
            taken, last = taken + len(rows), content
            following = None if paging is None else _following(paging, document, answer, url, place, taken, bool(rows))
            if following is None:
                return
            url, place = following
            if stop.is_set():
                raise Stopped
            if time.monotonic() > until:
                raise ENDLESS(why_zh=f"已超过 {self.row.within}", why_en=f"it took longer than {self.row.within}")
        raise ENDLESS(why_zh=f"已超过 {self.row.pages} 页", why_en=f"there are more than {self.row.pages}")

    def _rows(self, document: Any) -> list[Any]:  # noqa: ANN401 (JSON)
        found = _at(document, self.row.at) if self.row.at else document
        if not isinstance(found, list):
            place = self.row.at or "$"
            raise NO_ROWS(why_zh=f"{place} 不是列表", why_en=f"{place} is no list")
        return found


def _decoded(answer: Answer) -> Any:  # noqa: ANN401 (JSON)
    """Read JSON; as people write it, with NaN or halves of characters, where it is not strict: that costs a row, not the page."""
    try:
        return msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError) as error:
        raise NO_ROWS(**why(error)) from None


def _placed(paging: Paging, place: str, number: int) -> dict[str, str]:
    """Return the parameters that ask for a place among the pages; a next link carries its own."""
    if paging.by == "link" and number:
        return {}
    sized = {paging.size_parameter: str(paging.size)} if paging.size_parameter and paging.size else {}
    return sized | ({paging.parameter: place} if place else {})


def _following(paging: Paging, document: Any, answer: Answer, url: str, place: str, taken: int, some: bool) -> tuple[str, str] | None:  # noqa: ANN401, FBT001 (JSON; whether rows came)
    """Return address and place of the next page, None where there is none."""
    match paging.by:
        case "offset":
            return (url, str(paging.first + taken)) if some else None
        case "page":
            return (url, str(int(place) + 1)) if some else None
        case "cursor":
            cursor = _at(document, paging.next)
            text = cursor if isinstance(cursor, str) else json.dumps(cursor) if cursor is not None and cursor is not False else ""
            return (url, text) if text and text != place else None
        case "link":
            link = _at(document, paging.next) if paging.next else answer.link
            return (urljoin(str(httpx.URL(url)), link), "") if isinstance(link, str) and link else None
    return None


def _at(document: Any, path: str) -> Any:  # noqa: ANN401 (JSON)
    """Follow a path with dots into a document; a number picks from a list. None where it leads nowhere."""
    for step in path.split("."):
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isascii() and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document
