"""Copies a gradebook into another, empty database: from SQLite to PostgreSQL, or back.

python tools/move_gradebook.py sqlite:///course/gradebook.db postgresql://grader:PASSWORD@host/sft2rl
"""

import sys

from nbgrader.api import Base
from sqlalchemy import MetaData, Table, create_engine, insert, inspect, select


def move(old: str, new: str) -> int:
    """Copy everything between two database URLs, or nothing; returns the number of rows.

    Raises:
        SystemExit: the new database is in use.
    """
    source, target = create_engine(old), create_engine(new)
    if inspect(target).get_table_names():
        raise SystemExit("The new database is not empty.")
    version = Table("alembic_version", MetaData(), autoload_with=source)
    count = 0
    with source.connect() as reading, target.begin() as writing:
        for table in (*Base.metadata.sorted_tables, version):
            table.create(writing)
            if rows := [dict(row) for row in reading.execute(select(table)).mappings()]:
                writing.execute(insert(table), rows)
            count += len(rows)
    source.dispose()
    target.dispose()
    return count


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    print(move(*sys.argv[1:]), "rows copied")
