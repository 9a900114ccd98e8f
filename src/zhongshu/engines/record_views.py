"""What `versions` and `readings` mean, said once, in DuckDB's dialect, for every engine that answers from the warehouse's files and the tail beyond.

It knows the columns and what a key is; it knows no engine and no catalogue.
"""

from zhongshu.kernel.reading import SCHEMA

KEY_NAMES = ("source", "entity", "property", "valid")
KEY = ", ".join(KEY_NAMES)
REPLAYED = "least(known, valid)"
"""In a replay, history counts as known when it was valid."""
_OWN = ", ".join(f'"{f.name}"' for f in SCHEMA if f.name != "known")


def versions(lake: str, known: int | None, *, replay: bool) -> str:
    """Return what `versions` is: everything the table `lake` and the table `tail` hold, known at or before `known` (µs; None: now); `written` is the stamp itself."""
    stamp = REPLAYED if replay else "known"
    limit = "" if known is None else f" WHERE {stamp} <= {known:d}"
    columns = f"{_OWN}, {stamp} AS known, known AS written" if replay else f"{_OWN}, known, known AS written"
    return f"SELECT {columns} FROM {lake}{limit} UNION ALL SELECT {columns} FROM tail{limit}"


def readings(*, revised: bool) -> str:
    """Return what `readings` is: of `versions` each key once, the latest known wins.

    The keys that were revised are lent as a table `revised`, so that a query's own limits still reach the files; without one every key stands there once.
    """
    once = f"SELECT {_OWN}, known FROM versions"
    if not revised:
        return once
    return f'{once} ANTI JOIN revised USING ({KEY}) UNION ALL {once} SEMI JOIN revised USING ({KEY}) QUALIFY row_number() OVER (PARTITION BY {KEY} ORDER BY "offset" DESC, written DESC) = 1'
