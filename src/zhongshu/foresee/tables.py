"""The desk's tables of looking ahead; the numbered migrations make them. Times are integer µs of UTC. Knows no rule."""

from sqlalchemy import JSON, BigInteger, Column, MetaData, Table, Text

metadata = MetaData()


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False, default="") for name in names]


scenario = Table(
    "scenario",
    metadata,
    Column("id", Text, primary_key=True),
    *_texts("question", "name", "case_id"),
    Column("body", JSON, nullable=False),
    Column("wishes", JSON, nullable=False),
    Column("made", BigInteger, nullable=False),
    *_texts("made_by", "run_id", "reason"),
    Column("decided", BigInteger),
    *_texts("decided_by"),
)
"""An option: `body` as it runs, `wishes` as people made it; options of one `question` are compared. The one that was chosen has the run it was chosen by and the reason."""

scenario_run = Table(
    "scenario_run",
    metadata,
    Column("id", Text, primary_key=True),
    *_texts("scenario", "state"),
    Column("asked", BigInteger, nullable=False),
    *_texts("asked_by"),
    Column("seed", BigInteger, nullable=False),
    Column("known", BigInteger),
    Column("until", BigInteger),
    Column("ended", BigInteger),
    Column("engines", JSON, nullable=False),
    Column("told", JSON, nullable=False),
)
"""One execution: `known`: the city's time it started from, `until`: up to when it foresees; `told`: what it came to, or the Problem that ended it."""
