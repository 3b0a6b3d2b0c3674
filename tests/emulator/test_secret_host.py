"""Secrets on a droplet that boots: rotation next to a real PostgreSQL, and values that arrive byte for byte.

`GREENROOM_HOSTILE_VALUES` sets how many random values go through real containers: 300 by default, 5000 in full.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import random
import shutil
import string
import subprocess
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from hostlab import DIRECTORY, PROVIDERS, Lab, Wish, booted_lab

from infra.commands import acts
from infra.commands.environment import render_environment
from infra.errors import StepError
from infra.host.resource import endpoint_of
from infra.transport.pool import link
from infra.transport.worker import worker

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.docker,
    pytest.mark.droplet,
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("secretlab"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="no Docker engine on this machine"),
]

HOSTILE = int(os.environ.get("GREENROOM_HOSTILE_VALUES", "300"))
BATCH = 250
ROLE = {"secret": "DB_PASSWORD", "service": "db", "role": "keeper", "name": "books", "superuser": ""}
COMPOSE = """
x-app: &app {image: "hello-app:${IMAGE_TAG:?is not set}", build: ., init: true, restart: always}
services:
  cache: {image: "redis:7-alpine", init: true, restart: always}
  db:
    image: postgres:15-alpine
    restart: always
    environment: {POSTGRES_USER: keeper, POSTGRES_DB: books, POSTGRES_PASSWORD: "${DB_PASSWORD:?is not set}"}
    command: [postgres, -c, log_statement=all, -c, log_min_duration_statement=0]
    volumes: ["books:/var/lib/postgresql/data"]
    healthcheck:
      test: [CMD, pg_isready, -q, -h, 127.0.0.1, -U, keeper, -d, books]
      interval: 10s
      start_period: 60s
      start_interval: 300ms
  app:
    <<: *app
    environment: {DATABASE_URL: "${DATABASE_URL:?is not set}"}
    depends_on: {db: {condition: service_healthy}}
    ports: ["127.0.0.1:8002:8000"]
    volumes: [{type: bind, source: ./state, target: /state, bind: {create_host_path: false}}]
    healthcheck: {test: [CMD, python, /app/app.py, probe], interval: 10s, start_period: 30s, start_interval: 300ms}
  mailer:
    <<: *app
    environment: {MAIL_KEY: "${MAIL_KEY:?is not set}"}
    healthcheck: {test: [CMD, python, /app/app.py, probe], interval: 10s, start_period: 30s, start_interval: 300ms}
volumes:
  books: {}
