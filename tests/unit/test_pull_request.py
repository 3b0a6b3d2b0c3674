"""The stack file of a pull request's environment: what differs from the template, what survives, what is refused."""

from __future__ import annotations

import io
import ipaddress
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.cli import pull_request
from infra.cli.app import VERBS, run
from infra.errors import ConfigurationError
from infra.ops.pull_request import NETWORKS, PullRequest, stack_file
from infra.settings import load_file

ROOT = Path(__file__).parents[2]
STAGING = (ROOT / "Pulumi.staging.yaml").read_text()
COMMIT = "0123456789012345678901234567890123456789"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, with a template that is staging's file."""
    for name in ("Pulumi.yaml", "Pulumi.staging.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "Pulumi.pull-request.yaml").write_text(STAGING)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GREENROOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GREENROOM_ENGINE", "embedded")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "a-test-passphrase")
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    return tmp_path


def config_of(text: str) -> dict[str, Any]:
    return yaml.safe_load(text)["config"]


def comments_of(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.lstrip().startswith("#")]


def test_an_environment_differs_in_what_must_not_be_shared_and_in_nothing_else() -> None:
    request = PullRequest(123, branch="feature/login#2", commit=COMMIT)
    made = stack_file(STAGING, "Pulumi.staging.yaml", request)
    before, after = config_of(STAGING), config_of(made)

    assert after["greenroom:domain"] == "pr-123.staging.erp.tsh.sale"
    assert after["greenroom:protect"] is False
    assert "reservedIp" not in after["greenroom:droplet"]
    assert after["greenroom:network"] == {"cidr": "10.64.7.176/28"}
    assert after["greenroom:workload"] == before["greenroom:workload"] | {"branch": "feature/login#2", "commit": COMMIT}
    assert after["greenroom:environment"]["CORS_ORIGINS"] == ["https://pr-123.staging.erp.tsh.sale"]
    assert after["greenroom:environment"]["EMAIL_FROM_ADDRESS"] == "noreply@staging.erp.tsh.sale"
    same = set(before) - {f"greenroom:{key}" for key in ("domain", "protect", "droplet", "network", "workload")}
    assert {key for key in same if before[key] != after[key]} == {"greenroom:environment"}
    assert comments_of(made)[1:] == comments_of(STAGING)
    assert made.startswith("# Made by ./scripts/pull-request-stack 123 from Pulumi.staging.yaml,")


def test_no_two_of_sixty_thousand_environments_have_overlapping_networks() -> None:
    taken = {PullRequest(number).cidr for number in range(65_536)}
    assert len(taken) == 65_536
    assert PullRequest(65_536 + 7).cidr == PullRequest(7).cidr
    other = ipaddress.IPv4Network("172.16.0.0/20")
    assert len({PullRequest(number, networks=other).cidr for number in range(1000)}) == 256
    assert all(ipaddress.IPv4Network(each).subnet_of(NETWORKS) for each in ("10.64.0.0/28", PullRequest(65_535).cidr))


def test_what_a_template_does_not_say_is_added() -> None:
    template = "".join(line for line in STAGING.splitlines(keepends=True) if "greenroom:protect:" not in line)
    made = stack_file(template, "Pulumi.pull-request.yaml", PullRequest(7))
    assert config_of(made)["greenroom:protect"] is False
    assert config_of(made)["greenroom:workload"] == config_of(STAGING)["greenroom:workload"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "    manage: false\n",
            "    manage: true\n",
            r"Pulumi\.x\.yaml:19: greenroom:dns\.manage: true; expected false",
        ),
        ("  greenroom:dns:\n    zone: tsh.sale\n    manage: false\n", "", r"greenroom:dns: nothing; expected a zone"),
        ("  greenroom:domain: staging.erp.tsh.sale\n", "", r"greenroom:domain: nothing; expected a name"),
        ("  greenroom:network:\n    cidr: 10.20.0.0/24\n", "  greenroom:network: {cidr: 10.20.0.0/24}\n", "no section"),
        (
            "    image: debian-13-x64\n    reservedIp: 167.71.58.65\n",
            "    image: debian-13-x64\n    reservedIp:\n      167.71.58.65\n",
            "a style that can't be edited",
        ),
    ],
)
def test_a_template_that_no_environment_can_be_made_from_is_refused_by_its_line(old: str, new: str, told: str) -> None:
    assert old in STAGING
    with pytest.raises(ConfigurationError, match=told):
        stack_file(STAGING.replace(old, new), "Pulumi.x.yaml", PullRequest(1))


