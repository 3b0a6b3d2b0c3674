"""The command line: exit codes, one rendering of errors, progress, results as lines and as documents, no secret out."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.cli.app import ALIASES, VERBS, run
from infra.cli.checked import check_stack
from infra.cli.console import Console
from infra.cli.progress import Progress, kind_of
from infra.cli.render import document_of, explain, summary, table
from infra.cli.session import Session
from infra.errors import ConfigurationError
from infra.redaction import Redactor
from localcloud import cloud
from localcloud.engine.events import Diagnostic, PropertyDiff, Result, Step, StepFinished, StepStarted

ROOT = Path(__file__).parents[2]


def step(name: str, op: str, *diff: PropertyDiff, failed: bool = False, seconds: float = 0.0) -> Step:
    urn = f"urn:pulumi:local::greenroom::pulumi-python:dynamic/greenroom:EnvFile::{name}"
    return Step(urn, "pulumi-python:dynamic/greenroom:EnvFile", name, op, diff, seconds, failed)  # type: ignore[arg-type] - any op will do


def result(*steps: Step, operation: str = "update", succeeded: bool = True) -> Result:
    changes: dict[str, int] = {}
    for each in steps:
        changes[each.op] = changes.get(each.op, 0) + 1
    return Result(operation, succeeded, changes, list(steps), {}, [], 1.25)  # type: ignore[arg-type] - as above


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own: the repository's files, another home."""
    for name in ("Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.staging.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GREENROOM_ENGINE", "embedded")
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_BACKEND_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def spoil(project: Path, stack: str, old: str, new: str) -> None:
    path = project / f"Pulumi.{stack}.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


