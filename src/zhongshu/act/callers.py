"""Who telephones: known everywhere by a random name, the same for every call from one number; the number itself stands in one table, and is read to call back alone."""

import re
from secrets import token_hex

from sqlalchemy import Connection, bindparam, insert, select

from zhongshu.act.deed import Deed
from zhongshu.act.tables import caller

PHONE = "tel:"
"""Before the name of a reporter who telephoned; before a number where one comes in."""
SHORT = 7
"""No number of so few figures is shown in part: the rest would say too much."""
_NUMBER = re.compile(rf"{PHONE}(\+?[0-9]{{1,20}})")
_NAME = select(caller.c.id).where(caller.c.number == bindparam("number"))
_WHOLE = select(caller.c.number).where(caller.c.id == bindparam("id"))


def veiled(deed: Deed, reporter: str) -> str:
    """Return what a reporter is known by; who comes with a telephone number gets a name for it, whatever else is as it is."""
    found = _NUMBER.fullmatch(reporter)
    if found is None:
        return reporter
    name = deed.connection.execute(_NAME, {"number": found[1]}).scalar_one_or_none()
    if name is None:
        name = token_hex(16)
        deed.connection.execute(insert(caller), {"id": name, "number": found[1]})
    return f"{PHONE}{name}"


def whole(connection: Connection, reporter: str) -> str:
    """Return the telephone number of a reporter, '' if they came by none."""
    if not reporter.startswith(PHONE):
        return ""
    return connection.execute(_WHOLE, {"id": reporter.removeprefix(PHONE)}).scalar_one_or_none() or ""


def part(connection: Connection, reporter: str) -> str:
    """Return what of the number may be seen by all at the desk."""
    number = whole(connection, reporter)
    return f"{number[:3]}****{number[-2:]}" if len(number) > SHORT else "****" if number else ""
