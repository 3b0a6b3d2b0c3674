"""The systemd unit that a watch runs as: where it is put, what it names, and for which stacks there is none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from infra.cli.app import greenroom
from infra.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


def printed(stack: str = "staging") -> Any:
    return CliRunner().invoke(greenroom, ["watch", "--print-unit", "-s", stack])


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    result = printed()
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_unit_names_this_stack_and_carries_no_secret(unit: str, tmp_path: Path) -> None:
    assert "watch --stack staging" in unit
    assert f"GREENROOM_HOME={tmp_path}" in unit
    assert "EnvironmentFile=-/etc/greenroom/staging.env" in unit
    assert "PASSPHRASE=" not in unit


def test_the_unit_is_put_where_only_root_may_write_and_gives_up_on_what_a_person_has_to_mend(unit: str) -> None:
    assert "| sudo tee /etc/systemd/system/greenroom-watch-staging.service" in unit
    assert "> /etc/systemd" not in unit
    assert "\nRestartPreventExitStatus=2 6\n" in unit


def test_the_unit_finds_the_state_where_it_is_now(unit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "PULUMI_BACKEND_URL" not in unit
    assert f"\nReadWritePaths={tmp_path}\nPrivateTmp" in unit
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples" / "tsh-erp", tmp_path / "examples" / "tsh-erp", ignore=lambda *_: ["dashboard"])
    for name in ("Pulumi.yaml", "Pulumi.staging.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file://state/here")
    elsewhere = printed().stdout
    assert f"\nEnvironment=PULUMI_BACKEND_URL=file://{tmp_path}/state/here\n" in elsewhere
    assert f"\nReadWritePaths={tmp_path} {tmp_path}/state/here\nPrivateTmp" in elsewhere


@pytest.mark.usefixtures("unit")
def test_a_unit_for_a_state_that_no_watch_can_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    with pytest.raises(ConfigurationError, match=r"PULUMI_BACKEND_URL: s3; expected file://DIRECTORY"):
        greenroom.main(["watch", "--print-unit", "-s", "staging"], standalone_mode=False)


@pytest.mark.usefixtures("unit")
def test_a_local_stack_gets_no_unit_as_it_could_not_start_its_cloud() -> None:
    with pytest.raises(
        ConfigurationError, match=r"Pulumi\.local\.yaml: cloud: local; expected a stack on Digital"
    ) as told:
        greenroom.main(["watch", "--print-unit", "-s", "local"], standalone_mode=False)
    assert told.value.hint.startswith("greenroom watch -s local")


@pytest.mark.parametrize("given", ["official", "embedded"])
def test_the_unit_says_which_engine_it_uses_whichever_one_deploys(
    unit: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\nEnvironment=GREENROOM_ENGINE=embedded\nEnvironmentFile=" in unit
    monkeypatch.setenv("GREENROOM_ENGINE", given)
    result = printed()
    assert result.stdout == unit
    assert ("uses the embedded engine" in result.stderr) == (given == "official")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("backend", ["", "state"])
def test_the_unit_is_one_for_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path / backend}" if backend else "")
    path = tmp_path / "greenroom-watch-staging.service"
    path.write_text(printed().stdout)

    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    exposed = ["systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", str(path)]
    judged = subprocess.run(exposed, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert judged.returncode == 0, judged.stdout[-200:]
