"""`greenroom secrets list|check|rotate`: what they tell, what they change, and that no value is ever among it."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.cli.app import run
from infra.ops.secret_survey import Known, survey
from infra.settings import load_file
from infra.settings.edit import with_generation
from localcloud.engine import Engine

ROOT = Path(__file__).parents[2]
CANARY = "re_canary_0123456789"
GIVEN = ("ZOHO_CLIENT_ID", "ZOHO_CLIENT_SECRET", "ZOHO_REFRESH_TOKEN", "ZOHO_ORGANIZATION_ID")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, with the staging stack's passphrase in the environment."""
    for name in ("Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.staging.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GREENROOM_ENGINE", "embedded")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "a-test-passphrase")
    for name in ("PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_BACKEND_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def give(monkeypatch: pytest.MonkeyPatch, *arguments: str, value: str = CANARY) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(value))
    return run(["secrets", *arguments, "-s", "staging"])


def test_check_names_all_that_is_no_good_and_exits_2(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "Pulumi.staging.yaml"
    text = path.read_text()
    path.write_text(text.replace("ZOHO_CLIENT_ID: {source: config", "ZOHO_CLIENT_ID: {source: environment"))
    monkeypatch.setenv("ZOHO_CLIENT_ID", "<CHANGE_ME_canary>")
    assert give(monkeypatch, "set", "RESEND_API_KEY") == 0
    capsys.readouterr()

    assert run(["secrets", "check", "-s", "staging"]) == 2
    said = capsys.readouterr().err
    assert "environment: ZOHO_CLIENT_ID: a placeholder" in said
    assert "Pulumi.staging.yaml: ZOHO_REFRESH_TOKEN: nothing" in said
    assert "4 of 8 secrets are no good" in said
    assert "RESEND_API_KEY" not in said
    assert "canary" not in said


def test_preview_names_the_problems_of_every_source_in_one_error(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "Pulumi.staging.yaml"
    text = path.read_text().replace("ZOHO_CLIENT_ID: {source: config", "ZOHO_CLIENT_ID: {source: environment")
    text = text.replace("ZOHO_CLIENT_SECRET: {source: config", "ZOHO_CLIENT_SECRET: {source: vault, path: secret/tsh")
    path.write_text(text)
    monkeypatch.delenv("VAULT_ADDR", raising=False)
    assert give(monkeypatch, "set", "RESEND_API_KEY", value="re_of_seventeen_1") == 0
    path.write_text(
        path.read_text().replace("minLength: 16}\n    ZOHO_CLIENT_ID", "minLength: 32}\n    ZOHO_CLIENT_ID")
    )
    capsys.readouterr()

    assert run(["preview", "-s", "staging"]) == 2
    said = capsys.readouterr().err
    for problem in (
        "RESEND_API_KEY: 17 characters",
        "ZOHO_CLIENT_ID: nothing",
        "Vault: ZOHO_CLIENT_SECRET: no Vault address is set [NOT_CONFIGURED]",
        "ZOHO_REFRESH_TOKEN: nothing",
        "ZOHO_ORGANIZATION_ID: nothing",
    ):
        assert problem in said
    assert not (project / "home" / ".pulumi").exists()


def test_check_exits_0_when_all_hold_and_says_so_as_a_document(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del project
    for name in ("RESEND_API_KEY", *GIVEN):
        assert give(monkeypatch, "set", name, value=f"{name.lower()}-canary-12345") == 0
    capsys.readouterr()

    assert run(["secrets", "check", "--json", "-s", "staging"]) == 0
    out = capsys.readouterr().out
    document = json.loads(out)
    assert (document["schema"], document["stack"], document["problems"]) == ("greenroom/secrets/1", "staging", [])
    rows = {row["name"]: row for row in document["secrets"]}
    assert rows["RESEND_API_KEY"] == {
        "name": "RESEND_API_KEY",
        "source": "config",
        "where": "Pulumi.staging.yaml",
        "state": "set",
        "detail": "",
        "changed": None,
        "readers": [],
    }
    assert rows["SECRET_KEY"]["state"] == "to make"
    assert "canary" not in out


def test_a_list_shows_every_secret_and_no_value(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del project
    assert give(monkeypatch, "set", "RESEND_API_KEY") == 0
    assert run(["secrets", "list", "-s", "staging"]) == 0
    said = capsys.readouterr()
    lines = {line.split()[0]: line.split()[1:] for line in said.out.splitlines()}
    assert lines["RESEND_API_KEY"] == ["config", "Pulumi.staging.yaml", "set", "-", "-"]
    assert lines["ZOHO_CLIENT_ID"] == ["config", "Pulumi.staging.yaml", "missing", "-", "-"]
    assert len(lines) == 9
    assert "canary" not in said.out + said.err


def test_what_the_state_remembers_shows_in_the_survey() -> None:
    settings = load_file(ROOT / "Pulumi.local.yaml", root=ROOT)
    made = {"made_at": "2026-11-24T10:00:00Z", "value": CANARY}
    known = Known(
        generated={"POSTGRES_PASSWORD": {**made, "generation": 1.0}, "SECRET_KEY": {**made, "generation": 2.0}},
        readers={"POSTGRES_PASSWORD": ["app", "db"]},
    )
    rows, problems, _ = survey(settings, "local", {}, known, {})
    found = {row.name: row for row in rows}

    assert problems == []
    assert (found["POSTGRES_PASSWORD"].state, found["POSTGRES_PASSWORD"].readers) == ("set", ["app", "db"])
    assert found["POSTGRES_PASSWORD"].changed == "2026-11-24T10:00:00Z"
    assert (found["SECRET_KEY"].state, found["SECRET_KEY"].detail) == ("to rotate", "generation 2, wanted 1")
    assert found["ADMIN_PASSWORD"].state == "to make"
    assert CANARY not in repr(rows)


def test_rotating_raises_the_generation_and_nothing_else(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "Pulumi.local.yaml"
    before = path.read_text().splitlines()
    assert run(["secrets", "rotate", "POSTGRES_PASSWORD", "SECRET_KEY"]) == 0
    assert run(["secrets", "rotate", "SECRET_KEY"]) == 0
    after = path.read_text().splitlines()

    assert [line for line in after if line not in before] == [
        "      generation: 2",
        "    SECRET_KEY: {source: generated, length: 64, generation: 3}",
    ]
    assert len(after) == len(before) + 1
    secrets = load_file(path, root=project).secrets
    assert (secrets["POSTGRES_PASSWORD"].generation, secrets["SECRET_KEY"].generation) == (2, 3)
    said = capsys.readouterr().err
    assert "tsh_postgres_staging gets it before anything restarts" in said
    assert "greenroom preview -s local" in said


def test_a_given_secret_is_rotated_from_standard_input_and_must_differ(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "Pulumi.staging.yaml"
    assert give(monkeypatch, "set", "RESEND_API_KEY") == 0
    first = path.read_text()
    assert give(monkeypatch, "rotate", "RESEND_API_KEY") == 2
    assert "the value that it has already" in capsys.readouterr().err
    assert path.read_text() == first
    assert give(monkeypatch, "rotate", "RESEND_API_KEY", value="re_canary_of_today_1") == 0
    assert path.read_text() != first
    assert "canary" not in path.read_text()


def test_rotating_what_lies_elsewhere_names_the_place(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "Pulumi.local.yaml"
    text = path.read_text()
    text = text.replace("RESEND_API_KEY: {source: generated}", "RESEND_API_KEY: {source: vault, path: secret/tsh}")
    text = text.replace("ZOHO_CLIENT_ID: {source: generated}", "ZOHO_CLIENT_ID: {source: aws, id: tsh/a, key: ID}")
    path.write_text(text)
    assert run(["secrets", "rotate", "RESEND_API_KEY", "ZOHO_CLIENT_ID"]) == 0
    said = capsys.readouterr().err
    assert "vault kv patch secret/tsh RESEND_API_KEY=-" in said
    assert "aws secretsmanager put-secret-value --secret-id tsh/a" in said
    assert path.read_text() == text


@pytest.mark.parametrize("names", [["NOBODY"], ["NOBODY", "SECRET_KEY"]])
def test_rotating_what_is_not_declared_changes_nothing(project: Path, names: list[str]) -> None:
    text = (project / "Pulumi.local.yaml").read_text()
    assert run(["secrets", "rotate", *names]) == 2
    assert (project / "Pulumi.local.yaml").read_text() == text


@pytest.mark.parametrize("source", ["source: generated", "source: vault, path: secret/tsh"])
def test_a_database_s_password_is_rotated_only_where_its_role_is_declared(
    project: Path, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    path = project / "Pulumi.local.yaml"
    before, _, after = path.read_text().partition("    POSTGRES_PASSWORD:\n")
    rest = after[after.index("    SECRET_KEY:") :]
    path.write_text(f"{before}    POSTGRES_PASSWORD: {{{source}}}\n{rest}")
    text = path.read_text()
    assert run(["secrets", "rotate", "SECRET_KEY", "POSTGRES_PASSWORD"]) == 2
    said = capsys.readouterr().err
    assert "secrets.POSTGRES_PASSWORD: no `database`" in said
    assert 'database: {service: NAME, role: "{{ POSTGRES_USER }}"' in said
    assert path.read_text() == text


STYLES = [
    ("X: {source: generated}", "X: {source: generated, generation: 2}"),
    ("X: { source: generated }  # note", "X: { source: generated, generation: 2}  # note"),
    ("X: {generation: 1, source: generated}", "X: {generation: 2, source: generated}"),
    (
        "X: {source: generated, database: {service: d, role: r, name: names}}",
        "X: {source: generated, database: {service: d, role: r, name: names}, generation: 2}",
    ),
    ("X:\n      source: generated", "X:\n      generation: 2\n      source: generated"),
    ("X:\n      source: generated\n      generation: 1", "X:\n      source: generated\n      generation: 2"),
]


@pytest.mark.parametrize(("old", "new"), STYLES, ids=[str(number) for number in range(len(STYLES))])
def test_every_style_of_a_stack_file_is_kept(old: str, new: str) -> None:
    head = "# head\nconfig:\n  greenroom:secrets:\n    A: {source: generated}\n"
    text = f"{head}    @\n    # tail\n    Z: {{source: config}}\n"
    assert with_generation(text.replace("@", old), "X", 2) == text.replace("@", new)


def test_a_style_that_cannot_be_edited_is_told_instead_of_guessed() -> None:
    folded = "config:\n  greenroom:secrets: {X: {source: generated},\n    Y: {source: generated}}\n"
    assert with_generation(folded, "X", 2) is None
    assert with_generation("config: {}\n", "X", 2) is None


PROGRAM = """
import pulumi
from infra.secret.generated import GeneratedSecret

made = GeneratedSecret("TOKEN", length=32, generation=pulumi.Config().get_int("generation") or 1)
pulumi.export("value", made.value)
"""


def test_a_new_generation_shows_in_preview_changes_the_value_once_and_stays(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: greenroom\nruntime: python\nmain: .\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    stack = tmp_path / "Pulumi.dev.yaml"

    def engine(generation: int) -> Engine:
        stack.write_text(f"config:\n  greenroom:generation: {generation}\n")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return Engine(
            tmp_path,
            "dev",
            backend=tmp_path / "home",
            passphrase="x",
            providers={},
            environment=environment,
            on_event=lambda _event: None,
        )

    def value() -> Any:
        return engine(1).outputs(show_secrets=True)["value"]

    assert engine(1).up().changes.get("create")
    first = value()
    assert engine(1).up().changes.get("update", 0) == 0
    preview = engine(2).preview()
    [step] = [each for each in preview.steps if each.name == "TOKEN"]
    assert (step.op, [(each.path, each.old, each.new) for each in step.diff]) == ("update", [("generation", 1, 2)])
    assert value() == first
    assert engine(2).up().changes["update"] == 1
    second = value()
    assert len(second) == 32
    assert second != first
    assert engine(2).up().changes.get("update", 0) == 0
    assert value() == second
    state = json.dumps([path.read_text() for path in (tmp_path / "home").rglob("*.json")])
    assert first not in state
    assert second not in state
