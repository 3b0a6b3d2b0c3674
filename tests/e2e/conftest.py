"""One deployment for the whole main job: the tests of `test_main_job.py` are its chapters and run in their order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A clean desk on a machine that can boot droplets; whatever happens, nothing of it is left behind."""
    if os.geteuid() != 0 and not os.access("/var/run/docker.sock", os.W_OK):
        pytest.skip("no Docker engine answers, and only root can start one")
    desk = Desk(tmp_path_factory.mktemp("desk"))
    yield desk
    if (desk.directory / ".venv").exists():
        desk.run("./scripts/down")
