"""Whatever a person waits for goes through an index, however long the history is."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from realbot import database
from realbot.jobs import Generate, Origin, User
from realbot.rows import Circle
from realbot.store import Store

ANN = User("discord", "7", "Ann")
HERE = Origin("discord", "10", server="1")
NOW = 1_000_000_000.0
TABLES = ("jobs", "charges", "pictures", "actions", "inbox", "forgiven", "people")


async def test_Q18_submit_status_and_list_never_look_at_every_row(tmp_path: Path):
    said: list[str] = []
    async with Store.open(tmp_path / "data", lambda: NOW) as store:
        connection: Any = store._writer._db
        await connection._execute(lambda: connection._conn.set_trace_callback(said.append))
        request = Generate(prompt="a red apple", seed=7)
        row = await store.put(
            "one", ANN, request, "asked", HERE, "update 1", NOW, lambda usage: None, Circle(), seconds=3.0
        )
        await store.usage(ANN, NOW, HERE.server_key)
        assert (await store.row("one", ANN)) == row
        await store.start("one", 1)
        await store.requeue("one")
        await store.waiting()
        await store.pending("discord")
        await store.recall("key", ANN, Circle("server", "discord:1"))
        await store.recall_asked(ANN, "asked")
        await store.produce("one", [], 3.0, {}, "print", "key")
        await store.deliver("one")
        await store.delivered("one")
        await store.history(ANN)
        await store.history(ANN, before=5, favourites=True)
        await store.history(ANN, search="red apple")
        await store.forgive(ANN, "discord:1", NOW)
        await store.forgive(ANN, "", NOW)
        await store.cancel("one")
        await connection._execute(lambda: connection._conn.set_trace_callback(None))
    statements = {" ".join(one.split()) for one in said if re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT|WITH)", one)}
    assert len(statements) > 15
    with closing(sqlite3.connect(tmp_path / "data" / database.NAME)) as db:
        whole = {
            (step[3], statement[:120])
            for statement in statements
            for step in db.execute(f"EXPLAIN QUERY PLAN {statement}")
            if re.match(rf"SCAN ({'|'.join(TABLES)})\b(?!.*USING)", step[3])
        }
    assert not whole
