"""Each thing a playbook's file may do wrong is refused with its element, why and what mends it; what the engine would ignore most of all."""

from itertools import pairwise
from pathlib import Path

import pytest

from zhongshu.act.playbook import Fault, check, examine, read
from zhongshu.act.playbook.fault import ROWS, WARNINGS
from zhongshu.app.playbooks import check_file
from zhongshu.kernel.problem import Problem

MODEL = 'xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zs="urn:zhongshu:bpmn" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
START, END = '<startEvent id="s"/>', '<endEvent id="e"/>'
NAMED = 'name="试" zs:en="Try"'
PERSON = f'{NAMED} zs:party="dept-road"'
TASK = f'<userTask id="t" {PERSON}/>'


def flow(id_: str, source: str, target: str, condition: str = "", extra: str = "") -> str:
    inner = f"<conditionExpression>{condition}</conditionExpression>" if condition else ""
    return f'<sequenceFlow id="{id_}" sourceRef="{source}" targetRef="{target}" {extra}>{inner}</sequenceFlow>'


def chain(*ids: str) -> str:
    return "".join(flow(f"f_{a}_{b}", a, b) for a, b in pairwise(ids))


def bpmn(body: str, roots: str = "", process: str = 'isExecutable="true"', names: str = NAMED) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><definitions {MODEL} id="d">{roots}<process id="p" {process} {names}>{body}</process></definitions>'.encode()


def around(node: str, id_: str = "t", roots: str = "") -> bytes:
    return bpmn(START + node + END + chain("s", id_, "e"), roots)


def event(kind: str, definition: str, roots: str = "") -> bytes:
    return around(f'<{kind} id="t">{definition}</{kind}>', roots=roots)


def edge(definition: str, extra: str = "", host: str = TASK, roots: str = "") -> bytes:
    return bpmn(START + host + END + f'<boundaryEvent id="b" attachedToRef="t" {extra}>{definition}</boundaryEvent>' + chain("s", "t", "e") + flow("bf", "b", "e"), roots)


def timer(kind: str, text: str) -> str:
    return f"<timerEventDefinition><{kind}>{text}</{kind}></timerEventDefinition>"


def choice(first: str, second: str = "", default: str = "") -> bytes:
    return bpmn(
        START
        + TASK
        + f'<exclusiveGateway id="g" {default}/><userTask id="u" {PERSON}/>'
        + END
        + chain("s", "t", "g")
        + flow("c1", "g", "u", first)
        + flow("c2", "g", "e", second)
        + flow("f9", "u", "e"),
        names=f'{NAMED} zs:data="level"',
    )


