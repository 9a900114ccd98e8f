"""Act: a finding or a citizen's request becomes a lead, a lead a case, and a case is driven step by step to an end that someone else has checked.

The desk is the truth of it. A write is a `Deed`, handed in at the `Office`; what it changed goes out as news, and as readings by the relay.
"""

from zhongshu.act import record, relay, voice
from zhongshu.act.case import Given, NewCase, check_by_instrument, do, keep_evidence, open_case, tell_result
from zhongshu.act.deed import INSTRUMENT, SYSTEM, Deed, Witness, nobody
from zhongshu.act.dispatch import Taken, consume, consumed, finding_ended, sign_normal, sweep, take_finding, take_request, take_requests
from zhongshu.act.duty import classes, guess, load, row_for, suggest, units
from zhongshu.act.lead import Seen, decide, link_voice, near, take_back, undo
from zhongshu.act.machine import LEAD_ROWS, ROWS, STEPS, UNDOABLE, VERBS, mermaid, offered
from zhongshu.act.office import Office
from zhongshu.act.place import Place
from zhongshu.act.record import CaseFilter
from zhongshu.act.shown import BAD_PAGE
from zhongshu.act.voice import Refusal, Voice, answer

__all__ = [
    "BAD_PAGE",
    "INSTRUMENT",
    "LEAD_ROWS",
    "ROWS",
    "STEPS",
    "SYSTEM",
    "UNDOABLE",
    "VERBS",
    "CaseFilter",
    "Deed",
    "Given",
    "NewCase",
    "Office",
    "Place",
    "Refusal",
    "Seen",
    "Taken",
    "Voice",
    "Witness",
    "answer",
    "check_by_instrument",
    "classes",
    "consume",
    "consumed",
    "decide",
    "do",
    "finding_ended",
    "guess",
    "keep_evidence",
    "link_voice",
    "load",
    "mermaid",
    "near",
    "nobody",
    "offered",
    "open_case",
    "record",
    "relay",
    "row_for",
    "sign_normal",
    "suggest",
    "sweep",
    "take_back",
    "take_finding",
    "take_request",
    "take_requests",
    "tell_result",
    "undo",
    "units",
    "voice",
]
