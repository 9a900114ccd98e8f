"""Playbooks bent at random: whatever is done to a file, it is refused with reasons or it runs to where someone is waited for; nothing else comes out."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lxml import etree

import zhongshu.packs.incidents
from zhongshu.act.playbook import begin, check, done, due, finished, picture, read, tasks, tick
from zhongshu.kernel.clock import MINUTE
from zhongshu.kernel.problem import Problem

FILES = sorted((Path(zhongshu.packs.incidents.__file__).parent / "playbooks").glob("*.bpmn"))
ROOTS = {path.stem: etree.fromstring(path.read_bytes()) for path in FILES}
BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
KINDS = [
    "userTask", "manualTask", "scriptTask", "exclusiveGateway", "parallelGateway", "inclusiveGateway", "subProcess", "intermediateCatchEvent", "intermediateThrowEvent", "endEvent",
    "startEvent", "boundaryEvent", "task", "serviceTask", "callActivity", "transaction", "eventBasedGateway", "documentation", "signalEventDefinition", "timeCycle", "timeDate", "lane",
]  # fmt: skip
TEXTS = ["", "PT1M", "R2/PT1M", "level == 'red'", "x = 1", "level", "1 / 0", "passable + 1", "True", "not None", "'" * 3, "a" * 3000]


def bend(root: Any, data: st.DataObject) -> None:
    elements = [each for each in root.iter() if each.tag.startswith(BPMN)]
    if len(elements) < 5:
        return
    one, other = data.draw(st.sampled_from(elements[1:])), data.draw(st.sampled_from(elements[1:]))
    match data.draw(st.integers(0, 6)):
        case 0 if one.getparent() is not None:
            one.getparent().remove(one)
        case 1:
            one.tag = BPMN + data.draw(st.sampled_from(KINDS))
        case 2:
            one.getparent().append(deepcopy(one))
        case 3 if one.attrib:
            del one.attrib[data.draw(st.sampled_from(sorted(one.attrib)))]
        case 4 if one.attrib and other.attrib:
            one.set(data.draw(st.sampled_from(sorted(one.attrib))), data.draw(st.sampled_from(sorted(other.attrib.values()))))
        case 5:
            one.text = data.draw(st.sampled_from(TEXTS))
        case 6 if "sourceRef" in one.attrib and "targetRef" in other.attrib:
            one.set("targetRef", other.get("targetRef"))


@pytest.mark.parametrize("name", sorted(ROOTS))
@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(data=st.data())
def test_a_bent_file_is_refused_with_reasons_or_runs(name: str, data: st.DataObject) -> None:
    root = deepcopy(ROOTS[name])
    for _ in range(data.draw(st.integers(1, 3))):
        bend(root, data)
    raw = etree.tostring(root)
    faults = check(raw)
    if faults:
        assert all(each.reason_zh and each.reason_en and each.remedy_zh and each.remedy_en for each in faults)
        return
    playbook, now = read(raw), 0
    try:
        state = begin(playbook, {"level": "red"}, now=now)
        for _ in range(30):
            if finished(state):
                break
            picture(playbook, state)
            if not (here := tasks(playbook, state)):
                at = due(playbook, state)
                if at is None:
                    break  # a signal is waited for
                state, now = tick(playbook, state, at), at
                continue
            task, now = data.draw(st.sampled_from(here)), now + data.draw(st.integers(0, 200)) * MINUTE
            given_ = {choice.name: data.draw(st.sampled_from(choice.options)).value for choice in task.choices}
            state = tick(playbook, state, now)
            if task.id in {each.id for each in tasks(playbook, state)}:
                state = done(playbook, state, task.id, {"evidence": ["a"], "note": "x", **given_}, now=now)
    except Problem as problem:
        assert problem.kind.code == "playbook.stuck"
        assert "没有任何任务" not in problem.sentence("zh"), "the check must tell such a drawing"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: f"<definitions>{text}</definitions>".encode()), st.integers(0, 20_000), st.integers(0, 40))
def test_no_bytes_break_the_check(noise: bytes, at: int, cut: int) -> None:
    assert check(noise)
    whole = FILES[0].read_bytes()
    check(whole[:at] + noise[:8] + whole[at + cut :])