def test_the_command_writes_a_stack_that_the_settings_rules_accept(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pull_request.main(["123", "--branch", "1e3", "--commit", COMMIT]) == 0
    assert capsys.readouterr().out == "pr-123\n"
    settings = load_file(project / "Pulumi.pr-123.yaml", root=project)
    assert (settings.workload.branch, settings.workload.commit) == ("1e3", COMMIT)
    first = (project / "Pulumi.pr-123.yaml").read_text()
    assert pull_request.main(["123", "--branch", "1e3", "--commit", COMMIT]) == 0
    assert (project / "Pulumi.pr-123.yaml").read_text() == first


def test_secrets_of_the_template_open_with_the_same_passphrase(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (
        "RESEND_API_KEY",
        "ZOHO_CLIENT_ID",
        "ZOHO_CLIENT_SECRET",
        "ZOHO_REFRESH_TOKEN",
        "ZOHO_ORGANIZATION_ID",
    ):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"value-of-{name.lower()}-012345"))
        assert run(["secrets", "set", name, "-s", "pull-request"]) == 0
    assert pull_request.main(["7"]) == 0
    assert run(["secrets", "check", "-s", "pr-7"]) == 0
    assert "secrets hold" in capsys.readouterr().err
    assert not (project / "home" / ".pulumi" / "stacks" / "greenroom" / "pr-7.json").exists()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["0"], "0 is not in the range"),
        (["x"], "'x' is not a valid integer"),
        (["1", "--template", "../staging"], "--stack: '../staging'; expected lower-case"),
        (["1", "--template", "none"], "next: cp Pulumi.staging.yaml Pulumi.none.yaml"),
        (["1", "--networks", "8.0.0.0/8"], "8.0.0.0/8; expected a private range of at least /20, such as 10.64.0.0/12"),
        (["1", "--networks", "10.0.0.0/28"], "10.0.0.0/28; expected a private range of at least /20"),
    ],
)
def test_bad_usage_exits_2_with_what_was_expected(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pull_request.main(arguments) == 2
    assert told in capsys.readouterr().err


def test_what_the_settings_rules_refuse_leaves_the_file_as_it_was(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, template = project / "Pulumi.pr-5.yaml", project / "Pulumi.pull-request.yaml"
    template.write_text(STAGING.replace("region: fra1", "region: fra9"))
    assert pull_request.main(["5"]) == 2
    assert "Pulumi.pull-request.yaml:11: droplet.region: 'fra9'" in capsys.readouterr().err
    template.write_text(STAGING)
    assert pull_request.main(["5", "--branch", "-bad"]) == 2
    assert "Pulumi.pr-5.yaml:34: workload.branch: '-bad'; expected a branch name" in capsys.readouterr().err
    assert not path.exists()
    assert pull_request.main(["5"]) == 0
    before = path.read_text()
    assert pull_request.main(["5", "--commit", "abc"]) == 2
    assert path.read_text() == before


# ---- the page that says how


PAGE = (ROOT / "docs" / "pull-requests.md").read_text()
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]


def steps() -> list[dict[str, Any]]:
    workflow, around = BLOCKS
    return [*workflow["jobs"]["environment"]["steps"], *around]


def test_the_workflow_runs_what_there_is_and_lets_no_text_of_others_into_a_command() -> None:
    commands = [each["run"] for each in steps() if "run" in each]
    assert not any("${{" in command for command in commands)
    scripts = {name for command in commands for name in re.findall(r"\./scripts/[a-z-]+", command)}
    assert scripts == {"./scripts/pull-request-stack", "./scripts/up"}
    assert all(os.access(ROOT / name, os.X_OK) for name in scripts)
    verbs = {command.split("greenroom ")[1].split()[0] for command in commands if "bin/greenroom " in command}
    assert verbs == {"outputs", "destroy"} <= set(VERBS)


def test_each_environment_is_one_job_s_at_a_time_and_a_fork_has_none() -> None:
    workflow = BLOCKS[0]
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert "head.repo.full_name == github.repository" in workflow["jobs"]["environment"]["if"]
    guarded = {each["name"]: each.get("if", "") for each in steps() if "name" in each}
    assert guarded["up, and prove it"] == "github.event.action != 'closed'"
    assert guarded["destroy"] == "github.event.action == 'closed'"
    assert "steps.state.outcome == 'success'" in guarded["state, back to the bucket"]
