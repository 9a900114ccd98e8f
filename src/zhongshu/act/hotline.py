"""A voice's own life: answered at once, transferred, refused, or led on to a case; answered in the end, and called back. Many voices never become a case.

What a case closes, no voice is closed by: only its own answer and its own call are. Who says in the call that it is not solved is received again,
and the case that was closed on it is opened again; of a case's way it knows nothing else, nor of a lead's but that one is settled when all its voices are.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from zhongshu.act import case as cases
from zhongshu.act import docket, duty, guards, machine, states, voice
from zhongshu.act import lead as leads
from zhongshu.act.assistant import Assistant
from zhongshu.act.deed import MISSING, SYSTEM, Deed, Entry, record
from zhongshu.act.given import Given
from zhongshu.act.refusals import STALE
from zhongshu.kernel.problem import declare

BAD_RESULT = declare(
    "request.bad_result",
    "invalid",
    zh=("回访结果“{text}”看不懂。", "请写 solved（已解决）或 unsolved（未解决），满意度为 1 到 5。"),
    en=("The result '{text}' of the call cannot be read.", "Give solved or unsolved, and 1 to 5 for satisfaction."),
)
NO_ENTRY = declare(
    "knowledge.unknown",
    "unknown",
    zh=("知识库里没有在有效期内的“{code}”。", "请换一条，或直接写明答复。"),
    en=("There is no entry '{code}' in force in the knowledge base.", "Choose another, or write the answer."),
)
NOT_YOURS = declare(
    "request.not_yours",
    "refused",
    zh=("诉求 {number} 不是你反映的。", "请由反映人来说是否解决。"),
    en=("Request {number} was not reported by you.", "Whether it is solved is for who reported it to say."),
)
UNSOLVED = Given(reason="回访：反映人说没有解决 · called back: not solved, says who reported it")
CALLS = 3
"""After so many calls that nobody took, a voice is closed as 未联系上."""

Row = dict[str, Any]


def do(deed: Deed, request_id: str, verb: str, given: Given, satisfied: int | None = None, knowledge: str = "") -> Row:
    """Do one verb on a voice and return it. Raises `request.unknown`, `case.stale`, `case.not_now`, `case.not_yours`, `case.missing` and the verb's own."""
    row = voice.get(deed, request_id)
    if given.version is not None and given.version != row["version"]:
        raise STALE(number=row["number"], have=row["version"], given=given.version)
    move = machine.find_request(row["state"], verb, _turn(row, verb, given))
    machine.allow(move, deed.actor, row["area"])
    given = guards.reasoned(deed, move, given)
    for name, lacks in (("reason", not given.reason.strip()), ("unit", not given.unit)):
        if name in move.needs and lacks:
            raise MISSING(**guards.FIELDS[name])
    changes = {"state": move.to[0], "version": row["version"] + 1} | _EFFECTS[verb](deed, row, given, satisfied, knowledge)
    detail = {name: changes[name] for name in ("transferred", "knowledge", "result", "satisfied", "calls") if changes.get(name) not in {None, ""}}
    if row["answer"] and changes.get("answer") == "" and verb == "call_back":
        detail["earlier"] = row["answer"]
    record(deed, Entry("request", row["id"], row["number"], row["area"], verb, changes["version"], (row["state"], ""), (changes["state"], ""), reason=given.reason, detail=detail))
    after = voice.change(deed, row, **changes)
    if row["state"] != after["state"] == "received":
        leads.again(deed, row["lead"])
    elif row["state"] == "received" != after["state"]:
        leads.settle(deed, row["lead"])
    return after


def tell(deed: Deed, request_id: str, verb: str) -> Row:
    """Let who reported it say whether it is solved (解决了, 没解决): of the case it became, or of the answer it was given at once.

    Raises `request.unknown`, `request.not_yours`, `case.not_now` and what doing raises.
    """
    row = voice.get(deed, request_id)
    if row["case_id"]:
        cases.tell_result(deed, request_id, verb)
    elif row["reporter"] != deed.actor.id:
        raise NOT_YOURS(number=row["number"])
    else:
        do(deed.by(SYSTEM), request_id, "call_back", Given(result=verb, reason="反映人自己说的 · said by who reported it"))
    return voice.get(deed, request_id)


