"""Where a schema stands, asked of a real PostgreSQL in a container: its table confirms, the command tells the rest."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from infra.transport.remote.database import database_passwords_fact
from infra.transport.remote.engine import Engine
from infra.transport.remote.postgres import Unanswered, literal, query
from infra.transport.remote.schema import schema_fact
from localcloud.machines import MachineError, images
from localcloud.machines.engine import ensure_docker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.geteuid() != 0, reason="the sockets of containers are root's to reach"),
]

PROJECT = f"schema{os.getpid()}"
IMAGE = "greenroom/postgres:15-alpine"
SAYS = ["echo", "told by the command"]


def docker(*argv: str, check: bool = True) -> str:
    return subprocess.run(["docker", *argv], check=check, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True)
class Workload:
    """A database that keeps a revision, and an application of some image and configuration."""

    app: str
    database: str

    def sql(self, statement: str) -> str:
        return docker("exec", self.database, "psql", "-XAtq", "-U", "owner", "-d", "erp", "-c", statement)

    def await_database(self) -> None:
        """Wait for TCP: while it initialises an empty directory the server listens on its socket alone."""
        ready = ["docker", "exec", self.database, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "owner", "-d", "erp"]
        deadline = time.monotonic() + 60
        while subprocess.run(ready, check=False).returncode and time.monotonic() < deadline:
            time.sleep(0.2)

    @property
    def pid(self) -> int:
        return int(Engine().inspect(self.database)["State"]["Pid"])

    def look(self, **change: Any) -> dict[str, Any]:
        recorded = {"image": Engine().inspect(self.app)["Image"], "config": "c1", "revision": "0002"}
        version = {"service": "db", "role": "owner", "name": "erp", "table": "alembic_version"}
        probe = {"project": PROJECT, "service": "app", "options": [], "argv": SAYS, "redact": {"path": "", "names": []}}
        return schema_fact({**probe, "version": {**version, **change}, "recorded": {**recorded, **change}})


@pytest.fixture(scope="module")
def started() -> Iterator[Workload]:
    try:
        ensure_docker(print)
        absent = {image.reference for image in images.missing()}
    except MachineError as error:
        pytest.skip(f"needs a Docker engine: {error}")
    if IMAGE in absent:
        pytest.skip(f"needs the local cloud's image {IMAGE}")
    label = [f"--label=com.docker.compose.project={PROJECT}", "--label=com.docker.compose.oneoff=False"]
    values = ("POSTGRES_PASSWORD=a-password-of-the-test", "POSTGRES_USER=owner", "POSTGRES_DB=erp")
    environment = [f"--env={value}" for value in values]
    service = "--label=com.docker.compose.service"
    database = docker("run", "-d", *label, f"{service}=db", *environment, IMAGE)
    app = docker("run", "-d", *label, f"{service}=app", "--label=greenroom.config=c1", IMAGE, "sleep", "600")
    try:
        yield Workload(app, database)
    finally:
        docker("rm", "-f", "-v", app, database)


@pytest.fixture
def workload(started: Workload) -> Workload:
    docker("start", started.app, started.database)
    started.await_database()
    started.sql("CREATE TABLE IF NOT EXISTS alembic_version (version_num text); DELETE FROM alembic_version")
    started.sql("INSERT INTO alembic_version VALUES ('0002')")
    return started


def test_a_table_that_is_as_recorded_confirms_without_starting_anything(workload: Workload) -> None:
    assert workload.look() == {"as_recorded": True}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = '0001'",
        "DELETE FROM alembic_version",
        "INSERT INTO alembic_version VALUES ('0003')",
        "DROP TABLE alembic_version",
    ],
)
def test_whatever_was_changed_by_hand_is_told_by_the_command(workload: Workload, statement: str) -> None:
    workload.sql(statement)

    assert workload.look()["stdout"] == "told by the command\n"


@pytest.mark.parametrize("change", [{"config": "c2"}, {"image": "sha256:0"}, {"revision": "0003"}, {"role": "nobody"}])
def test_the_table_is_not_believed_where_the_container_or_the_record_is_another(
    workload: Workload, change: dict[str, str]
) -> None:
    assert workload.look(**change)["stdout"] == "told by the command\n"


def test_a_service_that_is_down_cannot_tell_whatever_the_table_says(workload: Workload) -> None:
    docker("stop", "-t", "0", workload.app)

    assert workload.look()["exit_status"] == -1


def test_a_database_that_is_down_leaves_the_answer_to_the_command(workload: Workload) -> None:
    docker("stop", "-t", "5", workload.database)

    assert workload.look()["stdout"] == "told by the command\n"


def test_several_heads_are_compared_as_a_set(workload: Workload) -> None:
    workload.sql("INSERT INTO alembic_version VALUES ('0001')")

    assert workload.look(revision="0001,0002") == {"as_recorded": True}


def test_rows_arrive_as_they_are(workload: Workload) -> None:
    rows = query(workload.pid, "owner", "erp", "SELECT 'ä''b', NULL, 7 UNION ALL SELECT '', 'x', 8 ORDER BY 3")

    assert rows == [["ä'b", "", "7"], ["", "x", "8"]]


@pytest.mark.parametrize(
    ("user", "database", "statement"),
    [("owner", "erp", "SELECT nonsense"), ("nobody", "erp", "SELECT 1"), ("owner", "none", "SELECT 1")],
)
def test_an_error_of_the_server_is_no_answer(workload: Workload, user: str, database: str, statement: str) -> None:
    with pytest.raises(Unanswered):
        query(workload.pid, user, database, statement)


def test_a_password_is_never_given(workload: Workload) -> None:
    rules = "/var/lib/postgresql/data/pg_hba.conf"
    before = docker("exec", workload.database, "cat", rules)
    try:
        docker("exec", workload.database, "sh", "-c", f"echo 'local all all scram-sha-256' >{rules}")
        docker("exec", "-u", "postgres", workload.database, "sh", "-c", "kill -HUP 1")
        time.sleep(0.5)
        with pytest.raises(Unanswered, match="password"):
            query(workload.pid, "owner", "erp", "SELECT 1")
    finally:
        restore = ["docker", "exec", "-i", workload.database, "sh", "-c", f"cat >{rules}"]
        subprocess.run(restore, input=f"{before}\n".encode(), check=True)
        docker("exec", "-u", "postgres", workload.database, "sh", "-c", "kill -HUP 1")
        time.sleep(0.5)


@pytest.mark.parametrize("target", ["/run/docker.sock", "/run/greenroom/any.sock"])
def test_a_link_in_a_container_leads_to_nothing_of_the_host(workload: Workload, target: str) -> None:
    place = "/var/run/postgresql"
    docker("exec", "-u", "0", workload.app, "sh", "-c", f"mkdir -p {place}; ln -sfn {target} {place}/.s.PGSQL.5432")

    with pytest.raises(Unanswered):
        query(int(Engine().inspect(workload.app)["State"]["Pid"]), "owner", "erp", "SELECT 1")


def test_a_directory_that_is_a_link_is_followed_inside_the_container_alone(workload: Workload) -> None:
    assert docker("exec", workload.database, "readlink", "/var/run") == "/run", "an absolute link, as in Debian"

    assert query(workload.pid, "owner", "erp", "SELECT 1") == [["1"]]


@pytest.mark.usefixtures("workload")
def test_the_password_of_a_role_is_compared_over_the_same_way(tmp_path: Path) -> None:
    role = {"secret": "PASSWORD", "service": "db", "role": "owner", "name": "erp", "superuser": ""}
    env = tmp_path / ".env"
    told: list[str] = []
    for value in ("a-password-of-the-test", "another-one"):
        env.write_text(f'PASSWORD="{value}"\n')
        told.append(database_passwords_fact({"env_file": str(env), "project": PROJECT, "roles": [role]})["PASSWORD"])

    assert told == ["matches", "differs"]


@pytest.mark.parametrize("text", ["a\\b", "a\0b"])
def test_a_name_that_could_mean_more_is_not_asked_for(text: str) -> None:
    with pytest.raises(ValueError, match="backslash"):
        literal(text)