SUB = (
    '<subProcess id="t" {extra}><startEvent id="s2"/><userTask id="u" '
    + PERSON
    + '/><endEvent id="e2"/><sequenceFlow id="i1" sourceRef="s2" targetRef="u"/><sequenceFlow id="i2" sourceRef="u" targetRef="e2"/></subProcess>'
)
GOOD = around(TASK)
CASES: list[tuple[str, str, bytes]] = [
    ("too_large", "", GOOD.replace(b"</process>", b"<!--" + b"a" * 2_000_000 + b"--></process>")),
    ("not_xml", "", b"<definitions"),
    ("not_xml", "", b"\x00\xff\xfe nothing"),
    ("not_xml", "", b""),
    ("dtd", "", b'<?xml version="1.0"?><!DOCTYPE d SYSTEM "file:///etc/hostname">' + GOOD[38:]),
    ("dtd", "", '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE d [<!ENTITY a "b">]><d>&a;</d>'.encode("utf-16")),
    ("not_bpmn", "", b"<html/>"),
    ("not_bpmn", "", GOOD.replace(b"/BPMN/20100524", b"/BPMN/19990101")),
    ("import", "", bpmn(START + TASK + END + chain("s", "t", "e"), '<import importType="http://www.omg.org/spec/BPMN/20100524/MODEL" location="other.bpmn" namespace="x"/>')),
    ("no_process", "", f"<definitions {MODEL}/>".encode()),
    ("no_process", "p", bpmn(START + TASK + END + chain("s", "t", "e"), process="")),
    ("many_processes", "q", bpmn(START + TASK + END + chain("s", "t", "e")).replace(b"</definitions>", b'<process id="q" isExecutable="true"/></definitions>')),
    ("no_id", "", bpmn(START + TASK + END + "<manualTask/>" + chain("s", "t", "e"))),
    ("bad_id", "End", around(f'<userTask id="End" {PERSON}/>', "End")),
    ("bad_id", "a'b", around(f'<userTask id="a\'b" {PERSON}/>', "a'b")),
    ("same_id", "t", bpmn(START + TASK + TASK + END + chain("s", "t", "e"))),
    ("plain_task", "t", around('<task id="t" name="x"/>')),
    ("no_service", "t", around('<serviceTask id="t"/>')),
    ("no_service", "t", around('<sendTask id="t"/>')),
    ("no_service", "t", around('<receiveTask id="t"/>')),
    ("no_service", "t", around('<businessRuleTask id="t"/>')),
    ("call_activity", "t", around('<callActivity id="t" calledElement="other"/>')),
    ("event_subprocess", "t", bpmn(START + SUB.format(extra='triggeredByEvent="true"') + END + chain("s", "e"))),
    ("transaction", "t", around(SUB.format(extra="").replace("subProcess", "transaction"))),
    ("ad_hoc", "t", around(SUB.format(extra="").replace("subProcess", "adHocSubProcess"))),
    ("complex_gateway", "t", around('<complexGateway id="t"/>')),
    ("event_gateway", "t", around('<eventBasedGateway id="t"/>')),
    ("choreography", "t", around('<choreographyTask id="t"/>')),
    ("choreography", "c", bpmn(START + TASK + END + chain("s", "t", "e"), '<choreography id="c"/>')),
    ("choreography", "n", bpmn(START + TASK + END + chain("s", "t", "e"), '<collaboration id="k"><conversation id="n"/></collaboration>')),
    ("compensation", "t", around(f'<userTask id="t" isForCompensation="true" {PERSON}/>')),
    ("compensation", "t", event("intermediateThrowEvent", "<compensateEventDefinition/>")),
    ("compensation", "b", edge("<compensateEventDefinition/>")),
    ("loop", "t", around(f'<userTask id="t" {PERSON}><standardLoopCharacteristics/></userTask>')),
    ("loop", "t", around(f'<userTask id="t" {PERSON}><multiInstanceLoopCharacteristics><loopCardinality>99999999</loopCardinality></multiInstanceLoopCharacteristics></userTask>')),
    ("data_flow", "t", around(f'<userTask id="t" {PERSON}><dataInputAssociation id="x"/></userTask>')),
    ("data_flow", "ds", bpmn(START + TASK + END + chain("s", "t", "e"), '<dataStore id="ds" name="x"/>')),
    ("unknown_element", "z", bpmn(START + TASK + END + '<mysteryTask id="z"/>' + chain("s", "t", "e"))),
    ("event", "t", event("intermediateCatchEvent", "<messageEventDefinition/>")),
    ("event", "t", event("intermediateCatchEvent", "<conditionalEventDefinition><condition>1</condition></conditionalEventDefinition>")),
    ("event", "t", event("intermediateCatchEvent", "<linkEventDefinition/>")),
    ("event", "t", event("intermediateCatchEvent", "")),
    ("event", "t", event("intermediateCatchEvent", "<eventDefinitionRef>x</eventDefinitionRef>")),
    ("event", "t", event("intermediateThrowEvent", "<linkEventDefinition/>")),
    ("event", "t", event("intermediateThrowEvent", timer("timeDuration", "PT5M"))),
    ("event", "b", edge("<cancelEventDefinition/>")),
    ("event", "b", edge("<errorEventDefinition/>")),
    ("event", "s", bpmn(f'<startEvent id="s">{timer("timeDuration", "PT5M")}</startEvent>' + TASK + END + chain("s", "t", "e"))),
    ("event", "e", bpmn(START + TASK + '<endEvent id="e"><signalEventDefinition signalRef="g"/></endEvent>' + chain("s", "t", "e"), '<signal id="g" name="g"/>')),
    ("event", "e", bpmn(START + TASK + '<endEvent id="e"><messageEventDefinition/></endEvent>' + chain("s", "t", "e"))),
    ("many_events", "b", edge(timer("timeDuration", "PT5M") + '<signalEventDefinition signalRef="g"/>', 'parallelMultiple="true"', roots='<signal id="g" name="g"/>')),
    ("event_ref", "b", edge('<signalEventDefinition signalRef="g"/>')),
    ("event_ref", "b", edge("<signalEventDefinition/>")),
    ("boundary", "b", edge(timer("timeDuration", "PT5M")).replace(b'attachedToRef="t"', b'attachedToRef="e"')),
    *[("bad_timer", "b", edge(timer("timeDuration", text))) for text in ("", "PT", "P1M", "30 minutes", "'PT5M'", "PT0S", "P400D", "PT1.5H", "-PT5M", "P99999999999W")],
    *[("bad_timer", "b", edge(timer("timeDate", text))) for text in ("2026-01-31", "2026-01-31T08:00:00", "tomorrow", "2026-13-01T00:00:00Z")],
    *[("bad_timer", "b", edge(timer("timeCycle", text), 'cancelActivity="false"')) for text in ("R/PT5M", "R3/PT5S", "R1000/PT5M", "R0/PT5M", "0 0 * * *", "R3")],
    ("bad_timer", "b", edge("<timerEventDefinition/>")),
    ("bad_timer", "b", edge("<timerEventDefinition><timeDuration>PT5M</timeDuration><timeDate>2026-01-31T08:00:00Z</timeDate></timerEventDefinition>")),
    ("cycle_place", "b", edge(timer("timeCycle", "R3/PT5M"))),
    ("cycle_place", "t", event("intermediateCatchEvent", timer("timeCycle", "R3/PT5M"))),
    ("script_language", "t", around('<scriptTask id="t" scriptFormat="javascript"><script>x = 1</script></scriptTask>')),
    ("script", "t", around('<scriptTask id="t"><script>import os</script></scriptTask>')),
    ("script", "t", around('<scriptTask id="t"/>')),
    ("condition", "c1", choice("__import__('os').system('true')", "level == 'red'")),
    ("condition", "c1", choice("level.upper() == 'RED'", "", 'default="c2"')),
    ("unset_name", "c1", choice("levle == 'red'", "", 'default="c2"')),
    ("no_condition", "c2", choice("level == 'red'")),
    ("bad_default", "g", choice("level == 'red'", "level == 'blue'", 'default="f9"')),
    ("ignored_condition", "c2", choice("level == 'red'", "level == 'blue'", 'default="c2"')),
    ("ignored_condition", "f1", bpmn(START + TASK + END + flow("f1", "s", "t", "1 == 2") + flow("f2", "t", "e"))),
    ("no_party", "t", around(f'<userTask id="t" {NAMED}/>')),
    ("bad_party", "t", around(f'<manualTask id="t" {NAMED} zs:party="Roads Dept"/>')),
    ("bad_limit", "t", around(f'<userTask id="t" {PERSON} zs:limit="half an hour"/>')),
    ("bad_needs", "t", around(f'<userTask id="t" {PERSON} zs:needs="evidence signature"/>')),
    (
        "bad_choice",
        "t",
        around(
            f'<userTask id="t" {PERSON}><extensionElements><zs:choice name="a" zh="甲" en="A"><zs:option value="1" zh="一" en="One"/></zs:choice></extensionElements></userTask>'
        ),
    ),
    ("no_name", "t", around('<userTask id="t" zs:en="Try" zs:party="street"/>')),
    ("no_english", "t", around('<userTask id="t" name="试" zs:party="street"/>')),
    ("bad_data", "p", bpmn(START + TASK + END + chain("s", "t", "e"), names=f'{NAMED} zs:data="__class__"')),
    ("no_start", "p", bpmn(TASK + END + chain("t", "e"))),
    ("no_start", "p", bpmn(START + '<startEvent id="s3"/>' + TASK + END + chain("s", "t", "e") + flow("x", "s3", "t"))),
    ("no_end", "p", bpmn(START + TASK + chain("s", "t"))),
    ("dangling", "x", bpmn(START + TASK + END + chain("s", "t", "e") + flow("x", "t", "nowhere"))),
    ("dangling", "x", bpmn(START + SUB.format(extra="") + END + chain("s", "t", "e") + flow("x", "u", "e"))),
    ("start_entered", "x", bpmn(START + TASK + END + flow("a", "s", "t") + flow("x", "t", "s"))),
    ("end_left", "x", bpmn(START + TASK + END + chain("s", "t", "e") + flow("x", "e", "t"))),
    ("no_way_out", "t", bpmn(START + TASK + END + flow("a", "s", "t"))),
    (
        "never_ends",
        "u",
        bpmn(
            START
            + TASK
            + f'<exclusiveGateway id="g" default="ge"/><exclusiveGateway id="m"/><userTask id="u" {PERSON}/>'
            + END
            + chain("s", "t", "g", "m", "u", "m")
            + flow("ge", "g", "e")
        ),
    ),
    ("many_ways_out", "t", bpmn(START + TASK + END + chain("s", "t", "e") + flow("x", "t", "e"))),
    ("unreachable", "u", bpmn(START + TASK + f'<userTask id="u" {PERSON}/>' + END + chain("s", "t", "e") + flow("x", "u", "e"))),
]


