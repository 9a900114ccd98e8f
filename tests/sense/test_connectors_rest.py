"""REST feeds against a small server: every way of paging, the watermark, bounds, what breaks, and a secret that stays one."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.clock import SECOND, rfc3339
from zhongshu.kernel.problem import Problem
from zhongshu.sense import Feed, Source
from zhongshu.sense.feeds import web
from zhongshu.sense.feeds.feed import Later
from zhongshu.sense.handing import Stopped

ROWS = {"type": "Gauge", "id": "site.code", "time": "at", "columns": [{"header": "rain", "property": "Gauge.rain"}]}
Answer = tuple[int, dict[str, str], bytes]


class Server:
    """Answers what a test says; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.answer: Callable[[str, dict[str, str]], Answer] = lambda path, query: (404, {}, b"")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {key: held[0] for key, held in parse_qs(parts.query, keep_blank_values=True).items()}
                outer.asked.append((parts.path, query, dict(self.headers)))
                status, headers, body = outer.answer(parts.path, query)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    held = Server()
    yield held
    held.http.shutdown()
    held.http.server_close()


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "PAUSE", 0.01)


@pytest.fixture
def pulled(server: Server, feed_of: Callable[..., Feed]) -> Callable[..., Feed]:
    def make(secrets: dict[str, str] | None = None, source: Source | None = None, **more: Any) -> Feed:
        row = {"kind": "rest", "address": f"{server.url}/v1/rain?city=1", "at": "data.items", **more}
        return feed_of({k: v for k, v in row.items() if v is not None} | ({"rows": ROWS} if source is None else {}), secrets, source)

    return make


def rows(desk: Any, first: int, count: int) -> list[dict[str, Any]]:
    return [{"site": {"code": "1"}, "at": rfc3339(desk.clock.at - n * SECOND), "rain": n / 10, "n": n} for n in range(first, first + count)]


def page(items: list[Any], **more: Any) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps({"data": {"items": items}, **more}).encode()


def accepted(journal: SqliteJournal, source: str = "open") -> int:
    return journal.counts().get(source, {}).get("accepted", 0)


def by_offset(desk: Any, server: Server, total: int, most: int) -> None:
    server.answer = lambda _, q: page(rows(desk, 1 + int(q.get("offset", 0)), max(0, min(most, total - int(q.get("offset", 0))))))


