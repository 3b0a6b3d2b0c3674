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
from typing import TYPE_CHECKING

import pytest
from hostlab import DIRECTORY, PROVIDERS, booted_lab
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from secretlab import COMPOSE, ROLE, TEMPLATE, SecretsLab, wish_of

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
FIRST = "first-password-canary"
ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecretsLab]:
    with booted_lab(tmp_path_factory.mktemp("secretlab"), SecretsLab) as lab:
        assert isinstance(lab, SecretsLab)
        lab.given = wish_of(lab.commit(**{"docker-compose_yml": COMPOSE, "_env_template": TEMPLATE}), FIRST)
        lab.settle()
        lab.query(FIRST, "CREATE TABLE page (text TEXT); INSERT INTO page VALUES ('kept')")
        yield lab


def changed_services(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_a_rotated_database_password_leaves_the_data_readable_and_the_old_value_dead(lab: SecretsLab) -> None:
    old, before = lab.given.secrets["DB_PASSWORD"], lab.containers
    operations = lab.rotate(DB_PASSWORD="second-password-canary")

    assert lab.query("second-password-canary", "SELECT text FROM page") == "kept"
    assert "password authentication failed" in lab.query(old, "SELECT text FROM page")
    assert changed_services(before, lab.containers) == {"db", "app"}
    assert operations["baseline"] == "same"
    assert lab.environment()["DATABASE_URL"] == "postgresql://keeper:second-password-canary@db:5432/books"
    assert lab.refresh() == {}
    assert set(lab.settle().values()) == {"same"}


def test_a_rotated_key_restarts_its_reader_alone(lab: SecretsLab) -> None:
    before = lab.containers
    lab.rotate(MAIL_KEY="mail-key-canary-2")

    assert changed_services(before, lab.containers) == {"mailer"}


def test_the_state_tells_who_reads_each_secret_and_no_value(lab: SecretsLab) -> None:
    assert lab.state["stack"]["readers"] == {"DB_PASSWORD": ["app", "db"], "MAIL_KEY": ["mailer"]}
    assert "canary" not in json.dumps({name: lab.state[name] for name in ("stack", "migrations", "images")})


@pytest.mark.parametrize("cut_after", ["the env file", "the role"])
def test_a_run_cut_off_while_rotating_is_mended_by_the_next(lab: SecretsLab, cut_after: str) -> None:
    password = f"after-{cut_after.replace(' ', '-')}-canary"
    lab.given.secrets["DB_PASSWORD"] = password
    reach = lab.state["baseline"]["connection"]
    inputs = dict(lab._inputs(reach, lab.given))["env file"]
    lab.state["env file"] = PROVIDERS["env file"].update("", lab.state["env file"], inputs).outs or {}
    if cut_after == "the role":
        act = acts.database_password("", project="hello", env_file=f"{DIRECTORY}/.env.staging", role=ROLE)
        far = worker(link(endpoint_of(reach), patience_s=0))
        far.call(subject="cut", phase="secrets", probes={}, acts=[act.wire])

    operations = lab.settle()
    assert (operations["env file"], operations["stack"]) == ("same", "update")
    assert lab.query(password, "SELECT text FROM page") == "kept"
    assert password in lab.environment()["DATABASE_URL"]
    assert lab.refresh() == {}


def test_a_password_changed_by_hand_is_named_and_mended(lab: SecretsLab) -> None:
    before = lab.containers
    lab.shell(f"docker exec {lab.container('db')} psql -U keeper books -c \"ALTER ROLE keeper PASSWORD 'by-hand'\"")

    assert lab.refresh() == {"stack": ["keeper in db has another password than DB_PASSWORD"]}
    lab.settle()
    assert lab.query(lab.given.secrets["DB_PASSWORD"], "SELECT text FROM page") == "kept"
    assert lab.containers == before


def test_a_volume_that_outlived_its_password_opens_to_the_new_one(lab: SecretsLab) -> None:
    lab.shell(f"docker rm -f {lab.container('db')} {lab.container('app')}")
    lab.refresh()
    lab.rotate(DB_PASSWORD="of-a-new-state-canary")

    assert lab.query("of-a-new-state-canary", "SELECT text FROM page") == "kept"


def test_the_server_never_logs_a_password_that_was_rotated(lab: SecretsLab) -> None:
    lab.rotate(DB_PASSWORD="never-in-a-log-canary")
    log = lab.shell(f"docker logs {lab.container('db')} 2>&1")

    assert "SELECT coalesce(rolpassword" in log, "statements are logged here"
    assert "canary" not in log
    assert "SCRAM-SHA-256$" not in log


def test_a_variable_that_nobody_provides_ends_the_run_before_the_stack_is_touched(
    lab: SecretsLab, capfd: pytest.CaptureFixture[str]
) -> None:
    before, settled = lab.containers, lab.given
    listed = TEMPLATE + "\n# new\nexport SENTRY_DSN=\nSMTP_HOST: x\n"
    newer = lab.commit(**{"docker-compose_yml": COMPOSE, "_env_template": listed})
    with pytest.raises(StepError) as raised:
        lab.run(dataclasses.replace(settled, commit=newer))
    assert (raised.value.code, raised.value.phase) == ("ENV_INCOMPLETE", "secrets")
    assert raised.value.evidence.splitlines() == [
        f"{DIRECTORY}/.env.template:8: SENTRY_DSN: nobody provides it",
        f"{DIRECTORY}/.env.template:9: SMTP_HOST: nobody provides it",
    ]
    assert lab.containers == before

    values = {**settled.values, "SENTRY_DSN": "", "SMTP_HOST": "x", "STRAY": "y"}
    lab.given = dataclasses.replace(settled, commit=newer, values=values)
    lab.settle()
    assert "warning: the repository's list of variables has no STRAY" in capfd.readouterr().err


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
        compose = Compose(lab, named)
        for service in ("whole", "braces"):
            arrived = compose.arrived(service)
            wrong += [f"{name} in {service}" for name, value in named.items() if arrived.get(name) != value.encode()]
    assert (len(values), wrong) == (HOSTILE, [])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(ANY_TEXT, min_size=1, max_size=60))