@pytest.mark.parametrize("verb", ["preview", "up", "refresh", "destroy", "verify"])
def test_bad_settings_exit_2_before_a_cloud_or_a_state_is_touched(
    project: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(project, "local", "region: fra1", "region: fra9")
    assert run([verb, "--stack", "local"]) == 2
    said = capsys.readouterr()
    assert "Pulumi.local.yaml:" in said.err
    assert "droplet.region: 'fra9'; expected a region that DigitalOcean has (did you mean fra1?)" in said.err
    assert not (project / "home" / "cloud").exists()
    assert not (project / "home" / ".pulumi").exists()


def test_drift_of_a_stack_that_is_not_there_exits_6(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drift", "--stack", "local"]) == 6
    assert "greenroom up -s local" in capsys.readouterr().err
    assert not (project / "home" / "cloud").exists()


def test_drift_is_reverted_or_adopted_and_not_both(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del project
    assert run(["drift", "--revert", "--adopt", "droplet"]) == 2
    assert "--revert: with --adopt; expected one of the two" in capsys.readouterr().err


def test_an_error_as_json_is_one_document(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(project, "local", "port: 8002", "port: 3001")
    assert run(["preview", "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "greenroom/error/1"
    assert document["exit_code"] == 2
    assert [problem["key"] for problem in document["problems"]] == ["workload.routes"]


@pytest.mark.parametrize("name", ["Local", "../local", "a b", "", "-x", "x" * 60, "l\u043ecal"])
def test_a_bad_stack_name_is_a_usage_error(project: Path, name: str) -> None:
    del project
    assert run(["preview", "--stack", name]) == 2


@pytest.mark.parametrize("arguments", [["nothing"], ["up", "--nothing"], ["logs", "--tail", "x"]])
def test_bad_usage_exits_2(project: Path, arguments: list[str]) -> None:
    del project
    assert run(arguments) == 2


def test_a_stack_that_does_not_exist_exits_6(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del project
    assert run(["outputs"]) == 6
    assert "greenroom up -s local" in capsys.readouterr().err


def test_a_real_stack_wants_a_passphrase_of_its_own(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["outputs", "-s", "staging"]) == 2
    assert "PULUMI_CONFIG_PASSPHRASE" in capsys.readouterr().err
    assert not (project / "home" / "passphrase").exists()


def test_a_passphrase_file_that_is_not_there_is_named_with_the_way_to_make_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(project / "home"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", "~/.greenroom-passphrase")
    assert run(["outputs", "-s", "staging"]) == 2
    said = capsys.readouterr().err
    path = project / "home" / ".greenroom-passphrase"
    assert f"PULUMI_CONFIG_PASSPHRASE_FILE: {path}: No such file" in said
    assert f"next: (umask 077; openssl rand -base64 24 > {path})" in said
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("of its own\n")
    assert run(["outputs", "-s", "staging"]) == 6, "the passphrase is read; there is no such stack yet"


@pytest.mark.usefixtures("project")
def test_what_the_local_cloud_refuses_is_an_error_with_its_next_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise cloud.CloudError("the local cloud is gone; greenroom cloud start")

    monkeypatch.setattr(cloud, "start", refuse)
    assert run(["cloud", "start"]) == 1
    assert capsys.readouterr().err == "error: the local cloud is gone; greenroom cloud start\n"


def test_an_edit_of_the_settings_is_known_from_what_was_deployed(project: Path) -> None:
    session = Session("local", as_json=False, assume_yes=True)
    settings = project / "Pulumi.local.yaml"
    deployed = Result(
        "update", succeeded=True, changes={"create": 3}, steps=[], outputs={}, diagnostics=[], seconds=1.0
    )
    assert not session.is_deployed_as_set(), "nothing was deployed"
    session.run(lambda: deployed, lambda _event: None)
    assert session.is_deployed_as_set()
    assert session.expected_steps() == 3
    original = settings.read_text()

    def edited() -> Result:
        settings.write_text(original + "  # edited while the engine runs\n")
        return deployed

    session.run(edited, lambda _event: None)
    assert not session.is_deployed_as_set()
    failed = replace(deployed, succeeded=False)
    session.run(lambda: failed, lambda _event: None)
    assert not session.is_deployed_as_set(), "a deployment that failed has deployed nothing"
    settings.write_text(original)
    assert session.is_deployed_as_set()


def test_destroying_what_is_not_there_is_no_failure(project: Path) -> None:
    assert run(["destroy", "--yes"]) == 0
    assert (project / "home" / "passphrase").stat().st_mode & 0o777 == 0o600


def test_secrets_are_set_from_standard_input_and_checked(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "a-test-passphrase")
    monkeypatch.setattr(sys, "stdin", io.StringIO("re_canary_0123456789\n"))
    assert run(["secrets", "set", "RESEND_API_KEY", "-s", "staging"]) == 0
    text = (project / "Pulumi.staging.yaml").read_text()
    assert "canary" not in text
    assert "secure: v1:" in text
    monkeypatch.setattr(sys, "stdin", io.StringIO("<CHANGE_ME_canary>"))
    assert run(["secrets", "set", "ZOHO_CLIENT_ID", "-s", "staging"]) == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO("irrelevant"))
    assert run(["secrets", "set", "POSTGRES_PASSWORD", "-s", "staging"]) == 2
    said = capsys.readouterr()
    assert "canary" not in said.out + said.err


def test_settings_are_judged_once_for_each_content(project: Path) -> None:
    home = project / "home"
    first = check_stack(project, "local", home)
    began = time.perf_counter()
    assert check_stack(project, "local", home) == first
    assert time.perf_counter() - began < 0.1
    spoil(project, "local", "region: fra1", "region: fra9")
    with pytest.raises(ConfigurationError):
        check_stack(project, "local", home)


def test_a_damaged_verdict_is_made_again(project: Path) -> None:
    home = project / "home"
    first = check_stack(project, "local", home)
    (home / "local" / "checked.json").write_text("{")
    assert check_stack(project, "local", home) == first


def test_missing_secrets_exit_2_and_are_all_named_before_anything_is_touched(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(project, "staging", "ZOHO_CLIENT_ID: {source: config", "ZOHO_CLIENT_ID: {source: environment")
    monkeypatch.setenv("ZOHO_CLIENT_ID", "<CHANGE_ME_canary>")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "a-test-passphrase")
    for verb in ("preview", "up"):
        assert run([verb, "-s", "staging"]) == 2
        said = capsys.readouterr().err
        for name in ("RESEND_API_KEY", "ZOHO_CLIENT_ID", "ZOHO_CLIENT_SECRET", "ZOHO_REFRESH_TOKEN"):
            assert name in said
        assert "canary" not in said
    assert not (project / "home" / ".pulumi").exists()


def test_every_verb_has_help_and_loads() -> None:
    for verb in [*VERBS, *ALIASES]:
        assert run([verb, "--help"]) == 0, verb


@pytest.mark.parametrize("verb", [["ssh"], ["logs"], ["secrets", "set"], ["secrets", "rotate"]])
def test_a_verb_without_a_document_promises_none_but_tells_its_errors_as_one(
    project: Path, verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*verb, "--help"]) == 0
    assert "--json" not in capsys.readouterr().out
    spoil(project, "local", "region: fra1", "region: fra9")
    assert run([*verb, "NAME", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["schema"] == "greenroom/error/1"


def test_the_command_line_loads_in_no_time() -> None:
    code = "import sys; from infra.cli.app import run; import infra.cli.stack; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    loaded = set(answer.stdout.split())
    heavy = {
        "pulumi",
        "pydantic",
        "pytest",
        "testinfra",
        "rich",
        "fabric",
        "paramiko",
        "grpc",
        "docker",
        "jinja2",
    }
    assert not heavy & loaded


# ---- how results are told


def test_a_preview_shows_each_property_and_no_secret() -> None:
    change = step(
        "env-file",
        "update",
        PropertyDiff("values.LOG_LEVEL", "update", "INFO", "DEBUG"),
        PropertyDiff("secrets", "update", "[secret]", "[secret]"),
        PropertyDiff("__provider", "update", "a", "b"),
        PropertyDiff("region", "update-replace", "fra1", "ams3"),
    )
    assert explain(result(change, step("other", "same"))) == [
        "~ update   env-file (EnvFile)",
        "      ~ values.LOG_LEVEL: INFO -> DEBUG",
        "      ~ secrets: [secret] -> [secret]",
        "      ~ region: fra1 -> ams3  (forces a replacement)",
    ]


def test_a_replacement_is_counted_once() -> None:
    steps = [step("a", "create-replacement"), step("a", "replace"), step("a", "delete-replaced"), step("b", "same")]
    assert summary(result(*steps)) == "1 replaced, 1 unchanged, 1.2 s"
    assert summary(result(*steps, operation="preview")) == "1 to replace, 1 unchanged, 1.2 s"


def test_a_run_as_a_document_carries_its_schema_and_only_what_changed() -> None:
    document = document_of("up", "local", result(step("a", "create"), step("b", "same")), outputs={"url": "x"})
    assert document["schema"] == "greenroom/up/1"
    assert [each["name"] for each in document["steps"]] == ["a"]
    assert document["outputs"] == {"url": "x"}
    json.dumps(document)


def test_columns_stand_under_each_other() -> None:
    assert table([["a", "bbb", "c"], ["aaa", "b", "c"]]) == ["a    bbb  c", "aaa  b    c"]


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("digitalocean:index/droplet:Droplet", "Droplet"),
        ("pulumi-python:dynamic/greenroom:EnvFile", "EnvFile"),
        ("pulumi:pulumi:Stack", "Stack"),
    ],
)
def test_a_kind_is_the_last_word_of_its_token(token: str, kind: str) -> None:
    assert kind_of(token) == kind


# ---- progress


def lines_of(feed: Any, **options: Any) -> list[str]:
    err = io.StringIO()
    console = Console(io.StringIO(), err, Redactor(["canary-secret-value"]))
    with Progress(console, **options) as progress:
        feed(progress)
    return err.getvalue().splitlines()


def test_each_finished_step_is_a_line_with_how_far_and_how_long() -> None:
    def feed(progress: Progress) -> None:
        progress(StepStarted(0.0, step("a", "create")))
        progress(StepFinished(2.0, step("a", "create", seconds=2.0)))
        progress(StepFinished(2.0, step("b", "same")))
        progress(StepFinished(3.0, step("c", "update", failed=True)))

    assert lines_of(feed, expected=3) == ["[ 1/3] created   a (EnvFile)  2.0 s", "[ 3/3] failed    c (EnvFile)"]


def test_what_takes_long_is_named_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.cli.progress.REMIND_S", 0.1)
    monkeypatch.setattr("infra.cli.progress.TICK_S", 0.02)

    def feed(progress: Progress) -> None:
        progress(StepStarted(0.0, step("droplet", "create")))
        time.sleep(0.3)

    assert any("still creating droplet" in line for line in lines_of(feed))


@pytest.mark.parametrize("found", ["same", "update", "delete"])
def test_a_read_that_has_ended_is_not_reminded_of(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    monkeypatch.setattr("infra.cli.progress.REMIND_S", 0.1)
    monkeypatch.setattr("infra.cli.progress.TICK_S", 0.02)

    def feed(progress: Progress) -> None:
        progress(StepStarted(0.0, step("droplet", "refresh")))
        progress(StepFinished(0.0, step("droplet", found)))
        time.sleep(0.3)

    assert not any("still" in line for line in lines_of(feed, verb="refresh"))


def test_a_plan_prints_no_acts() -> None:
    assert lines_of(lambda progress: progress(StepFinished(1.0, step("a", "create"))), verb="preview") == []


def test_no_known_secret_leaves_through_progress() -> None:
    said = lines_of(lambda progress: progress(Diagnostic(0.0, "error", "url postgresql://u:canary-secret-value@h/d")))
    assert said == ["url postgresql://u:[secret]@h/d"]
