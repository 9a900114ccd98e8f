"""The operations centre's tables; the numbered migrations make them. Times are integer µs of UTC, areas int64 keys. Knows no rule."""

from sqlalchemy import JSON, Boolean, Column, Index, Table, Text
from sqlalchemy.schema import SchemaItem

from zhongshu.act.tables import ACT, INT


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False, default="") for name in names]


def _ints(*names: str) -> list[Column[int]]:
    return [Column(name, INT, nullable=False, default=0) for name in names]


def _moments(*names: str) -> list[Column[int]]:
    """Return columns of what may not have come yet."""
    return [Column(name, INT) for name in names]


def _jsons(*names: str) -> list[Column[object]]:
    return [Column(name, JSON, nullable=False) for name in names]


def _drill() -> Column[bool]:
    return Column("drill", Boolean, nullable=False)


def _documents(name: str, *held: SchemaItem) -> Table:
    """Return a table of documents, each with its id, its number, and the version that who changes it must have seen."""
    return Table(name, ACT, Column("id", Text, primary_key=True), *_texts("number"), *held, *_ints("version"))


warning = _documents(
    "warning",
    *_texts("source", "sender", "external"),
    *_ints("sent"),
    *_texts("digest", "message", "status"),
    _drill(),
    *_texts("issuer", "hazard", "hazard_en", "colour", "colour_from"),
    *_ints("area"),
    *_jsons("areas", "shapes"),
    *_ints("onset"),
    *_moments("expires"),
    *_texts("text_zh", "text_en"),
    *_jsons("names"),
    *_moments("ended"),
    *_texts("ended_by"),
    *_ints("taken"),
    *_texts("taken_by"),
    Index("warning_once", "sender", "external", "sent", unique=True),
    Index("warning_held", "onset"),
)
"""Every message of an authority, as it was taken in; `names`: the earlier messages it ends. A Cancel is a row too, and never in force."""

response = _documents(
    "response",
    *_texts("theme"),
    *_ints("level", "area"),
    *_jsons("areas"),
    *_texts("ordered_by", "basis", "text_zh", "text_en"),
    _drill(),
    *_ints("started"),
    *_moments("ended"),
    Index("response_open", "ended"),
)

incident = _documents(
    "incident",
    *_texts("theme", "title_zh", "title_en"),
    *_ints("level", "area"),
    *_jsons("areas", "places", "parties", "cases"),
    Column("mode", Text),
    _drill(),
    *_texts("state"),
    *_ints("happened", "opened"),
    *_texts("opened_by"),
    *_moments("closed"),
    Index("incident_state", "state", "opened"),
)

incident_order = _documents(
    "incident_order",
    *_texts("incident", "task", "title_zh", "title_en", "unit", "unit_zh", "unit_en", "basis"),
    *_ints("area"),
    _drill(),
    *_texts("state"),
    *_ints("sent"),
    *_texts("sent_by"),
    *_moments("due", "read", "accepted", "ended"),
    *_texts("note"),
    *_ints("told"),
    Index("incident_order_of", "incident", "sent"),
    Index("incident_order_unit", "unit", "state"),
    Index("incident_order_due", "state", "due"),
)

incident_report = _documents(
    "incident_report",
    *_texts("incident", "kind"),
    *_ints("area"),
    _drill(),
    *_texts("state", "text_zh", "text_en"),
    *_jsons("facts"),
    *_texts("sent_to"),
    *_ints("made"),
    *_moments("due", "sent"),
    *_texts("sent_by"),
    Index("incident_report_of", "incident", "made"),
    Index("incident_report_due", "state", "due"),
)
"""首报, 续报, 终报."""

handover = _documents(
    "handover",
    *_ints("area"),
    *_texts("state", "outgoing", "outgoing_name", "expected"),
    *_ints("signed_out"),
    *_texts("incoming", "incoming_name"),
    *_moments("signed_in"),
    *_texts("memo"),
    *_jsons("document"),
    *_texts("digest"),
    Index("handover_state", "state", "signed_in"),
)
"""The sheet as it was when the outgoing officer signed; `digest`: the SHA-256 of its canonical JSON."""

instruction = _documents(
    "instruction",
    *_ints("area"),
    *_texts("leader", "leader_name", "text", "case_id"),
    *_ints("made"),
    *_moments("until"),
    Index("instruction_case", "case_id"),
    Index("instruction_made", "made"),
)
"""领导批示."""
