"""The images that droplets pull keep the contract of the official ones, stand-ins or not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import docker
import pytest

from localcloud.machines import MachineError, images
from localcloud.machines.engine import ensure_docker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import DockerClient
    from docker.models.containers import Container

pytestmark = [pytest.mark.docker, pytest.mark.droplet]

READY_S = 60
POSTGRES, REDIS = images.SERVED["postgres:15-alpine"], images.SERVED["redis:7-alpine"]
PYTHON, NODE = images.SERVED["python:3.11-slim"], images.SERVED["node:20-alpine"]


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerClient]:
    try:
        ensure_docker(print)
        absent = images.missing()
    except MachineError as error:
        pytest.skip(f"needs a Docker engine: {error}")
    if absent:
        pytest.skip(f"needs the local cloud's images: {', '.join(image.reference for image in absent)}")
    client = docker.from_env()
    yield client
    client.close()


class Box:
    """Containers of one test, removed at its end."""

    def __init__(self, engine: DockerClient) -> None:
        self.engine = engine
        self.made: list[Container] = []

    def start(self, image: str, *command: str, **options: object) -> Container:
        container = self.engine.containers.run(image, list(command) or None, detach=True, **options)  # type: ignore[call-overload]
        self.made.append(container)
        return container

    def once(self, image: str, *command: str, **options: object) -> tuple[int, str]:
        container = self.start(image, *command, **options)
        status = container.wait()["StatusCode"]
        return status, container.logs().decode()


@pytest.fixture
def box(engine: DockerClient) -> Iterator[Box]:
    box = Box(engine)
    yield box
    for container in box.made:
        container.remove(force=True, v=True)


def sql(container: Container, statement: str, *, user: str = "shop", database: str = "orders") -> str:
    """Ask over TCP with the password, as an application does."""
    deadline = time.monotonic() + READY_S
    url = f"postgresql://{user}:s3cret-pass@127.0.0.1:5432/{database}"
    while True:
        done = container.exec_run(["psql", "-XAtc", statement, url])
        if done.exit_code == 0:
            return done.output.decode().strip()
        if time.monotonic() > deadline:
            raise AssertionError(done.output.decode() + container.logs().decode())
        time.sleep(0.2)


ENVIRONMENT = {"POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "s3cret-pass", "POSTGRES_DB": "orders"}


def test_postgres_makes_user_and_database_at_its_first_start_only(box: Box, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    mount = [f"{data}:/var/lib/postgresql/data"]
    first = box.start(POSTGRES, environment=ENVIRONMENT, volumes=mount)
    assert sql(first, "create table kept as select 42 as n; select n from kept").splitlines()[-1] == "42"
    assert data.stat().st_uid == 70
    first.stop()
    assert first.wait()["StatusCode"] == 0
    again = box.start(POSTGRES, environment=ENVIRONMENT | {"POSTGRES_PASSWORD": "another"}, volumes=mount)
    assert sql(again, "select n from kept") == "42"
    assert b"init process complete" not in again.logs()


def test_postgres_without_a_password_does_not_start(box: Box) -> None:
    status, said = box.once(POSTGRES)
    assert status == 1
    assert "POSTGRES_PASSWORD" in said


def test_postgres_takes_files_options_and_scripts(box: Box, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret-pass")
    (tmp_path / "10-schema.sql").write_text("create table seeded (n int);\n")
    (tmp_path / "20-rows.sh").write_text(
        'psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "insert into seeded values (7)"\n'
    )
    container = box.start(
        POSTGRES,
        "-c",
        "max_connections=33",
        environment={"POSTGRES_USER": "shop", "POSTGRES_PASSWORD_FILE": "/password", "POSTGRES_DB": "orders"},
        volumes=[
            f"{tmp_path / 'password'}:/password:ro",
            f"{tmp_path / '10-schema.sql'}:/docker-entrypoint-initdb.d/10-schema.sql:ro",
            f"{tmp_path / '20-rows.sh'}:/docker-entrypoint-initdb.d/20-rows.sh:ro",
        ],
    )
    assert sql(container, "select n from seeded") == "7"
    assert sql(container, "show max_connections") == "33"
    assert container.exec_run(["pg_isready", "-U", "shop", "-d", "orders"]).exit_code == 0
    assert container.exec_run(["stat", "-c", "%u", "/proc/1"]).output.strip() == b"70"


def test_redis_runs_as_its_own_user_and_keeps_its_data(box: Box) -> None:
    container = box.start(REDIS, "redis-server", "--appendonly", "yes")
    other = box.start(REDIS, "sleep", "60")
    container.reload()
    address = container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    deadline = time.monotonic() + READY_S
    while other.exec_run(["redis-cli", "-h", address, "set", "key", "value"]).output.strip() != b"OK":
        assert time.monotonic() < deadline, container.logs().decode()
        time.sleep(0.1)
    assert container.exec_run(["stat", "-c", "%u", "/proc/1"]).output.strip() == b"999"
    container.restart()
    time.sleep(0.5)
    assert container.exec_run(["redis-cli", "get", "key"]).output.strip() == b"value"
    assert container.exec_run(["redis-cli", "ping"]).output.strip() == b"PONG"


def test_python_and_pip_live_under_usr_local(box: Box) -> None:
    program = (
        "import sys, sysconfig, ssl, sqlite3, zoneinfo; print(sys.version_info[:2], sysconfig.get_path('purelib'))"
    )
    status, said = box.once(PYTHON, "python", "-c", program)
    assert (status, said.strip()) == (0, "(3, 11) /usr/local/lib/python3.11/site-packages")
    status, said = box.once(
        PYTHON, "sh", "-c", "for name in python python3 pip; do command -v $name; done; pip --version"
    )
    assert said.splitlines()[:3] == [f"/usr/local/bin/{name}" for name in ("python", "python3", "pip")]
    assert "/usr/local/lib/python3.11/site-packages" in said


def test_packages_install_in_a_build_from_their_registries(engine: DockerClient, tmp_path: Path) -> None:
    """pip and npm in an image build: TLS to this machine's registries, user installs, and a lock file of version 3."""
    (tmp_path / "package.json").write_text('{"name": "page", "version": "1.0.0", "dependencies": {"ms": "2.1.3"}}')
    (tmp_path / "Dockerfile").write_text(
        f"FROM {PYTHON} AS python\n"
        "RUN pip install --no-cache-dir --user six==1.17.0 && pip install --prefix=/install idna==3.10"
        " && test -d /install/lib/python3.11/site-packages/idna && python -m venv /venv && /venv/bin/pip --version"
        " && cp -r ~/.local /user\n"
        f"FROM {NODE}\n"
        "WORKDIR /page\nCOPY package.json .\n"
        "RUN npm install --package-lock-only && grep -q '\"lockfileVersion\": 3' package-lock.json && npm ci\n"
        "COPY --from=python /user /home/node/.local\n"
        "USER node\nCMD [\"-e\", \"console.log(require('ms')('1 day'))\"]\n"
    )
    image, _ = engine.images.build(path=str(tmp_path), rm=True, forcerm=True, nocache=True)
    try:
        assert engine.containers.run(image.id, remove=True).strip() == b"86400000"
    finally:
        engine.images.remove(image.id, force=True)


def test_node_is_its_entry_point_and_alpine_tools_are_there(box: Box) -> None:
    assert box.once(NODE, "--version")[1].startswith("v20.")
    status, said = box.once(
        NODE, "sh", "-c", "id -u node; wget --help 2>&1 | head -1; npx --version; addgroup --system --gid 1001 app"
    )
    assert status == 0, said
    assert said.splitlines()[0] == "1000"
