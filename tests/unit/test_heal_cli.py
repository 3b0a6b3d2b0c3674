"""`greenroom heal` and `greenroom audit` as they are typed: exit codes, what is written, what is left alone."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra.cli.app import run
from infra.cli.failed import known_failure
from infra.cli.heal import EXITS, run_healer
from infra.cli.session import Session
from infra.healing.incident import Ending
from infra.healing.lock import locked

ROOT = Path(__file__).parents[2]
SECRETS = ("RESEND_API_KEY", "ZOHO_CLIENT_ID", "ZOHO_CLIENT_SECRET", "ZOHO_REFRESH_TOKEN", "ZOHO_ORGANIZATION_ID")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own with a home of its own; gives the home."""
    for name in ("Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.staging.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GREENROOM_ENGINE", "embedded")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "a passphrase of its own")
    for name in ("PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_BACKEND_URL", *SECRETS):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_every_ending_has_an_exit_code() -> None:
    assert set(EXITS) == set(Ending.__args__)  # type: ignore[attr-defined] - a Literal's own
    assert {ending for ending, code in EXITS.items() if code == 0} == {"healthy", "healed", "planned"}
    assert (EXITS["escalated"], EXITS["stopped"], EXITS["exhausted"]) == (21, 22, 22)


def test_a_stack_that_was_never_deployed_has_nothing_to_heal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["heal", "-s", "staging"]) == 6
    assert "greenroom up -s staging" in capsys.readouterr().err
    assert not (home / "staging" / "incidents").exists()


def test_bad_settings_exit_2_before_anything(home: Path) -> None:
    path = Path("Pulumi.staging.yaml")
    path.write_text(path.read_text().replace("region: fra1", "region: fra9"))
    assert run(["heal", "-s", "staging"]) == 2
    assert not (home / ".pulumi").exists()


def test_missing_secrets_are_escalated_all_at_once_and_nothing_is_touched(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["up", "--heal", "-s", "staging", "--json"]) == 21
    incident = document(capsys)
    assert incident["schema"] == "greenroom/incident/1"
    assert incident["ending"] == "escalated"
    named = json.dumps(incident["remaining"])
    for name in SECRETS:
        assert name in named
    assert {each["cause"]["code"] for each in incident["remaining"]} == {"SECRET_MISSING"}
    assert not any(each["outcomes"] for each in incident["attempts"])
    assert not (home / ".pulumi" / "stacks").exists(), "no state"
    kept = home / "staging" / "incidents" / incident["id"]
    assert json.loads((kept / "incident.json").read_text())["id"] == incident["id"]
    assert (home / "staging" / "failure.json").exists()


def test_a_dry_run_says_the_same_and_writes_no_incident(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["up", "-s", "staging"]) == 2
    capsys.readouterr()
    before = sorted(path for path in home.rglob("*") if path.is_file())
    assert run(["heal", "--dry-run", "-s", "staging", "--json"]) == 21
    incident = document(capsys)
    assert incident["dry_run"] is True
    assert {each["cause"]["code"] for each in incident["remaining"]} == {"SECRET_MISSING"}
    after = sorted(path for path in home.rglob("*") if path.is_file())
    assert [path for path in after if path not in before and path.suffix != ".lock"] == []


def test_what_a_watch_has_healed_is_a_line_of_its_stream_and_no_document_in_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["up", "-s", "staging"]) == 2
    session = Session("staging", as_json=True, assume_yes=True)
    incident = run_healer(session, known_failure(session), trigger="watch")
    assert incident.ending == "escalated"
    assert capsys.readouterr().out == ""
    assert (home / "staging" / "incidents" / incident.id / "incident.json").is_file()


def test_a_failure_is_kept_for_its_owner_alone(home: Path) -> None:
    assert run(["up", "-s", "staging"]) == 2
    assert (home / "staging" / "failure.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", '{"cut', "[]", '{"of": "another version"}'])
def test_a_failure_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "failure.json").write_text(text)
    assert known_failure(cast("Session", SimpleNamespace(directory=tmp_path))) is None


def test_the_second_healer_ends_and_names_the_first(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["up", "-s", "staging"]) == 2
    with locked(home / "staging", stack="staging") as holder:
        assert run(["heal", "-s", "staging"]) == 1
    said = capsys.readouterr().err
    assert f"staging is being healed already, by process {holder.pid} on {holder.machine}" in said


def test_a_stop_file_keeps_a_run_from_beginning(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["up", "-s", "staging"]) == 2
    capsys.readouterr()
    (home / "staging" / "stop").touch()
    assert run(["heal", "-s", "staging", "--json"]) == 22
    incident = document(capsys)
    assert incident["ending"] == "stopped"
    assert not incident["attempts"]
    assert (home / "staging" / "incidents" / incident["id"] / "incident.json").exists()


def test_stopping_where_nothing_runs_leaves_no_stop_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["heal", "--stop", "-s", "staging"]) == 0
    assert "no healer is running" in capsys.readouterr().err
    assert not (home / "staging" / "stop").exists()


def test_stopping_leaves_a_stop_file_that_somebody_had_made(home: Path) -> None:
    switch = home / "staging" / "stop"
    switch.parent.mkdir(parents=True)
    switch.touch()
    assert run(["heal", "--stop", "-s", "staging"]) == 0
    assert switch.exists()


def test_a_stop_while_up_heal_still_deploys_cancels_the_deployment_and_nothing_is_healed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled, codes = threading.Event(), list[int]()

    def deploy(_session: object, **_options: object) -> int:
        assert cancelled.wait(10.0)
        return 4  # the step that was running failed

    monkeypatch.setattr("infra.cli.runs.converge", deploy)
    monkeypatch.setattr("infra.cli.embedded.EmbeddedDriver.cancel", lambda *_, **__: cancelled.set())
    for name in SECRETS:
        monkeypatch.setenv(name, "a-value-of-the-test")
    deploying = threading.Thread(target=lambda: codes.append(run(["up", "--heal", "-s", "staging"])))
    deploying.start()
    until = time.monotonic() + 10.0
    while not (home / "staging" / "heal.lock").exists() and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.3)
    assert run(["heal", "--stop", "-s", "staging"]) == 0
    deploying.join(10.0)
    assert codes == [22]
    assert not (home / "staging" / "incidents").exists()
    assert not (home / "staging" / "stop").exists()


def test_the_audit_log_of_a_fresh_stack_is_empty_and_holds(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "--verify", "--json", "-s", "staging"]) == 0
    told = document(capsys)
    assert (told["entries"], told["troubles"], told["verified"]) == ([], [], True)
    assert not (home / "staging" / "audit.jsonl").exists()


def test_what_an_escalation_did_is_in_the_log_and_an_edit_of_it_is_told(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["up", "--heal", "-s", "staging"]) == 21
    assert run(["audit", "--verify", "-s", "staging"]) == 0
    log = home / "staging" / "audit.jsonl"
    log.write_text(log.read_text().replace('"escalated"', '"healed"'))
    capsys.readouterr()
    assert run(["audit", "--verify", "--json", "-s", "staging"]) == 1
    told = document(capsys)
    assert told["verified"] is False
    assert "was edited" in told["troubles"][0]["what"]