"""
TEMPLATE = """# what the workload reads
DB_PASSWORD=<CHANGE_ME>
DATABASE_URL=
MAIL_KEY=<CHANGE_ME>
IMAGE_TAG=x
"""


class SecretsLab(Lab):
    """A lab whose workload has a database of its own and lists its variables."""

    def _inputs(self, reach: dict[str, Any], wish: Wish) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, inputs in super()._inputs(reach, wish):
            if "workload" in inputs:
                inputs["workload"] |= {"secrets": ["DB_PASSWORD", "MAIL_KEY"], "databases": [ROLE]}
            if name == "env file":
                inputs |= {"template": f"{DIRECTORY}/.env.template", "elsewhere": ["IMAGE_TAG"], "commit": wish.commit}
            yield name, inputs

    @property
    def containers(self) -> dict[str, str]:
        return {name: self.container(name) for name in ("cache", "db", "app", "mailer")}

    def query(self, password: str, sql: str) -> str:
        """Ask the database over the network, as a client that has to know the password."""
        self.shell(f"umask 077; cat >/root/.query <<'E'\nPGPASSWORD={password}\nE")
        argv = f'psql -h db -U keeper -d books -Atc "{sql}"'
        run = f"docker run --rm --network hello_default --env-file /root/.query postgres:15-alpine {argv} 2>&1 || true"
        return self.shell(f"{run}; rm /root/.query").strip()


def wish_of(commit: str, password: str, mail: str = "mail-key-canary-1") -> Wish:
    url = "postgresql://keeper:{{ DB_PASSWORD }}@db:5432/books"
    return Wish(commit, {"DB_PASSWORD": password, "MAIL_KEY": mail}, {"DATABASE_URL": url})


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SecretsLab, str]]:
    with booted_lab(tmp_path_factory.mktemp("secretlab"), SecretsLab) as lab:
        assert isinstance(lab, SecretsLab)
        commit = lab.commit(**{"docker-compose_yml": COMPOSE, "_env_template": TEMPLATE})
        lab.run(wish_of(commit, "first-password-canary"))
        lab.query("first-password-canary", "CREATE TABLE page (text TEXT); INSERT INTO page VALUES ('kept')")
        yield lab, commit


@pytest.fixture
def lab(booted: tuple[SecretsLab, str]) -> SecretsLab:
    booted[0].run(wish_of(booted[1], "first-password-canary"))
    return booted[0]


@pytest.fixture
def commit(booted: tuple[SecretsLab, str]) -> str:
    return booted[1]


def changed_services(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_a_rotated_database_password_leaves_the_data_readable_and_the_old_value_dead(
    lab: SecretsLab, commit: str
) -> None:
    before = lab.containers
    operations = lab.run(wish_of(commit, "second-password-canary"))

    assert lab.query("second-password-canary", "SELECT text FROM page") == "kept"
    assert "password authentication failed" in lab.query("first-password-canary", "SELECT text FROM page")
    assert changed_services(before, lab.containers) == {"db", "app"}
    assert operations["baseline"] == "same"
    assert lab.environment()["DATABASE_URL"] == "postgresql://keeper:second-password-canary@db:5432/books"
    assert lab.refresh() == {}
    assert set(lab.run(wish_of(commit, "second-password-canary")).values()) == {"same"}


def test_a_rotated_key_restarts_its_reader_alone(lab: SecretsLab, commit: str) -> None:
    before = lab.containers
    lab.run(wish_of(commit, "first-password-canary", "mail-key-canary-2"))

    assert changed_services(before, lab.containers) == {"mailer"}


def test_the_state_tells_who_reads_each_secret_and_no_value(lab: SecretsLab) -> None:
    assert lab.state["stack"]["readers"] == {"DB_PASSWORD": ["app", "db"], "MAIL_KEY": ["mailer"]}
    assert "canary" not in json.dumps({name: lab.state[name] for name in ("stack", "migrations", "images")})


@pytest.mark.parametrize("cut_after", ["the env file", "the role"])
def test_a_run_cut_off_while_rotating_is_mended_by_the_next(lab: SecretsLab, commit: str, cut_after: str) -> None:
    wish = wish_of(commit, f"after-{cut_after.replace(' ', '-')}-canary")
    reach = {**lab.first, "host_key": lab.state["pinned host"]["host_key"]}
    inputs = dict(lab._inputs(reach, wish))["env file"]
    lab.state["env file"] = PROVIDERS["env file"].update("", lab.state["env file"], inputs).outs or {}
    if cut_after == "the role":
        act = acts.database_password("", project="hello", env_file=f"{DIRECTORY}/.env.staging", role=ROLE)
        far = worker(link(endpoint_of(reach), patience_s=0))
        far.call(subject="cut", phase="secrets", probes={}, acts=[act.wire])

    operations = lab.run(wish)
    assert (operations["env file"], operations["stack"]) == ("same", "update")
    assert lab.query(wish.secrets["DB_PASSWORD"], "SELECT text FROM page") == "kept"
    assert wish.secrets["DB_PASSWORD"] in lab.environment()["DATABASE_URL"]
    assert lab.refresh() == {}


def test_a_password_changed_by_hand_is_named_and_mended(lab: SecretsLab, commit: str) -> None:
    before = lab.containers
    lab.shell(f"docker exec {lab.container('db')} psql -U keeper books -c \"ALTER ROLE keeper PASSWORD 'by-hand'\"")

    assert lab.refresh() == {"stack": ["keeper in db has another password than DB_PASSWORD"]}
    lab.run(wish_of(commit, "first-password-canary"))
    assert lab.query("first-password-canary", "SELECT text FROM page") == "kept"
    assert lab.containers == before


def test_a_volume_that_outlived_its_password_opens_to_the_new_one(lab: SecretsLab, commit: str) -> None:
    lab.shell(f"docker rm -f {lab.container('db')} {lab.container('app')}")
    lab.refresh()
    lab.run(wish_of(commit, "of-a-new-state-canary"))

    assert lab.query("of-a-new-state-canary", "SELECT text FROM page") == "kept"


def test_the_server_never_logs_a_password_that_was_rotated(lab: SecretsLab, commit: str) -> None:
    lab.run(wish_of(commit, "never-in-a-log-canary"))
    log = lab.shell(f"docker logs {lab.container('db')} 2>&1")

    assert "SELECT coalesce(rolpassword" in log, "statements are logged here"
    assert "canary" not in log
    assert "SCRAM-SHA-256$" not in log


def test_a_variable_that_nobody_provides_ends_the_run_before_the_stack_is_touched(
    lab: SecretsLab, commit: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = lab.containers
    listed = TEMPLATE + "\n# new\nexport SENTRY_DSN=\nSMTP_HOST: x\n"
    newer = lab.commit(**{"docker-compose_yml": COMPOSE, "_env_template": listed})
    with pytest.raises(StepError) as raised:
        lab.run(wish_of(newer, "first-password-canary"))
    assert (raised.value.code, raised.value.phase) == ("ENV_INCOMPLETE", "secrets")
    assert raised.value.evidence.splitlines() == [
        f"{DIRECTORY}/.env.template:8: SENTRY_DSN: nobody provides it",
        f"{DIRECTORY}/.env.template:9: SMTP_HOST: nobody provides it",
    ]
    assert lab.containers == before

    wish = wish_of(newer, "first-password-canary")
    lab.run(dataclasses.replace(wish, values={**wish.values, "SENTRY_DSN": "", "SMTP_HOST": "x", "STRAY": "y"}))
    assert "warning: the repository's list knows nothing of STRAY" in capfd.readouterr().err
    lab.run(wish_of(commit, "first-password-canary"))


def hostile_values(count: int) -> list[str]:
    """Values of every nasty kind, the same in every run."""
    chance = random.Random(11)  # noqa: S311 (repeatable, not secret)
    pools = [
        string.printable.replace("\0", ""),
        "\"'\\$`#={}%!&|;<>()[]*?~^ \t\n\r",
        "".join(chr(code) for code in range(0xA0, 0x250)) + "كلمةעברית€😀👩‍👧\u202e\u200f\u2028\ufeff",
        "".join(chr(code) for code in range(1, 0x80)),
        "$" + string.ascii_letters + "{}:-",
    ]
    fixed = ["", " ", "\n", "\t lead", "trail \n", "$HOME", "${HOME:-x}", "$$", "#", "a #b", '"', "'", "\\", "\\n", "="]
    fixed += ["export A=b", "A=b\nC=d", "'quoted'", '"quoted"', "-----BEGIN KEY-----\nMII=\n-----END KEY-----\n"]
    fixed += ["😀" * 16_384, "".join(chance.choices(pools[1], k=65_536)), "{{ 7 }}", "%41", "\x1b[31m", "\u202eabc"]
    made = ["".join(chance.choices(chance.choice(pools), k=chance.randint(1, 120))) for _ in range(count - len(fixed))]
    return fixed + made


def test_hostile_values_reach_real_containers_byte_for_byte(lab: SecretsLab) -> None:
    values = hostile_values(HOSTILE)
    wrong: list[str] = []
    for start in range(0, len(values), BATCH):
        named = {f"V{start + number}": value for number, value in enumerate(values[start : start + BATCH])}
        arrived, interpolated, model = through_compose(lab, named)
        wrong += [name for name, value in named.items() if arrived.get(name) != value.encode()]
        wrong += [f"{name} in braces" for name, value in named.items() if interpolated.get(name) != value.encode()]
        wrong += [f"{name} in the model" for name, value in named.items() if model.get(name) != value]
    assert (len(values), wrong) == (HOSTILE, [])


def through_compose(lab: SecretsLab, named: dict[str, str]) -> tuple[dict[str, bytes], dict[str, bytes], Any]:
    """Give values to containers as `env_file` and as `${NAME}`; return what each got, and what compose had parsed."""
    show = "import os,json,base64;print(json.dumps({k.decode(): base64.b64encode(v).decode() for k,v in os.environb.items()}))"
    command = {"image": "python:3.11-slim", "network_mode": "none", "command": ["python", "-c", show]}
    services = {
        "whole": {**command, "env_file": [".env"]},
        "braces": {**command, "environment": {name: f"${{{name}}}" for name in named}},
    }
    files = {".env": render_environment({}, named), "compose.yml": json.dumps({"services": services})}
    compose = "docker compose -p hostile --env-file .env -f compose.yml"
    writing = "\n".join(
        f"base64 -d >{name} <<'E'\n{textwrap.fill(base64.b64encode(text.encode()).decode(), 4000)}\nE"
        for name, text in files.items()
    )
    script = (
        f"rm -rf /root/hostile; mkdir -m 700 /root/hostile; cd /root/hostile\n{writing}\n{compose} config --format json"
    )
    script += "".join(f"\n{compose} run --rm -T {service} </dev/null" for service in services)
    name = lab.machines.names.droplet(lab.spec.droplet_id)
    done = subprocess.run(
        ["docker", "exec", "-i", name, "bash", "-es"], input=script.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    *model, whole, braces = done.stdout.decode().strip().split("\n")
    parsed = json.loads("\n".join(model))["services"]["whole"]["environment"]
    read = [{key: base64.b64decode(value) for key, value in json.loads(each).items()} for each in (whole, braces)]
    return read[0], read[1], {key: value.replace("$$", "$") for key, value in parsed.items()}
