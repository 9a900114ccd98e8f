"""The desk's tables as this stage sees them; the numbered migrations make them, and a test holds both to each other.

Times are integer µs of UTC, areas int64 keys. Knows no rule: which step may follow which stands in `machine` alone.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, Index, Integer, MetaData, PrimaryKeyConstraint, Table, Text, text
from sqlalchemy.types import REAL

INT = BigInteger().with_variant(Integer(), "sqlite")
REAL8: Double[float] = Double().with_variant(REAL(), "sqlite")

ACT = MetaData()
_DUE = "coalesce(due, 4611686018427387904)"
NEXT = f"CASE WHEN parked IS NULL THEN 0 ELSE 4611686018427387903 END + CASE WHEN held_due < {_DUE} THEN held_due ELSE {_DUE} END"
"""What runs out first of an open case, its own limit or its holder's part (µs; 2^62 where it has none); what stands still comes after all that runs."""


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, default="")


def _int(name: str) -> Column[int]:
    return Column(name, INT, nullable=False, default=0)


serial = Table(
    "serial",
    ACT,
    Column("prefix", Text, nullable=False),
    Column("day", Text, nullable=False),
    _int("last"),
    PrimaryKeyConstraint("prefix", "day"),
)

desk_cursor = Table("desk_cursor", ACT, Column("name", Text, primary_key=True), _int("done"), Column("pending", INT))

duty_row = Table(
    "duty_row",
    ACT,
    Column("id", INT, primary_key=True),
    _text("kind"),
    _text("key"),
    _int("valid_from"),
    Column("valid_to", INT),
    _text("source"),
    Column("cells", JSON, nullable=False),
    _int("loaded"),
    _text("loaded_by"),
    Index("duty_row_dated", "kind", "key", "valid_from", "source", unique=True),
)
"""Every kind of duty table; what a row's cells are stands in `duty.kinds`."""

lead = Table(
    "lead",
    ACT,
    Column("id", Text, primary_key=True),
    _text("number"),
    _text("kind"),
    _text("source"),
    _text("external"),
    _text("class"),
    _text("title_zh"),
    _text("title_en"),
    _text("address"),
    _int("area"),
    Column("lon", REAL8),
    Column("lat", REAL8),
    _text("level"),
    _text("indicator"),
    Column("finding", Text),
    _text("state"),
    Column("of", Text),
    Column("case_id", Text),
    _int("opened"),
    _int("changed"),
    Column("ended", INT),
    _text("decided_by"),
    Column("flags", JSON, nullable=False),
    _int("version"),
    Index("lead_number", "number", unique=True),
    Index("lead_once", "source", "external", unique=True),
    Index("lead_finding", "finding"),
    Index("lead_case", "case_id"),
    Index("lead_state", "state", "class", "opened"),
)

lead_link = Table(
    "lead_link",
    ACT,
    Column("id", INT, primary_key=True),
    _text("lead"),
    Column("request", Text),
    Column("other", Text),
    Column("before", Text),
    _text("kind"),
    _text("reason_zh"),
    _text("reason_en"),
    _int("made"),
    _text("made_by"),
    Column("undone", INT),
    Column("undone_by", Text),
    Index("lead_link_lead", "lead"),
    Index("lead_link_request", "request"),
    Index("lead_link_other", "other"),
)

request = Table(
    "request",
    ACT,
    Column("id", Text, primary_key=True),
    _text("number"),
    _text("source"),
    _text("external"),
    _text("class"),
    _text("text"),
    _text("address"),
    _int("area"),
    Column("lon", REAL8),
    Column("lat", REAL8),
    _text("channel"),
    _text("unit"),
    _text("reporter"),
    Column("photos", JSON, nullable=False),
    _text("state"),
    _int("created"),
    _int("received"),
    Column("answered", INT),
    _text("answer"),
    Column("repeats", Boolean, nullable=False),
    Column("lead", Text),
    Column("case_id", Text),
    Column("flags", JSON, nullable=False),
    _text("transferred"),
    _text("knowledge"),
    _int("calls"),
    _text("result"),
    Column("satisfied", INT),
    Column("closed", INT),
    Column("proposed", JSON, nullable=False),
    _int("version"),
    Index("request_state", "state", "created"),
    Index("request_number", "number", unique=True),
    Index("request_once", "source", "external", unique=True),
    Index("request_lead", "lead"),
    Index("request_case", "case_id"),
)

caller = Table("caller", ACT, Column("id", Text, primary_key=True), _text("number"), Index("caller_number", "number", unique=True))
"""The one place where a caller's number stands; a request's `reporter` is `tel:` and the id."""

follow_link = Table(
    "follow_link",
    ACT,
    Column("id", Text, primary_key=True),
    _text("digest"),
    _text("request"),
    _int("made"),
    Column("revoked", INT),
    Index("follow_link_digest", "digest", unique=True),
    Index("follow_link_request", "request", "made"),
)
"""By which family looks on at a report; of its secret the digest alone."""