def codes(raw: bytes) -> dict[str, Fault]:
    return {f"{each.code} {each.element_id}": each for each in check(raw)}


def test_a_right_file_is_right() -> None:
    assert check(GOOD) == ()
    assert check(choice("level == 'red'", "", 'default="c2"')) == ()
    assert check(around(SUB.format(extra=""))) == ()
    for definition in (timer("timeDuration", "P1DT2H30M"), timer("timeDate", "2026-01-31T08:00:00+08:00")):
        assert check(edge(definition)) == ()
    assert check(edge(timer("timeCycle", "R3/PT5M"), 'cancelActivity="false"')) == ()


@pytest.mark.parametrize(("code", "at", "raw"), CASES, ids=[f"{n}-{code}" for n, (code, _, _) in enumerate(CASES)])
def test_each_wrong_is_refused_where_it_stands(code: str, at: str, raw: bytes) -> None:
    told = codes(raw)
    assert f"{code} {at}" in told, sorted(told)
    found = told[f"{code} {at}"]
    assert all((found.reason_zh, found.reason_en, found.remedy_zh, found.remedy_en))
    with pytest.raises(Problem) as caught:
        read(raw)
    assert caught.value.kind.code == "playbook.refused"
    assert found in caught.value.particulars["faults"]
    assert "{" not in caught.value.sentence("zh") + caught.value.sentence("en")