def test_what_compose_parses_is_what_was_rendered(lab: SecretsLab, values: list[str]) -> None:
    named = {f"V{number}": value for number, value in enumerate(values)}
    assert Compose(lab, named).parsed == named


class Compose:
    """A compose project that gets values as its `env_file` and as `${NAME}`."""

    def __init__(self, lab: SecretsLab, named: dict[str, str]) -> None:
        self.lab = lab
        dump = "json.dump({k.decode(): base64.b64encode(v).decode() for k, v in os.environb.items()}, open(to, 'w'))"
        command = ["python", "-c", f"import os, sys, json, base64; to = sys.argv[1]; {dump}"]
        image = {"image": "python:3.11-slim", "network_mode": "none", "volumes": ["./out:/out"]}
        braces = {name: f"${{{name}}}" for name in named}
        services = {
            "whole": {**image, "command": [*command, "/out/whole"], "env_file": [".env"]},
            "braces": {**image, "command": [*command, "/out/braces"], "environment": braces},
        }
        files = {".env": render_environment({}, named), "compose.yml": json.dumps({"services": services})}
        encoded = {name: textwrap.fill(base64.b64encode(text.encode()).decode(), 4000) for name, text in files.items()}
        self._run("rm -rf /root/hostile; mkdir -p /root/hostile/out")
        self._run("\n".join(f"base64 -d >{name} <<'E'\n{text}\nE" for name, text in encoded.items()))

    @property
    def parsed(self) -> dict[str, str]:
        """What compose-go makes of the file; its JSON doubles dollars."""
        model = json.loads(self._compose("config --format json"))
        return {name: text.replace("$$", "$") for name, text in model["services"]["whole"]["environment"].items()}

    def arrived(self, service: str) -> dict[str, bytes]:
        """What a real container of the service got."""
        self._compose(f"run --rm -T {service} </dev/null >&2")
        content = json.loads(self._run(f"cat out/{service}"))
        return {name: base64.b64decode(value) for name, value in content.items()}

    def _compose(self, words: str) -> str:
        return self._run(f"docker compose -p hostile --env-file .env -f compose.yml {words}")

    def _run(self, script: str) -> str:
        """Run a script that comes by standard input: an argument has its limits."""
        name = self.lab.machines.names.droplet(self.lab.spec.droplet_id)
        given = f"cd /root/hostile 2>/dev/null || cd /root\n{script}\n".encode()
        argv = ["docker", "exec", "-i", name, "bash", "-es"]
        done = subprocess.run(argv, input=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return done.stdout.decode()
