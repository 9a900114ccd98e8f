"""Act: a finding or a citizen's request becomes a lead, a lead a case, and a case is driven step by step to an end that someone else has checked.

The desk is the truth of it. A write is a `Deed`, handed in at the `Office`; what it changed goes out as news, and as readings by the relay.
"""

from zhongshu.act import callers, centre, family, masking, record, relay, sought, voice, voices
from zhongshu.act.adoption import report as assist_report
from zhongshu.act.adoption import taught
from zhongshu.act.assistant import Assistant
from zhongshu.act.case import check_by_instrument, do, keep_evidence, open_case, tell_result
from zhongshu.act.deed import INSTRUMENT, SYSTEM, Deed, Witness, nobody
from zhongshu.act.dispatch import Taken, consume, consumed, finding_ended, take_finding, take_request, take_requests
from zhongshu.act.duty import bring_in, classes, guess, load, row_for, suggest, units
from zhongshu.act.duty import kinds as table_kinds
from zhongshu.act.duty import rows as table_rows
from zhongshu.act.evaluation import Span, behind, evaluate
from zhongshu.act.evaluation_files import page as evaluation_page
from zhongshu.act.evaluation_files import workbook as evaluation_workbook
from zhongshu.act.given import Given, NewCase
from zhongshu.act.guards import classed
from zhongshu.act.hotline import do as do_request
from zhongshu.act.hotline import propose
from zhongshu.act.hotline import tell as tell_voice
from zhongshu.act.joint import body as playbook_body
from zhongshu.act.joint import deploy as deploy_playbook
from zhongshu.act.joint import listing as playbooks
from zhongshu.act.joint import step as task_step
from zhongshu.act.lead import Seen, link_voice, take_back, undo
from zhongshu.act.lesson import Lesson, read_lessons, score
from zhongshu.act.links import decide
from zhongshu.act.links import split as split_links
from zhongshu.act.machine import lead_offered, mermaid, offered
from zhongshu.act.nearness import near
from zhongshu.act.office import Office
from zhongshu.act.person import people
from zhongshu.act.place import Place
from zhongshu.act.record import CaseFilter
from zhongshu.act.rounds import sign_normal, sweep
from zhongshu.act.shown import BAD_PAGE
from zhongshu.act.states import LEAD_ROWS, RESULTS, ROWS, STEPS, TASK_ROWS, UNDOABLE, VERBS
from zhongshu.act.urgency import condition_for, postponed, raised_sampling
from zhongshu.act.voice import Refusal, Voice, answer
from zhongshu.act.voices import VoiceFilter

__all__ = [
    "BAD_PAGE",
    "INSTRUMENT",
    "LEAD_ROWS",
    "RESULTS",
    "ROWS",
    "STEPS",
    "SYSTEM",
    "TASK_ROWS",
    "UNDOABLE",
    "VERBS",
    "Assistant",
    "CaseFilter",
    "Deed",
    "Given",
    "Lesson",
    "NewCase",
    "Office",
    "Place",
    "Refusal",
    "Seen",
    "Span",
    "Taken",
    "Voice",
    "VoiceFilter",
    "Witness",
    "answer",
    "assist_report",
    "behind",
    "bring_in",
    "callers",
    "centre",
    "check_by_instrument",
    "classed",
    "classes",
    "condition_for",
    "consume",
    "consumed",
    "decide",
    "deploy_playbook",
    "do",
    "do_request",
    "evaluate",
    "evaluation_page",
    "evaluation_workbook",
    "family",
    "finding_ended",
    "guess",
    "keep_evidence",
    "lead_offered",
    "link_voice",
    "load",
    "masking",
    "mermaid",
    "near",
    "nobody",
    "offered",
    "open_case",
    "people",
    "playbook_body",
    "playbooks",
    "postponed",
    "propose",
    "raised_sampling",
    "read_lessons",
    "record",
    "relay",
    "row_for",
    "score",
    "sign_normal",
    "sought",
    "split_links",
    "suggest",
    "sweep",
    "table_kinds",
    "table_rows",
    "take_back",
    "take_finding",
    "take_request",
    "take_requests",
    "task_step",
    "taught",
    "tell_result",
    "tell_voice",
    "undo",
    "units",
    "voice",
    "voices",
]