case_file = Table(
    "case_file",
    ACT,
    Column("id", Text, primary_key=True),
    _text("number"),
    _text("class"),
    _text("class_zh"),
    _text("class_en"),
    _text("title_zh"),
    _text("title_en"),
    _text("address"),
    _int("area"),
    Column("lon", REAL8),
    Column("lat", REAL8),
    _text("source"),
    _text("level"),
    _text("indicator"),
    Column("finding", Text),
    Column("lead", Text),
    _text("step"),
    _text("mark"),
    _text("unit"),
    _text("holder"),
    _text("holder_zh"),
    _text("holder_en"),
    _int("held_since"),
    _int("opened"),
    _int("changed"),
    Column("due", INT),
    Column("due_counted", Boolean, nullable=False),
    Column("warn", INT),
    Column("closed", INT),
    Column("late", Boolean, nullable=False),
    Column("parked", INT),
    Column("parked_until", INT),
    _int("paused"),
    _text("check_mode"),
    Column("normal_minutes", INT),
    _text("evidence_at"),
    _int("voices"),
    _int("redone"),
    _int("returned"),
    Column("flags", JSON, nullable=False),
    _int("version"),
    _text("due_mode"),
    _text("due_calendar"),
    _text("part"),
    Column("held_due", INT),
    Column("held_warn", INT),
    _text("held_mode"),
    _text("held_calendar"),
    _int("held_told"),
    Column("asked", JSON, nullable=False),
    _int("rejected"),
    _int("extended"),
    _int("urged"),
    _int("tier"),
    Column("supervised", INT),
    Column("supervised_until", INT),
    _int("reopened"),
    Column("danger", Boolean, nullable=False),
    _int("sample"),
    Column("helpers", JSON, nullable=False),
    _text("command"),
    _text("receipt"),
    _text("person"),
    Index("case_file_held", "held_due", sqlite_where=text("held_due IS NOT NULL"), postgresql_where=text("held_due IS NOT NULL")),
    Index("case_file_near", "held_warn", sqlite_where=text("held_warn IS NOT NULL"), postgresql_where=text("held_warn IS NOT NULL")),
    Index("case_file_number", "number", unique=True),
    Index("case_file_opened", "opened", "id", "area"),
    Index("case_file_state", "step", "opened", "id", "area"),
    Index("case_file_class", "class", "opened", "id", "area"),
    Index("case_file_by_due", text(_DUE), "id", "area", "class"),
    Index("case_file_open", *("opened", "id", "area", "class", "unit", "due", "parked"), sqlite_where=text("closed IS NULL"), postgresql_where=text("closed IS NULL")),
    Index("case_file_next", text(f"({NEXT})"), "id", "area", "class", sqlite_where=text("closed IS NULL"), postgresql_where=text("closed IS NULL")),
    Index("case_file_closed", "closed", "area", "step", sqlite_where=text("closed IS NOT NULL"), postgresql_where=text("closed IS NOT NULL")),
    Index("case_file_area", "area"),
    Index("case_file_sign", "indicator", "area"),
    Index("case_file_finding", "finding"),
    Index("case_file_to_count", "due_counted", "due"),
)

case_step = Table(
    "case_step",
    ACT,
    Column("seq", INT, primary_key=True),
    _text("kind"),
    _text("subject"),
    _text("number"),
    _int("area"),
    _int("version"),
    _text("verb"),
    _text("from_step"),
    _text("from_mark"),
    _text("to_step"),
    _text("to_mark"),
    _text("actor"),
    _text("actor_name"),
    _int("at"),
    _int("happened"),
    _text("reason"),
    _text("note"),
    _text("unit"),
    Column("detail", JSON, nullable=False),
    Column("once", Text),
    Index("case_step_subject", "subject", "seq"),
    Index("case_step_once", "once", unique=True),
    Index("case_step_ruled", "seq", sqlite_where=text("verb = 'rule'"), postgresql_where=text("verb = 'rule'")),
    sqlite_autoincrement=True,
)
"""The append-only history of cases, leads and requests in one order; `at`: when it was done here, `happened`: when it was so out there."""

evidence = Table(
    "evidence",
    ACT,
    Column("sha256", Text, primary_key=True),
    _text("content_type"),
    _int("size"),
    _int("received"),
    _text("received_by"),
    Column("taken", INT),
    Column("lon", REAL8),
    Column("lat", REAL8),
)

evidence_link = Table(
    "evidence_link",
    ACT,
    Column("seq", INT, nullable=False),
    Column("sha256", Text, nullable=False),
    PrimaryKeyConstraint("seq", "sha256"),
    Index("evidence_link_sha256", "sha256"),
)

case_task = Table(
    "case_task",
    ACT,
    Column("id", Text, primary_key=True),
    _text("case_id"),
    _text("kind"),
    _text("key"),
    _text("title_zh"),
    _text("title_en"),
    _text("unit"),
    _text("unit_zh"),
    _text("unit_en"),
    _int("area"),
    _text("state"),
    Column("needs", JSON, nullable=False),
    Column("checklist", JSON, nullable=False),
    _int("made"),
    _text("made_by"),
    Column("due", INT),
    Column("arrived", INT),
    Column("ended", INT),
    _int("told"),
    _int("version"),
    Column("choices", JSON, nullable=False),
    Index("case_task_case", "case_id"),
    Index("case_task_unit", "unit", "state"),
    Index("case_task_due", "state", "due"),
)
"""What another party does within a case: a standby crew that makes it safe, a summoned department, a playbook's task, an order."""

playbook = Table(
    "playbook",
    ACT,
    Column("version", Text, primary_key=True),
    _text("key"),
    _text("name_zh"),
    _text("name_en"),
    _text("body"),
    _text("source"),
    _int("deployed"),
    _text("deployed_by"),
    Index("playbook_key", "key", "deployed"),
)

playbook_run = Table(
    "playbook_run",
    ACT,
    Column("case_id", Text, primary_key=True),
    _text("version"),
    _text("state"),
    Column("due", INT),
    _int("begun"),
    Column("ended", INT),
    Index("playbook_run_due", "due", sqlite_where=text("due IS NOT NULL"), postgresql_where=text("due IS NOT NULL")),
)