def _turn(row: Row, verb: str, given: Given) -> str:
    """Tell by what a call brought which way a voice goes: `solved` or not, to be called `again` or for the `last` time."""
    if verb == "call_back":
        return "unsolved" if given.result == "unsolved" else "solved"
    return "" if verb != "missed" else "last" if row["calls"] + 1 >= CALLS else "again"


def _answer(deed: Deed, _row: Row, given: Given, _satisfied: int | None, knowledge: str) -> Row:
    """Answer with one's own words, with an entry of the knowledge base, or with both."""
    entry = {}
    if knowledge:
        held = duty.book(deed.connection).at("knowledge", (knowledge,), deed.now)
        if held is None:
            raise NO_ENTRY(code=knowledge)
        entry = held.cells
    text = given.answer.strip() or str(entry.get("text", ""))
    if not text and deed.actor.id != SYSTEM.id:
        raise MISSING(zh="答复", en="answer")
    return {"answered": deed.now, "answer": text, "knowledge": knowledge}


def _transfer(_deed: Deed, _row: Row, given: Given, _satisfied: int | None, _knowledge: str) -> Row:
    return {"transferred": given.unit}


def _refuse(deed: Deed, _row: Row, given: Given, _satisfied: int | None, _knowledge: str) -> Row:
    return {"answered": deed.now, "answer": given.reason}


def _receive(_deed: Deed, _row: Row, _given: Given, _satisfied: int | None, _knowledge: str) -> Row:
    return {"answered": None, "answer": "", "transferred": ""}


def _call(deed: Deed, row: Row, given: Given, satisfied: int | None, _knowledge: str) -> Row:
    """Note what the call brought. What is not solved is not over: the voice is received again, and its case, if that is closed, is opened again."""
    if given.result not in states.RESULTS or (satisfied is not None and not 1 <= satisfied <= 5):  # noqa: PLR2004 (five grades)
        raise BAD_RESULT(text=given.result or satisfied)
    called = {"result": given.result, "satisfied": satisfied}
    if given.result == "solved":
        return called | {"closed": deed.now}
    if row["case_id"] and docket.get(deed, row["case_id"])["step"] == "closed":
        cases.do(deed.by(SYSTEM), row["case_id"], "reopen", UNSOLVED)
    return called | {"answered": None, "answer": "", "knowledge": "", "calls": 0}


def _missed(deed: Deed, row: Row, _given: Given, _satisfied: int | None, _knowledge: str) -> Row:
    calls = row["calls"] + 1
    return {"calls": calls} if calls < CALLS else {"calls": calls, "result": "unreachable", "closed": deed.now}


_EFFECTS: dict[str, Callable[[Deed, Row, Given, int | None, str], Row]] = {
    "answer": _answer,
    "transfer": _transfer,
    "refuse": _refuse,
    "receive": _receive,
    "call_back": _call,
    "missed": _missed,
}


def knowledge(connection: Connection, text: str, class_: str, at: int, most: int = 3) -> list[Row]:
    """Return the entries of the knowledge base that fit a voice best: those whose words stand in it, those of its class after them."""
    found = []
    for row in duty.book(connection).all_at("knowledge", at):
        said = sum(len(word) for word in row.cells["words"] if word and word in text)
        if said or (class_ and row.cells["class"] == class_):
            found.append((said, row))
    found.sort(key=lambda pair: (-pair[0], pair[1].key))
    plain = ("code", "title", "title_en", "text", "text_en", "class", "owner", "basis", "basis_en")
    return [{name: row.cells[name] for name in plain} | {"until": row.valid_to} for _, row in found[:most]]


def propose(connection: Connection, assistant: Assistant | None, text: str, at: int, most: int = 3) -> Row:
    """Return what would be proposed of words while they are still being said: {classes, knowledge}. Keeps nothing."""
    said = assistant.classes(text)["classes"] if assistant is not None and text.strip() else []
    guessed = duty.guess(connection, text, at) if text.strip() else ""
    if guessed and all(one["class"] != guessed for one in said):
        said = [{"class": guessed, "share": None, "reasons": []}, *said]
    return {"classes": said[:most], "knowledge": knowledge(connection, text, guessed or next((one["class"] for one in said), ""), at)}
