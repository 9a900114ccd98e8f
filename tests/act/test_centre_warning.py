"""Warnings: messages of the Common Alerting Protocol read as they are meant, updated and cancelled by their issuer alone, hostile files kept out."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongshu.act import INSTRUMENT, SYSTEM, Deed
from zhongshu.act.centre import cap, warning
from zhongshu.engines.sqlite_desk import SqliteDesk
from zhongshu.kernel.clock import HOUR, MINUTE, FrozenClock, parse_time, rfc3339
from zhongshu.kernel.grade import EVERYWHERE, Principal, Scope
from zhongshu.kernel.problem import Problem

SENDER = "weather@yunting.example"
ALERT = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>{id}</identifier><sender>{sender}</sender><sent>{sent}</sent><status>{status}</status><msgType>{kind}</msgType>
  <source>&#21457;&#24067;</source><scope>Public</scope>{references}
  <info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Expected</urgency><severity>Severe</severity>
    <certainty>Likely</certainty><onset>2026-07-01T08:00:00+08:00</onset><expires>2026-07-01T14:00:00+08:00</expires>
    <senderName>云汀市气象台（虚构）</senderName><headline>{headline}</headline><description>三小时降雨量将达 50 毫米以上</description>
    <instruction>停止户外作业</instruction>
    <area><areaDesc>一区</areaDesc><polygon>30.0,120.0 30.0,120.2 30.2,120.2 30.0,120.0</polygon><circle>30.1,120.1 5</circle>
      <geocode><valueName>adcode</valueName><value>990101</value></geocode></area></info>
  <info><language>en-US</language><category>Met</category><event>Rainstorm</event><urgency>Expected</urgency><severity>Severe</severity>
    <certainty>Likely</certainty><headline>Rainstorm warning</headline><description>More than 50 mm within three hours</description>
    <area><areaDesc>District one</areaDesc></area></info>
</alert>"""


def xml(
    id_: str = "YT-1", kind: str = "Alert", *, names: tuple[str, ...] = (), sender: str = SENDER, status: str = "Actual", headline: str = "暴雨橙色预警", hour: int = 7
) -> bytes:
    sent = f"2026-07-01T{hour:02d}:30:00+08:00"
    references = f"<references>{' '.join(names)}</references>" if names else ""
    return ALERT.format(id=id_, kind=kind, sender=sender, sent=sent, status=status, references=references, headline=headline).encode()


def ref(id_: str, sender: str = SENDER, hour: int = 7) -> str:
    return f"{sender},{id_},2026-07-01T{hour:02d}:30:00+08:00"


def take(city: Any, raw: bytes, areas: tuple[int, ...] | None = None, colour: str = "") -> Any:
    return city.as_("duty_officer", lambda deed: warning.take(deed, cap.read(raw), areas or (city.street,), colour))


def held(city: Any, area: int | None = None, *, drills: bool = False) -> list[str]:
    return [row["external"] for row in city.desk.read(lambda conn: warning.in_force(conn, city.clock.now(), area, drills=drills))]


def test_a_message_is_read_in_both_its_languages_with_its_areas() -> None:
    read = cap.read(xml())
    assert (read.sender, read.external, read.status, read.kind) == (SENDER, "YT-1", "Actual", "Alert")
    assert (read.issuer, read.hazard_zh, read.hazard_en) == ("云汀市气象台（虚构）", "暴雨", "Rainstorm")
    assert (read.colour, read.colour_from) == ("orange", "headline")
    assert rfc3339(read.onset) == "2026-07-01T00:00:00Z"
    assert (read.expires or 0) - read.onset == 6 * HOUR
    assert read.text_zh.splitlines() == ["暴雨橙色预警", "三小时降雨量将达 50 毫米以上", "停止户外作业"]
    assert read.text_en.splitlines()[0] == "Rainstorm warning"
    (first, second) = read.shapes
    assert first.polygons[0][0] == (120.0, 30.0), "the protocol says latitude first"
    assert first.circles == ((120.1, 30.1, 5000.0),)
    assert first.geocodes == (("adcode", "990101"),)
    assert second.said == "District one"


def test_a_colour_comes_from_the_severity_only_where_no_words_name_one() -> None:
    read = cap.read(xml(headline="请注意"))
    assert (read.colour, read.colour_from) == ("orange", "severity")
    assert cap.read(xml(headline="黄色预警升级为红色预警")).colour_from == "severity", "two colours are none"