def test_offset_goes_on_by_what_came(desk: Any, server: Server, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    by_offset(desk, server, 25, 10)
    pulled(paging={"by": "offset", "parameter": "offset", "size": 50, "size_parameter": "limit"}).once()
    assert accepted(journal) == 25 and [q["offset"] for _, q, _ in server.asked] == ["0", "10", "20", "25"], "the server gives fewer than it was asked for"
    assert all(q["city"] == "1" and q["limit"] == "50" for _, q, _ in server.asked)


def test_pages_are_counted_from_the_first(desk: Any, server: Server, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    server.answer = lambda _, q: page(rows(desk, 10 * int(q["page"]), 10) if int(q["page"]) <= 3 else [])
    pulled(paging={"by": "page", "parameter": "page", "first": 1}).once()
    assert accepted(journal) == 30 and [q["page"] for _, q, _ in server.asked] == ["1", "2", "3", "4"]


def test_a_cursor_is_handed_back(desk: Any, server: Server, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    server.answer = lambda _, q: page(rows(desk, 10 * int(q.get("after", "0").strip("c")), 10), next={"cursor": "c3" if q.get("after") == "c2" else None if "after" in q else "c2"})
    pulled(paging={"by": "cursor", "next": "next.cursor", "parameter": "after"}).once()
    assert accepted(journal) == 30 and [q.get("after") for _, q, _ in server.asked] == [None, "c2", "c3"]


def test_what_a_row_leaves_out_is_absent_and_what_all_leave_out_is_told(desk: Any, server: Server, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    bare = {k: v for k, v in rows(desk, 1, 1)[0].items() if k != "rain"}
    server.answer = lambda _, q: page([bare, *rows(desk, 2, 1)])
    held = pulled()
    held.once()
    assert accepted(journal) == 1 and held.report()["last_error"] is None
    server.answer = lambda _, q: page([bare])
    held.once()
    assert (held.report()["last_error"]["code"], held.report()["failing"]) == ("table.no_column", False) and journal.counts()["open"]["quarantined"] == 0


@pytest.mark.parametrize("in_head", [True, False])
def test_links_are_followed_on_the_same_host_only(desk: Any, server: Server, pulled: Callable[..., Feed], journal: SqliteJournal, in_head: bool) -> None:
    def answer(path: str, query: dict[str, str]) -> Answer:
        number = int(query.get("p", 0))
        link = None if number == 2 else f"/v1/rain?p={number + 1}"
        status, headers, body = page(rows(desk, 10 * number, 10), next=None if in_head else link)
        return status, headers | ({"Link": f'<{link}>; rel="next"'} if in_head and link else {}), body

    server.answer = answer
    pulled(paging={"by": "link"} if in_head else {"by": "link", "next": "next"}).once()
    assert accepted(journal) == 30 and [q.get("p") for _, q, _ in server.asked] == [None, "1", "2"]
    server.answer = lambda path, query: page(rows(desk, 1, 1), next="http://127.0.0.2:9/steal")
    held = pulled({"k": "s3cret"}, paging={"by": "link", "next": "next"}, auth="bearer", secret="k")
    with pytest.raises(Problem, match=r"connector\.elsewhere"):
        held.once()


def test_pages_that_never_end_are_given_up(desk: Any, server: Server, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    server.answer = lambda _, q: page(rows(desk, 1, 2))
    held = pulled(paging={"by": "page", "parameter": "page"})
    with pytest.raises(Problem, match="same page"):
        held.once()
    server.answer = lambda _, q: page(rows(desk, int(q["page"]), 1))
    held = pulled(paging={"by": "page", "parameter": "page"}, pages=5)
    with pytest.raises(Problem, match="more than 5"):
        held.once()
    assert accepted(journal) == 5 and held.marks.now == {}, "what came is kept; the mark is not moved"
    server.answer = lambda _, q: (time.sleep(0.1), page(rows(desk, int(q["page"]), 1)))[1]
    with pytest.raises(Problem, match="longer than"):
        pulled(paging={"by": "page", "parameter": "page"}, within="200ms").once()


def test_the_watermark_is_sent_back_and_nothing_is_lost_or_doubled(desk: Any, server: Server, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    everything = rows(desk, 1, 20)
    server.answer = lambda _, q: page([r for r in everything if r["at"] >= q.get("since", "")])
    held = pulled(watermark="at", parameter="since", start="2026-01-01T00:00:00Z", overlap="5s")
    held.once()
    assert accepted(journal) == 20 and server.asked[0][1]["since"] == "2026-01-01T00:00:00Z" and held.marks.now["at"] == everything[0]["at"]
    everything += [r | {"site": {"code": "2"}} for r in rows(desk, 1, 3)]
    again = pulled(watermark="at", parameter="since", start="2026-01-01T00:00:00Z", overlap="5s")
    again.once()
    assert accepted(journal) == 23 and httpx.QueryParams(server.asked[1][1])["since"].startswith("2026-03-01T11:59:54")


def test_the_same_answer_again_is_not_handed_over_and_one_that_turns_back_is(
    desk: Any, server: Server, pulled: Callable[..., Feed], journal: SqliteJournal, record: list[Any]
) -> None:
    held = pulled()
    for rain in (1, 1, 2, 1):
        server.answer = lambda _, q, rain=rain: page([rows(desk, 1, 1)[0] | {"rain": rain}])
        held.once()
    stored = [r["raw"] for e in record if e.table is not None for r in e.table.to_pylist()]
    assert stored == [1, 2, 1] and journal.counts()["open"]["duplicates"] == 0


def test_odd_rows_wait_in_the_quarantine_and_the_rest_goes_on(desk: Any, server: Server, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    good = rows(desk, 1, 1)[0]
    odd = [7, None, "x", {}, good | {"rain": "wet"}, good | {"at": "soon"}, good | {"rain": {"mm": 1}}, good | {"site": "\ud800"}, good | {"rain": None}]
    server.answer = lambda _, q: page([*odd, good])
    pulled().once()
    assert accepted(journal) == 1
    codes = [r["code"] for r in journal.quarantine("open", 0, 99)]
    assert codes == ["reading.unreadable"] * 3 + ["reading.not_a_number", "reading.bad_time", "entity.bad_id"], "a row with nothing in it says nothing"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
ROW = JSON | st.fixed_dictionaries({"site": st.fixed_dictionaries({"code": JSON}), "at": JSON | st.just("2026-03-01T11:00:00Z"), "rain": JSON})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(ROW, max_size=6))
def test_no_row_costs_another_whatever_it_holds(desk: Any, pulled: Callable[..., Feed], found: list[Any]) -> None:
    good = {"site": {"code": "good"}, "at": "2026-03-01T11:00:00Z", "rain": 1.5}
    for source in (None, desk.open, Source("voices", "诉求", "Voices", "city", kind="requests")):
        reader = pulled(source=source).reader
        if source is desk.open:
            good = {"entity": "urn:zs:Gauge:good", "property": "Gauge.rain", "time": "2026-03-01T11:00:00Z", "value": 1.5}
        batch = reader._batch([*found, {"id": "good", "text": "路灯不亮"} if source and source.kind == "requests" else good], "", set())
        kept = [d["id"] for d in batch.documents] if batch.kind == "requests" else [desk.registry.entities.names[n] for n in batch.readings.entity]
        assert {"good", "urn:zs:Gauge:good"} & set(kept), (source, found)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((200, {}, b"<html>"), "connector.no_rows"),
        ((200, {}, b'{"data": {"items": {}}}'), "connector.no_rows"),
        ((200, {}, b"[" * 100_000), "connector.no_rows"),
        ((200, {}, b'{"data": "\xff"}'), "connector.no_rows"),
        ((302, {"Location": "http://127.0.0.2/"}, b""), "connector.answered"),
        ((401, {}, b""), "connector.answered"),
    ],
)
def test_what_is_no_answer_is_a_problem(server: Server, pulled: Callable[..., Feed], answer: Answer, code: str) -> None:
    server.answer = lambda *_: answer
    with pytest.raises(Problem) as told:
        pulled().once()
    assert told.value.kind.code == code and len(server.asked) == 1


def test_too_much_is_not_read(server: Server, pulled: Callable[..., Feed], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MAX_BODY", 1 << 20)
    server.answer = lambda *_: (200, {"Content-Encoding": "gzip"}, gzip.compress(b" " * (1 << 26)))
    with pytest.raises(Problem, match=r"intake\.too_large"):
        pulled().once()


def test_one_failure_in_passing_is_got_over_and_a_pause_is_kept(desk: Any, server: Server, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    left = [503, 500, 429]
    server.answer = lambda _, q: (left.pop(), {}, b"") if left else page(rows(desk, 1, 2))
    pulled().once()
    assert accepted(journal) == 2 and len(server.asked) == 4
    server.answer = lambda _, q: (503, {"Retry-After": "120"}, b"")
    with pytest.raises(Later) as told:
        pulled().once()
    assert told.value.seconds == 120 and len(server.asked) == 5, "it is not asked again before"
    pauses = ["1", ""]
    server.answer = lambda _, q: (429, {"Retry-After": pauses.pop(0)}, b"") if len(pauses) > 1 else page(rows(desk, 3, 1))
    began = time.monotonic()
    pulled().once()
    assert time.monotonic() - began >= 1 and accepted(journal) == 3, "a short pause is waited for, and the pages go on where they were"


def test_a_city_that_stops_amid_the_pages_tells_of_no_trouble(desk: Any, server: Server, pulled: Callable[..., Feed]) -> None:
    held = pulled(paging={"by": "page", "parameter": "page"})
    server.answer = lambda _, q: page(rows(desk, 1 + int(q["page"]), 1))
    submit = held.submit
    held.submit = lambda batch: (held._stop.set(), submit(batch))[1]
    with pytest.raises(Stopped):
        held.once()


def test_a_server_that_is_not_there_is_told_of_with_no_secret(feed_of: Callable[..., Feed]) -> None:
    held = feed_of({"kind": "rest", "address": "http://127.0.0.1:1/x", "auth": "query key", "secret": "k", "rows": ROWS}, {"k": "p&ss word"})
    try:
        held.once()
    except httpx.TransportError as error:
        held._failed(error)
    assert held.report()["failing"] and "p&ss" not in json.dumps(held.report()) and "127.0.0.1" not in json.dumps(held.report()["kind"])


@pytest.mark.parametrize(
    ("auth", "where"),
    [("bearer", "Bearer s3cret"), ("basic", "Basic bWU6czNjcmV0"), ("header X-Key", "s3cret"), ("query key", "s3cret")],
)
def test_the_secret_goes_where_it_is_said(desk: Any, server: Server, pulled: Callable[..., Feed], auth: str, where: str) -> None:
    server.answer = lambda _, q: page(rows(desk, 1, 1))
    pulled({"k": "s3cret"}, auth=auth, secret="k", user="me").once()
    _, query, headers = server.asked[0]
    assert where in {headers.get("Authorization"), headers.get("X-Key"), query.get("key")}


def test_requests_come_as_documents(desk: Any, server: Server, pulled: Callable[..., Feed], journal: SqliteJournal) -> None:
    voices = Source("voices", "诉求", "Voices", "city", kind="requests", zone="Asia/Shanghai")
    server.answer = lambda _, q: page([{"id": 1, "created": "2026-03-01T11:00:00Z", "text": "路灯不亮", "lon": 1.5, "lat": 2.5}, {"id": ""}])
    pulled(source=voices).once()
    assert [journal.counts()["voices"][k] for k in ("accepted", "quarantined")] == [1, 1]
