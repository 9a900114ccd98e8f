"""The operations centre's tables; the numbered migrations make them. Times are integer µs of UTC, areas int64 keys. Knows no rule."""

from sqlalchemy import JSON, Boolean, Column, Index, Table, Text

from zhongshu.act.tables import ACT, INT


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, default="")


def _int(name: str) -> Column[int]:
    return Column(name, INT, nullable=False, default=0)


def _json(name: str) -> Column[object]:
    return Column(name, JSON, nullable=False)


warning = Table(
    "warning",
    ACT,
    Column("id", Text, primary_key=True),
    _text("number"),
    _text("source"),
    _text("sender"),
    _text("external"),
    _int("sent"),
    _text("digest"),
    _text("message"),
    _text("status"),
    Column("drill", Boolean, nullable=False),
    _text("issuer"),
    _text("hazard"),
    _text("hazard_en"),
    _text("colour"),
    _text("colour_from"),
    _int("area"),
    _json("areas"),
    _json("shapes"),
    _int("onset"),
    Column("expires", INT),
    _text("text_zh"),
    _text("text_en"),
    _json("names"),
    Column("ended", INT),
    _text("ended_by"),
    _int("taken"),
    _text("taken_by"),
    _int("version"),
    Index("warning_once", "sender", "external", "sent", unique=True),
    Index("warning_held", "onset"),
)
"""Every message of an authority, as it was taken in; `names`: the earlier messages it ends. A Cancel is a row too, and never in force."""

response = Table(
    "response",
    ACT,
    Column("id", Text, primary_key=True),
    _text("number"),
    _text("theme"),
    _int("level"),
    _int("area"),
    _json("areas"),
    _text("ordered_by"),
    _text("basis"),
    _text("text_zh"),
    _text("text_en"),
    Column("drill", Boolean, nullable=False),
    _int("started"),
    Column("ended", INT),
    _int("version"),
    Index("response_open", "ended"),
)

incident = Table(
    "incident",
    ACT,
    Column("id", Text, primary_key=True),
    _text("number"),
    _text("theme"),
    _text("title_zh"),
    _text("title_en"),
    _int("level"),
    _int("area"),
    _json("areas"),
    _json("places"),
    _json("parties"),
    _json("cases"),
    Column("mode", Text),
    Column("drill", Boolean, nullable=False),
    _text("state"),
    _int("happened"),
    _int("opened"),
    _text("opened_by"),
    Column("closed", INT),
    _int("version"),
    Index("incident_state", "state", "opened"),
)

incident_order = Table(
    "incident_order",
    ACT,
    Column("id", Text, primary_key=True),
    _text("number"),
    _text("incident"),
    _text("task"),
    _text("title_zh"),
    _text("title_en"),
    _text("unit"),
    _text("unit_zh"),
    _text("unit_en"),
    _text("basis"),
    _int("area"),
    Column("drill", Boolean, nullable=False),
    _text("state"),
    _int("sent"),
    _text("sent_by"),
    Column("due", INT),
    Column("read", INT),
    Column("accepted", INT),
    Column("ended", INT),
    _text("note"),
    _int("told"),
    _int("version"),
    Index("incident_order_of", "incident", "sent"),
    Index("incident_order_unit", "unit", "state"),
    Index("incident_order_due", "state", "due"),
)

incident_report = Table(
    "incident_report",
    ACT,
    Column("id", Text, primary_key=True),
    _text("number"),
    _text("incident"),
    _text("kind"),
    _int("area"),
    Column("drill", Boolean, nullable=False),
    _text("state"),
    _text("text_zh"),
    _text("text_en"),
    _json("facts"),
    _text("sent_to"),
    _int("made"),
    Column("due", INT),
    Column("sent", INT),
    _text("sent_by"),
    _int("version"),
    Index("incident_report_of", "incident", "made"),
    Index("incident_report_due", "state", "due"),
)
"""首报, 续报, 终报."""

handover = Table(
    "handover",
    ACT,
    Column("id", Text, primary_key=True),
    _text("number"),
    _int("area"),
    _text("state"),
    _text("outgoing"),
    _text("outgoing_name"),
    _text("expected"),
    _int("signed_out"),
    _text("incoming"),
    _text("incoming_name"),
    Column("signed_in", INT),
    _text("memo"),
    _json("document"),
    _text("digest"),
    _int("version"),
    Index("handover_state", "state", "signed_in"),
)
"""The sheet as it was when the outgoing officer signed; `digest`: the SHA-256 of its canonical JSON."""

instruction = Table(
    "instruction",
    ACT,
    Column("id", Text, primary_key=True),
    _text("number"),
    _int("area"),
    _text("leader"),
    _text("leader_name"),
    _text("text"),
    _text("case_id"),
    _int("made"),
    Column("until", INT),
    _int("version"),
    Index("instruction_case", "case_id"),
    Index("instruction_made", "made"),
)
"""领导批示."""