def test_a_warning_holds_from_its_onset_until_it_expires_in_its_area(city: Any) -> None:
    row = take(city, xml())
    assert row["number"].startswith("W990101-20260701-")
    assert held(city) == held(city, city.cell) == ["YT-1"]
    assert held(city, 990102_000_000_000) == []
    city.clock.at = row["expires"] - 1
    assert held(city) == ["YT-1"]
    city.clock.at = row["expires"]
    assert held(city) == []
    city.clock.at = row["onset"] - 1
    assert held(city) == []
    assert [line[0] for line in city.lines] == ["warning.issue"]
    assert [news.kind for news in city.news] == ["warning"]


def test_the_same_again_changes_nothing_and_other_content_under_its_name_is_refused(city: Any) -> None:
    assert take(city, xml())["id"] == take(city, xml().replace(b'UTF-8"?>', b'UTF-8"?><!-- sent twice -->'))["id"]
    assert len(city.lines) == 1
    city.refused("warning.reused", lambda: take(city, xml(headline="暴雨红色预警")))


def test_a_message_of_a_time_that_has_not_come_is_refused(city: Any) -> None:
    city.refused("warning.not_yet_issued", lambda: take(city, xml(hour=8)))
    city.clock.at += 26 * MINUTE
    assert take(city, xml(hour=8))["external"] == "YT-1", "clocks differ by some minutes"


def test_an_update_and_a_cancellation_end_what_they_name(city: Any) -> None:
    city.clock.at += 3 * HOUR
    take(city, xml())
    take(city, xml("YT-2", "Update", names=(ref("YT-1"),), headline="暴雨红色预警", hour=8))
    assert held(city) == ["YT-2"]
    take(city, xml("YT-3", "Cancel", names=(ref("YT-2", hour=8),), hour=9))
    assert held(city) == []
    shown = city.desk.read(lambda conn: warning.listing(conn, everywhere(), city.clock.now(), every=True))
    assert {row["external"]: (row["in_force"], bool(row["ended"])) for row in shown} == {"YT-1": (False, True), "YT-2": (False, True), "YT-3": (False, False)}


@settings(max_examples=12, deadline=None)
@given(order=st.permutations(range(4)))
def test_the_order_of_arrival_makes_no_difference(tmp_path_factory: Any, order: list[int]) -> None:
    city = fresh(tmp_path_factory)
    chain = [
        xml("A"),
        xml("B", "Update", names=(ref("A"),), headline="暴雨黄色预警", hour=8),
        xml("C", "Update", names=(ref("B", hour=8),), headline="暴雨蓝色预警", hour=9),
        xml("D", headline="暴雨红色预警"),
    ]
    for i in order:
        take(city, chain[i])
    assert sorted(held(city)) == ["C", "D"]
    city.desk.close()


def test_nobody_updates_or_cancels_another_s_warning(city: Any) -> None:
    city.clock.at += 3 * HOUR
    take(city, xml())
    city.refused("warning.not_its_own", lambda: take(city, xml("X", "Cancel", names=(ref("YT-1"),), sender="other@example", hour=8)))
    assert held(city) == ["YT-1"]


def test_an_exercise_is_stamped_and_ends_nothing_actual_and_a_test_never_holds(city: Any) -> None:
    city.clock.at += 3 * HOUR
    take(city, xml())
    take(city, xml("D-1", status="Exercise"))
    take(city, xml("D-2", "Cancel", names=(ref("YT-1"),), status="Exercise", hour=8))
    take(city, xml("T-1", status="Test"))
    assert held(city) == ["YT-1"]
    assert sorted(held(city, drills=True)) == ["D-1", "YT-1"]
    shown = {row["external"]: row for row in city.desk.read(lambda conn: warning.listing(conn, everywhere(), city.clock.now()))}
    assert shown["D-1"]["title_zh"] == "【演练】暴雨橙色预警"
    assert shown["D-1"]["text_en"].startswith("[EXERCISE] ")
    assert shown["YT-1"]["title_en"] == "Rainstorm: orange warning"


def test_no_rule_makes_a_warning(city: Any) -> None:
    for actor in (SYSTEM, INSTRUMENT):
        city.refused("warning.no_rule", lambda actor=actor: city.as_(actor, lambda deed: warning.take(deed, cap.read(xml()), (city.street,))))