def test_every_row_is_tried_here() -> None:
    tried = {code for code, _, _ in CASES} | {"endless", "too_many", "deadlock", "doubled", "join_in_loop", "engine"}
    assert set(ROWS) - WARNINGS - tried == set()


def test_a_loop_without_a_person_or_a_timer_is_endless() -> None:
    body = (
        START
        + '<exclusiveGateway id="g"/><scriptTask id="t"><script>a = 1</script></scriptTask><exclusiveGateway id="h" default="y"/>'
        + END
        + chain("s", "g", "t", "h")
        + flow("x", "h", "g", "a == 1")
        + flow("y", "h", "e")
    )
    assert "endless g" in codes(bpmn(body))
    held = body.replace('<scriptTask id="t"><script>a = 1</script></scriptTask>', f'<userTask id="t" {PERSON}/>').replace("a == 1", "level == 1")
    assert codes(bpmn(held, names=f'{NAMED} zs:data="level"')) == {}
    waited = held.replace(f'<userTask id="t" {PERSON}/>', f'<intermediateCatchEvent id="t">{timer("timeDuration", "PT1M")}</intermediateCatchEvent>')
    assert codes(bpmn(waited, names=f'{NAMED} zs:data="level"')) == {}
    hidden = body.replace(
        '<scriptTask id="t"><script>a = 1</script></scriptTask>',
        '<subProcess id="t"><startEvent id="s2"/><endEvent id="e2"/><sequenceFlow id="q" sourceRef="s2" targetRef="e2"/></subProcess>',
    )
    assert "endless g" in codes(bpmn(hidden.replace("a == 1", "level == 1"), names=f'{NAMED} zs:data="level"'))


