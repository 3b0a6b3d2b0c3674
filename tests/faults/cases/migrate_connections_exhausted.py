"""Somebody ends the application's connections and holds every one that the database gives, for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bed import APP
from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab

HOLD_S = 35
HOLDER = """
import os, time, psycopg
url, held = os.environ["DATABASE_URL"], []
others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr IS NOT NULL AND application_name <> 'lab'"
for _ in range(6):
    while True:
        try:
            held.append(psycopg.connect(url, autocommit=True, application_name="lab"))
        except psycopg.OperationalError:
            break
    held[0].execute(others)
time.sleep(HOLD_S)
""".replace("HOLD_S", str(HOLD_S))


def inject(lab: Lab) -> None:
    lab.background(f"docker exec -i {APP} python -", HOLDER, ends=True)
    deadline = time.monotonic() + 20
    while lab.https("/ready") == 200 and time.monotonic() < deadline:
        time.sleep(0.5)


CASE = Case(
    id="migrate-connections-exhausted",
    title=f"all connections of the database are taken for {HOLD_S} s",
    rows=("F85",),
    strikes="run time",
    expected="healed",
    inject=inject,
    broken=lambda lab: "" if lab.https("/ready") == 200 else "the application is not ready",
    causes=("DATABASE_FULL_OF_CONNECTIONS",),
    watched=True,
)