def test_one_by_hand_is_ended_by_one_by_hand_of_the_same_issuer(city: Any) -> None:
    def enter(**more: Any) -> Any:
        facts = {"issuer": "市气象台", "issued": "2026-12", "hazard": "高温", "colour": "yellow", "areas": (city.street,), "onset": city.clock.now()} | more
        return city.as_("duty_officer", lambda deed: warning.enter(deed, warning.ByHand(**facts)))

    made = enter()
    assert held(city) == ["2026-12"]
    city.refused("case.missing", lambda: enter(kind="Cancel", issued="2026-13"))
    city.refused("warning.not_its_own", lambda: enter(kind="Cancel", issued="2026-13", names=(made["id"],), issuer="水务局"))
    city.refused("warning.no_colour", lambda: enter(issued="2026-14", colour="green"))
    city.refused("centre.ends_first", lambda: enter(issued="2026-15", expires=city.clock.now()))
    enter(kind="Cancel", issued="2026-16", names=(made["id"],), colour="")
    assert held(city) == []


BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>'
HEAD = b'<?xml version="1.0" encoding="UTF-8"?>'


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not xml",
        xml()[:-20],
        xml().replace(HEAD, HEAD + BOMB),
        xml().replace(HEAD, HEAD + b'<!DOCTYPE alert SYSTEM "file:///etc/passwd">'),
        xml().decode().replace('encoding="UTF-8"?>', 'encoding="UTF-16"?><!DOCTYPE alert [<!ENTITY x SYSTEM "file:///etc/hostname">]>').encode("utf-16"),
        xml().replace(b"cap:1.2", b"cap:1.1"),
        xml().replace(b"<alert", b"<warn").replace(b"</alert>", b"</warn>"),
        xml().replace(b"Alert</msgType>", b"Ack</msgType>"),
        xml().replace(b"<status>Actual", b"<status>Sometimes"),
        xml().replace(b"+08:00</sent>", b"</sent>"),
        xml().replace(b"2026-07-01T14:00", b"2026-07-01T07:00"),
        xml().replace(b"30.0,120.0</polygon>", b"30.9,120.0</polygon>"),
        xml().replace(b"30.1,120.1 5", b"nan,120.1 5"),
        xml().replace(b"30.1,120.1 5", b"30.1,120.1 1e9"),
        xml(names=("only-two,parts",)),
        xml("X", "Cancel"),
        xml("X", "Update"),
        xml() + b" " * cap.LARGEST,
        b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'>" * 5000,
    ],
)
def test_a_hostile_or_broken_file_is_refused_whole(raw: bytes) -> None:
    with pytest.raises(Problem, match=r"^warning\.not_cap"):
        cap.read(raw)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_bent_message_ends_in_anything_but_a_problem(data: Any) -> None:
    raw = bytearray(xml())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=8))
    try:
        cap.read(bytes(raw))
    except Problem as problem:
        assert problem.kind.code == "warning.not_cap"


def everywhere() -> Any:
    return Scope(EVERYWHERE, 2)


def fresh(factory: Any) -> Any:
    class City:
        desk = SqliteDesk(factory.mktemp("desk") / "desk.sqlite")
        clock = FrozenClock(parse_time("2026-07-01T09:40:00+08:00"))
        street = 990101001000000

        def as_(self, _who: str, work: Any) -> Any:
            officer = Principal("duty_officer-1", "值班长", (("duty_officer", 0),), "test")
            return self.desk.write(lambda conn: work(Deed(conn, self.clock.now(), officer, zone=ZoneInfo("Asia/Shanghai"))))

    return City()


@pytest.mark.parametrize("issued", ["2026-07-01T09:30:00+08:00", "2026-07-01 09:30"])
def test_a_warning_cannot_have_been_issued_in_time_to_come(city: Any, issued: str) -> None:
    def enter(issued: str) -> Any:
        given_ = warning.ByHand("气象台（虚构）", issued, "大风", "blue", (city.street,), city.clock.now())
        return city.as_("duty_officer", lambda deed: warning.enter(deed, given_))

    city.refused("warning.not_yet_issued", lambda: enter(issued))
    assert held(city) == []
    for number in ("2026-07-01T08:04:00+08:00", "20991231-07", "大风 2099 第 1 号"):
        assert enter(number)["external"] == number