FORK = '<{kind} id="g" {default}/><userTask id="u" ' + PERSON + '/><{join} id="j"/>'


@pytest.mark.parametrize(
    ("kind", "join", "code"),
    [
        ("exclusiveGateway", "parallelGateway", "deadlock"),
        ("inclusiveGateway", "parallelGateway", "deadlock"),
        ("parallelGateway", "parallelGateway", ""),
        ("parallelGateway", "exclusiveGateway", ""),
        ("inclusiveGateway", "inclusiveGateway", ""),
        ("exclusiveGateway", "inclusiveGateway", ""),
    ],
)
def test_what_parts_and_what_meets_must_fit(kind: str, join: str, code: str) -> None:
    asks = kind != "parallelGateway"
    body = (
        START
        + TASK
        + FORK.format(kind=kind, join=join, default='default="gu"' if asks else "")
        + END
        + chain("s", "g")
        + flow("gt", "g", "t", "level == 1" if asks else "")
        + flow("gu", "g", "u")
    )
    body += flow("tj", "t", "j") + flow("uj", "u", "j") + flow("je", "j", "e")
    assert [(each.code, each.element_id) for each in check(bpmn(body, names=f'{NAMED} zs:data="level"'))] == ([(code, "j")] if code else [])


def test_a_join_in_a_loop_is_refused_and_in_a_sub_process_is_not() -> None:
    """Seen in the engine: in its second round such a join takes an arm of the first round for one of this round's, and goes on early."""
    fork = '{start}<parallelGateway id="g"/><userTask id="t" ' + PERSON + '/><userTask id="u" ' + PERSON + '/><parallelGateway id="j"/>{end}'
    inner = chain("g", "t", "j") + flow("gu", "g", "u") + flow("uj", "u", "j")
    loop = START + '<exclusiveGateway id="m"/><exclusiveGateway id="x" default="xe"/>' + END + flow("xm", "x", "m", "level == 1") + flow("xe", "x", "e")
    told = check(bpmn(loop + fork.format(start="", end="") + inner + chain("s", "m", "g") + chain("j", "x"), names=f'{NAMED} zs:data="level"'))
    assert [(each.code, each.element_id) for each in told] == [("join_in_loop", "j")]
    inside = fork.format(start='<startEvent id="s2"/>', end='<endEvent id="e2"/>') + inner + chain("s2", "g") + chain("j", "e2")
    sub = f'<subProcess id="b">{inside}</subProcess>'
    assert check(bpmn(loop + sub + chain("s", "m", "b", "x"), names=f'{NAMED} zs:data="level"')) == ()


def test_what_a_timer_adds_may_not_be_waited_for() -> None:
    """A broken-line timer's branch led into the join: in time, the join never gets it."""
    fork = '<parallelGateway id="g"/><parallelGateway id="j"/>' + f'<userTask id="u" {PERSON}/><userTask id="x" {PERSON}/>'
    body = START + TASK + fork + END + f'<boundaryEvent id="b" attachedToRef="t" cancelActivity="false">{timer("timeDuration", "PT5M")}</boundaryEvent>'
    ways = chain("s", "g", "t", "j", "e") + flow("1", "g", "u").replace('id="1"', 'id="gu"') + flow("uj", "u", "j") + flow("bx", "b", "x")
    assert [each.code for each in check(bpmn(body + ways + flow("xj", "x", "j")))] == ["deadlock"]
    assert check(bpmn(body + ways + flow("xe", "x", "e"))) == ()


