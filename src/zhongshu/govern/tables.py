"""The desk's tables of government: parties, their roles and secrets, sessions, tokens and the ledger. Times are µs of UTC by the wall's clock.

They are made by engines/migrations/0002_govern.sql; these are the same rows in SQLAlchemy Core's words. It knows no rule.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)

metadata = MetaData()

party = Table(
    "party",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False, unique=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("active", SmallInteger, nullable=False),
    Column("demo", SmallInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
)

role_grant = Table(
    "role_grant",
    metadata,
    Column("party", Text, ForeignKey("party.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("area", BigInteger, nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_to", BigInteger),
    PrimaryKeyConstraint("party", "role", "area", "valid_from"),
)

secret = Table(
    "secret",
    metadata,
    Column("party", Text, ForeignKey("party.id"), primary_key=True),
    Column("hash", Text, nullable=False),
    Column("changed", BigInteger, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("party", Text, ForeignKey("party.id"), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Index("session_by_party", "party"),
    Index("session_by_expiry", "expires"),
)

token = Table(
    "token",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("party", Text, ForeignKey("party.id"), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("revoked", BigInteger),
    Index("token_by_party", "party"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("prev", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
