"""Somebody holds every connection that the database gives, for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bed import APP
from faultcase import Case

if TYPE_CHECKING:
    from bed import Lab

HOLD_S = 25
HOLDER = f"""
import os, time, psycopg
url = os.environ["DATABASE_URL"]
held = []
for _ in range(200):
    try:
        held.append(psycopg.connect(url))
    except psycopg.OperationalError:
        break
time.sleep({HOLD_S})
"""


def inject(lab: Lab) -> None:
    lab.background(f"docker exec -i {APP} python -c '{HOLDER}'")


CASE = Case(
    id="migrate-connections-exhausted",
    title=f"all connections of the database are taken for {HOLD_S} s",
    rows=("F85",),
    strikes="run time",
    expected="healed",
    inject=inject,
    broken=lambda lab: "" if lab.https("/ready") == 200 else "the application is not ready",
    causes=("DATABASE_FULL_OF_CONNECTIONS",),
    shows_within_s=20,
    watched=True,
)