def test_billion_laughs_and_outside_files_are_not_read(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12))
    assert [each.code for each in check(f"<!DOCTYPE d [{entities}]><d>&l11;</d>".encode())] == ["dtd"]
    secret = tmp_path / "secret"
    secret.write_text("a secret")
    told = check(f'<!DOCTYPE d [<!ENTITY x SYSTEM "{secret.as_uri()}">]><d>&x;</d>'.encode())
    assert [each.code for each in told] == ["dtd"]
    assert "secret" not in repr(told)


def test_too_many_nodes_are_refused() -> None:
    ids = [f"t{n}" for n in range(200)]
    assert [each.code for each in check(bpmn(START + "".join(f'<userTask id="{i}" {PERSON}/>' for i in ids) + END + chain("s", *ids, "e")))] == ["too_many"]


def test_what_is_hidden_from_the_check_is_hidden_from_the_engine() -> None:
    """The engine searches at any depth: a script in an extension must not take the place of the one that was checked."""
    hidden = "<extensionElements><script>import os</script></extensionElements>"
    told = check(around(f'<scriptTask id="t">{hidden}<script>a = 1</script></scriptTask>'))
    assert told == ()
    built = read(around(f'<scriptTask id="t">{hidden}<script>a = 1</script></scriptTask>'))
    assert built.spec.process.task_specs["t"].script == "a = 1"


def test_a_lane_gives_its_party() -> None:
    lane = '<laneSet id="l"><lane id="l1" name="{name}" {party}><flowNodeRef>t</flowNodeRef></lane></laneSet>'
    task = f'<userTask id="t" {NAMED}/>'
    for name, party in (("排水处", 'zs:party="dept-drainage"'), ("dept-drainage", "")):
        assert read(bpmn(lane.format(name=name, party=party) + START + task + END + chain("s", "t", "e"))).parties == ("dept-drainage",)
    assert "no_party t" in codes(bpmn(lane.format(name="排水处", party="") + START + task + END + chain("s", "t", "e")))


def test_warnings_do_not_stop_a_playbook() -> None:
    examined = examine(choice("level == 'red'", "level == 'blue'"))
    assert examined.faults == ()
    assert {each.code for each in examined.warnings} == {"gap", "no_limit", "no_drawing"}


def test_the_version_is_the_content_s_not_its_writing() -> None:
    again = GOOD.replace(b'id="d"', b'id = "d" ').replace(b"<process", b"<!-- a remark --><process")
    assert read(again).version == read(GOOD).version == read(read(GOOD).source).version
    assert read(GOOD.replace("试".encode(), "验".encode())).version != read(GOOD).version


def test_the_command_tells_both_languages(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.bpmn", tmp_path / "bad.bpmn"
    good.write_bytes(GOOD)
    bad.write_bytes(around('<task id="t"/>'))
    lines, right = check_file(good)
    assert right and any("dept-road" in line for line in lines)
    lines, right = check_file(bad)
    assert not right
    assert any(line.startswith("✗ t：") for line in lines) and any(line.startswith("✗ t: ") for line in lines)
    assert check_file(tmp_path / "none.bpmn")[1] is False


def test_real_files_of_others_are_read_or_refused_with_reasons(samples: Path) -> None:
    files = sorted((samples / "j-bpmn-miwg").glob("*.bpmn"))
    if not files:
        pytest.skip("no BPMN samples of others here")
    for path in files:
        raw = path.read_bytes()
        for each in (raw, raw.replace(b'isExecutable="false"', b'isExecutable="true"', 1), raw.replace(b"isExecutable=", b"isexecutable=")):
            for found in check(each):
                assert found.reason_zh and found.remedy_en and found.code != "engine", (path.name, found)
                assert found.element_id or found.code in {"no_id", "no_process"}, (path.name, found)
