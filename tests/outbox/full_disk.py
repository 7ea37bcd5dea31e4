"""A database whose disk has no room from a certain statement on, as SQLite says it."""

import sqlite3


class FullDisk:
    """Stands before a connection, and lets `healthy` statements through; a rollback always."""

    def __init__(self, db: sqlite3.Connection, healthy: int) -> None:
        self._db = db
        self._healthy = healthy

    def __getattr__(self, name):
        return getattr(self._db, name)

    def execute(self, sql, *values):
        self._use(sql)
        return self._db.execute(sql, *values)

    def executemany(self, sql, values):
        self._use(sql)
        return self._db.executemany(sql, values)

    def _use(self, sql):
        if sql == "ROLLBACK":
            return
        if self._healthy == 0:
            raise sqlite3.OperationalError("database or disk is full")
        self._healthy -= 1
