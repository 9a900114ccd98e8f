"""The migration and the tables in SQLAlchemy's words say the same."""

from typing import Any

from sqlalchemy import inspect

from zhongshu.govern.tables import metadata


def test_the_migration_makes_what_the_tables_say(desk: Any) -> None:
    found = inspect(desk.engine)
    assert set(metadata.tables) <= set(found.get_table_names())
    for name, table in metadata.tables.items():
        columns = {column["name"]: column for column in found.get_columns(name)}
        assert list(columns) == [column.name for column in table.columns]
        for column in table.columns:
            assert bool(columns[column.name]["nullable"]) == bool(column.nullable), (name, column.name)
            assert column.type.python_type is columns[column.name]["type"].python_type, (name, column.name)
        assert found.get_pk_constraint(name)["constrained_columns"] == [column.name for column in table.primary_key]
        assert {index["name"] for index in found.get_indexes(name)} >= {index.name for index in table.indexes}
