"""A playbook from its beginning to its end: in any order, over any saving, by the city's clock; and the five of the city's incidents."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lxml import etree

import zhongshu.packs.incidents
from zhongshu.act.playbook import HOLDER, STREET, Playbook, State, Task, begin, done, due, finished, picture, read, signal, signals, tasks, tick
from zhongshu.kernel.clock import HOUR, MINUTE, parse_time
from zhongshu.kernel.problem import Problem

HOME = Path(zhongshu.packs.incidents.__file__).parent
FILES = sorted((HOME / "playbooks").glob("*.bpmn"))
BOOKS = {path.stem: read(path.read_bytes()) for path in FILES}
NOW = parse_time("2026-07-01T08:00:00+08:00")
MODEL = 'xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zs="urn:zhongshu:bpmn"'
DUTIES = sorted(HOME.parent.glob("*/dispatch.csv"))


def book(body: str, data: str = "", roots: str = "") -> Playbook:
    return read(f'<definitions {MODEL}>{roots}<process id="p" isExecutable="true" name="试" zs:en="Try" zs:data="{data}">{body}</process></definitions>'.encode())


def person(id_: str, extra: str = "", inner: str = "") -> str:
    return f'<userTask id="{id_}" name="任务" zs:en="Task" zs:party="dept-road" {extra}>{inner}</userTask>'


def flows(*pairs: str) -> str:
    made = []
    for pair in pairs:
        way, _, condition = pair.partition("?")
        source, target = way.split(">")
        made.append(
            f'<sequenceFlow id="{source}_{target}" sourceRef="{source}" targetRef="{target}">{f"<conditionExpression>{condition}</conditionExpression>" if condition else ""}</sequenceFlow>'
        )
    return "".join(made)


def edge(id_: str, text: str, cancel: bool = False, kind: str = "timeDuration") -> str:
    return (
        f'<boundaryEvent id="{id_}" attachedToRef="t" cancelActivity="{str(cancel).lower()}"><timerEventDefinition><{kind}>{text}</{kind}></timerEventDefinition></boundaryEvent>'
    )


def answers(task: Task, pick: Any = lambda options: options[0]) -> dict[str, Any]:
    return {"evidence": ["a" * 64], "note": "办了", **{choice.name: pick(choice.options).value for choice in task.choices}}


def open_keys(playbook: Playbook, state: State) -> list[str]:
    return sorted(task.key for task in tasks(playbook, state))


def do(playbook: Playbook, state: State, key: str, now: int = NOW, **given_: Any) -> State:
    task = next(task for task in tasks(playbook, state) if task.key == key)
    return done(playbook, state, task.id, answers(task) | given_, now=now)


START_END = '<startEvent id="s"/><endEvent id="e"/>'


# the five


def test_every_word_of_the_drawings_is_there_in_both_languages() -> None:
    for file in FILES:
        named = [one for one in etree.parse(file).getroot().iter(etree.Element) if one.get("name") and etree.QName(one).localname not in {"signal", "choice"}]
        assert named
        assert [one.get("id") for one in named if not any(etree.QName(key).localname == "en" for key in one.keys())] == []


def test_the_five_playbooks_are_there() -> None:
    assert list(BOOKS) == ["flooding", "gas_leak", "heat_outage", "road_collapse", "water_outage"]
    codes = set(re.findall(r"dept-[a-z]+", "".join(path.read_text("utf-8") for path in DUTIES)))
    for playbook in BOOKS.values():
        assert len(set(playbook.parties)) >= 4
        assert set(playbook.parties) <= codes | {HOLDER, STREET}
        assert all(form.limit_minutes and form.name_en and form.name_zh for form in playbook.forms.values())
        assert b"BPMNEdge" in playbook.source
        assert b"parallelGateway" in playbook.source and b"exclusiveGateway" in playbook.source and b"timerEventDefinition" in playbook.source


@pytest.mark.parametrize("name", sorted(BOOKS))
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(data=st.data())
def test_a_playbook_ends_in_any_order_of_its_tasks(name: str, data: st.DataObject) -> None:
    """People do the open tasks in any order with any answers, now and then late; a state that was written and read goes on alike."""
    playbook, now = BOOKS[name], NOW
    state = begin(playbook, {"level": data.draw(st.sampled_from(["red", "yellow", None]))}, now=now)
    stubborn = data.draw(st.integers(0, 3))  # how often somebody says it is not good yet
    for step in range(200):
        state = State(json.dumps(json.loads(state)))
        if finished(state):
            break
        here = tasks(playbook, state)
        assert here == tasks(playbook, State(json.dumps(json.loads(state), sort_keys=True)))
        if not here:
            at = due(playbook, state)
            assert at is not None, "nothing is waited for, and it has not ended"
            state, now = tick(playbook, state, at), at
            continue
        now += data.draw(st.integers(0, 90)) * MINUTE
        ticked = tick(playbook, state, now)
        task = data.draw(st.sampled_from(tasks(playbook, ticked) or here))
        given_ = answers(task, lambda options: data.draw(st.sampled_from(options))) | (
            {} if step < stubborn * 10 else {k: "yes" for k in ("tight", "clean", "warm") if k in {c.name for c in task.choices}}
        )
        if task.id not in {each.id for each in tasks(playbook, ticked)}:
            continue
        onward = done(playbook, ticked, task.id, given_, now=now)
        if task.id in {each.id for each in here}:
            late = done(playbook, state, task.id, given_, now=now)
            assert open_keys(playbook, onward) == open_keys(playbook, late), "a tick more or less makes no difference"
            assert due(playbook, onward) == due(playbook, late)
        state = onward
    assert finished(state)
    assert tasks(playbook, state) == () and due(playbook, state) is None
    assert picture(playbook, state)["ended"] == "done"


def test_the_sample_walks_as_written() -> None:
    sample = json.loads((HOME / "sample" / "flooding.json").read_text("utf-8"))
    playbook = BOOKS["flooding"]
    state = begin(playbook, sample["data"], now=NOW)
    for step in sample["steps"]:
        state = do(playbook, state, step["task"], **{k: v for k, v in step.items() if k != "task"})
    assert finished(state)


def test_pumping_too_long_calls_for_more_and_goes_on() -> None:
    playbook = BOOKS["flooding"]
    state = do(playbook, begin(playbook, {}, now=NOW), "look", trapped="no", passable="no")
    assert open_keys(playbook, state) == ["close_road", "pump", "tell_homes"]
    assert due(playbook, state) == NOW + 60 * MINUTE
    assert open_keys(playbook, tick(playbook, state, NOW + 60 * MINUTE - 1)) == ["close_road", "pump", "tell_homes"]
    state = tick(playbook, state, NOW + 60 * MINUTE)
    assert open_keys(playbook, state) == ["close_road", "pump", "reinforce", "tell_homes"]
    assert due(playbook, state) is None


def test_the_signal_that_the_water_is_gone_lets_the_road_go() -> None:
    playbook = BOOKS["flooding"]
    state = do(playbook, begin(playbook, {"level": "red"}, now=NOW), "look", trapped="no", passable="yes")
    assert "close_road" in open_keys(playbook, state), "a red level closes the road whatever the first look said"
    assert signals(playbook, state) == ("water_gone",)
    state = signal(playbook, state, "water_gone", now=NOW)
    assert open_keys(playbook, state) == ["pump", "tell_homes"]
    with pytest.raises(Problem, match=r"playbook\.no_signal"):
        signal(playbook, state, "water_gone", now=NOW)
    with pytest.raises(Problem, match=r"playbook\.no_signal"):
        signal(playbook, state, "anything", now=NOW)


def test_the_notice_is_renewed_each_time_its_turn_comes() -> None:
    playbook = BOOKS["water_outage"]
    state = do(playbook, begin(playbook, {}, now=NOW), "find", dig="no", hours="long")
    state = tick(playbook, state, NOW + 24 * HOUR)
    assert open_keys(playbook, state).count("renew") == 4, "four turns and no more"
    assert sorted(task.since for task in tasks(playbook, state) if task.key == "renew") == [NOW + 2 * n * HOUR for n in (1, 2, 3, 4)]
    assert due(playbook, state) is None
    state = do(playbook, state, "repair", now=NOW + 24 * HOUR)
    assert "renew" not in open_keys(playbook, state), "what a cycle adds ends with its task"


# the engine


def test_a_task_says_what_a_person_must_know() -> None:
    playbook = BOOKS["flooding"]
    (task,) = tasks(playbook, begin(playbook, {}, now=NOW))
    assert (task.key, task.name_zh, task.name_en, task.party) == ("look", "到场看水", "Look at the water on site", "dept-drainage")
    assert (task.since, task.due, task.limit_minutes, task.needs) == (NOW, NOW + 20 * MINUTE, 20, ("evidence",))
    assert [(choice.name, [option.value for option in choice.options]) for choice in task.choices] == [("trapped", ["yes", "no"]), ("passable", ["yes", "no"])]
    assert task.checklist[0].zh == "测最深处水深并拍照"


@pytest.mark.parametrize("lacking", [{"evidence": []}, {"passable": None}, {"passable": "perhaps"}, {"passable": ["yes"]}, {"trapped": {}}])
def test_what_a_task_needs_must_be_given(lacking: dict[str, Any]) -> None:
    playbook = BOOKS["flooding"]
    state = begin(playbook, {}, now=NOW)
    with pytest.raises(Problem, match=r"playbook\.lacking"):
        do(playbook, state, "look", **lacking)


def test_a_task_is_done_once() -> None:
    playbook = BOOKS["flooding"]
    state = begin(playbook, {}, now=NOW)
    (task,) = tasks(playbook, state)
    after = done(playbook, state, task.id, answers(task), now=NOW)
    for gone in (task.id, "", "nonsense"):
        with pytest.raises(Problem, match=r"playbook\.not_open"):
            done(playbook, after, gone, answers(task), now=NOW)
    assert tasks(playbook, state) == (task,), "the old state is as it was"


def test_a_case_goes_on_with_the_version_it_began_with() -> None:
    playbook = BOOKS["flooding"]
    changed = read((HOME / "playbooks" / "flooding.bpmn").read_bytes().replace(b"PT60M", b"PT45M"))
    state = begin(playbook, {}, now=NOW)
    (task,) = tasks(playbook, state)
    calls = (
        lambda: tasks(changed, state),
        lambda: done(changed, state, task.id, answers(task), now=NOW),
        lambda: due(changed, state),
        lambda: tick(changed, state, NOW),
        lambda: picture(changed, state),
        lambda: signal(changed, state, "water_gone", now=NOW),
    )
    for call in calls:
        with pytest.raises(Problem, match=r"playbook\.other_version"):
            call()
    assert tasks(read(playbook.source), state) == (task,), "the kept source brings the same version back"


def test_the_state_holds_no_specification() -> None:
    state = begin(BOOKS["flooding"], {"level": "red", "secret": "not asked for"}, now=NOW)
    assert "not asked for" not in state and "到场看水" not in state
    assert "task_specs" not in state and "sequenceFlow" not in state
    assert len(state) < len(BOOKS["flooding"].source)
    assert json.loads(state)["data"] == {"level": "red"}


@pytest.mark.parametrize("bad", [object(), float("nan"), {1, 2}, "长" * 30_000])
def test_data_must_be_plain_and_small(bad: object) -> None:
    with pytest.raises(Problem, match=r"playbook\.bad_data"):
        begin(BOOKS["flooding"], {"level": bad}, now=NOW)


def test_an_interrupting_timer_takes_the_task_away_even_if_the_tick_is_late() -> None:
    playbook = book(START_END + person("t") + person("u") + edge("b", "PT30M", cancel=True) + flows("s>t", "t>e", "b>u", "u>e"))
    state = begin(playbook, {}, now=NOW)
    (task,) = tasks(playbook, state)
    assert finished(done(playbook, state, task.id, {}, now=NOW + 30 * MINUTE - 1))
    with pytest.raises(Problem, match=r"playbook\.not_open"):
        done(playbook, state, task.id, {}, now=NOW + 30 * MINUTE)
    state = tick(playbook, state, NOW + 5 * HOUR)
    (after,) = tasks(playbook, state)
    assert (after.key, after.since) == ("u", NOW + 30 * MINUTE), "it fired at its own time, not when somebody looked"
    assert picture(playbook, state) == {"s": "done", "b": "done", "u": "current", "e": "next"}


def test_timers_in_a_row_fire_each_at_its_time() -> None:
    wait = '<intermediateCatchEvent id="{0}"><timerEventDefinition><timeDuration>PT10M</timeDuration></timerEventDefinition></intermediateCatchEvent>'
    moment = '<intermediateCatchEvent id="c"><timerEventDefinition><timeDate>2026-07-01T09:00:00+08:00</timeDate></timerEventDefinition></intermediateCatchEvent>'
    playbook = book(START_END + wait.format("a") + wait.format("b") + moment + person("t") + flows("s>a", "a>b", "b>c", "c>t", "t>e"))
    state = begin(playbook, {}, now=NOW)
    assert picture(playbook, state) == {"s": "done", "a": "current", "b": "next"}
    assert due(playbook, state) == NOW + 10 * MINUTE
    state = tick(playbook, state, NOW + 10 * MINUTE)
    assert due(playbook, state) == NOW + 20 * MINUTE
    late = tick(playbook, state, NOW + 9 * HOUR)
    assert [(task.key, task.since) for task in tasks(playbook, late)] == [("t", NOW + HOUR)]
    assert tick(playbook, late, NOW) == late, "the clock never goes back"


def test_the_wall_s_clock_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from SpiffWorkflow.bpmn.specs.event_definitions import timer as theirs

    class Wall:
        @staticmethod
        def now(*_: object) -> None:
            raise AssertionError

    monkeypatch.setattr(theirs, "datetime", Wall)
    playbook = book(START_END + person("t") + person("u") + edge("b", "R3/PT30M", kind="timeCycle") + flows("s>t", "t>e", "b>u", "u>e"))
    state = tick(playbook, begin(playbook, {}, now=1000), 1000 + 10 * HOUR)
    assert open_keys(playbook, state) == ["t", "u", "u", "u"]


def test_branches_share_what_was_answered() -> None:
    """What one branch says is seen in the other, and is not overwritten by it where they meet."""
    ask = '<extensionElements><zs:choice name="a" zh="甲" en="A"><zs:option value="1" zh="一" en="One"/><zs:option value="2" zh="二" en="Two"/></zs:choice></extensionElements>'
    body = (
        START_END
        + person("t", inner=ask)
        + person("u")
        + person("x")
        + person("y")
        + '<scriptTask id="z"><script>a = "0"</script></scriptTask><parallelGateway id="p1"/><parallelGateway id="p2"/><exclusiveGateway id="g" default="g_y"/>'
        + flows("s>z", "z>p1", "p1>t", "p1>u", "t>p2", "u>p2", "p2>g", "g>x?a == '2'", "g>y", "x>e", "y>e")
    )
    for order in (("t", "u"), ("u", "t")):
        playbook = book(body)
        state = begin(playbook, {}, now=NOW)
        for key in order:
            state = do(playbook, state, key, **({"a": "2"} if key == "t" else {}))
        assert open_keys(playbook, state) == ["x"]


def test_sub_processes_inclusive_ways_and_errors_are_carried_out() -> None:
    inner = (
        '<subProcess id="sub"><startEvent id="s2"/>' + person("t") + '<endEvent id="e2"><errorEventDefinition errorRef="r"/></endEvent>' + flows("s2>t", "t>e2") + "</subProcess>"
    )
    caught = '<boundaryEvent id="b" attachedToRef="sub"><errorEventDefinition errorRef="r"/></boundaryEvent>'
    playbook = book(START_END + inner + caught + person("u") + person("v") + flows("s>sub", "sub>v", "b>u", "u>e", "v>e"), roots='<error id="r" name="r" errorCode="1"/>')
    state = begin(playbook, {}, now=NOW)
    assert picture(playbook, state)["sub"] == "current"
    state = do(playbook, State(json.dumps(json.loads(state))), "t")
    assert open_keys(playbook, state) == ["u"]


def test_where_no_condition_holds_the_step_is_not_kept() -> None:
    playbook = book(START_END + person("t") + '<exclusiveGateway id="g"/>' + person("u") + flows("s>t", "t>g", "g>u?level == 1", "g>e?level == 2", "u>e"), data="level")
    state = begin(playbook, {"level": 3}, now=NOW)
    with pytest.raises(Problem, match=r"playbook\.stuck") as caught:
        do(playbook, state, "t")
    assert "条件" in caught.value.sentence("zh")
    assert open_keys(playbook, state) == ["t"]


def test_what_has_no_value_is_told_as_a_problem() -> None:
    playbook = book(START_END + '<scriptTask id="x"><script>a = level / 0</script></scriptTask>' + person("t") + flows("s>x", "x>t", "t>e"), data="level")
    with pytest.raises(Problem, match=r"playbook\.stuck"):
        begin(playbook, {"level": 3}, now=NOW)


def test_tokens_that_double_are_refused() -> None:
    """Forks that each lead into the next from both sides would make a million tokens without a loop; the engine loses them instead."""
    nodes = "".join(f'<parallelGateway id="p{n}"/><exclusiveGateway id="a{n}"/><exclusiveGateway id="b{n}"/><exclusiveGateway id="m{n}"/>' for n in range(20))
    ways = [way for n in range(20) for way in (f"p{n}>a{n}", f"p{n}>b{n}", f"a{n}>m{n}", f"b{n}>m{n}", f"m{n}>p{n + 1}" if n < 19 else "m19>t")]
    with pytest.raises(Problem, match=r"playbook\.refused") as caught:
        book(START_END + nodes + person("t") + flows("s>p0", *ways, "t>e"))
    assert {(each.code, each.element_id) for each in caught.value.particulars["faults"]} >= {("doubled", "p1")}


def test_a_long_loop_of_people_comes_to_an_end() -> None:
    ask = '<extensionElements><zs:choice name="a" zh="甲" en="A"><zs:option value="again" zh="再" en="Again"/><zs:option value="enough" zh="够" en="Enough"/></zs:choice></extensionElements>'
    playbook = book(
        START_END + '<exclusiveGateway id="m"/>' + person("t", inner=ask) + '<exclusiveGateway id="g" default="g_e"/>' + flows("s>m", "m>t", "t>g", "g>m?a == 'again'", "g>e")
    )
    state = begin(playbook, {}, now=NOW)
    for _ in range(60):
        state = do(playbook, state, "t", a="again")
    assert finished(do(playbook, state, "t", a="enough"))
