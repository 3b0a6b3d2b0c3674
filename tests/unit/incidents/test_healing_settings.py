"""greenroom:healing.escalation: what it accepts, and that its secrets never go to the droplet."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from incident_samples import half_way
from receivers import Reply, receiver

from infra.cli.console import Console
from infra.cli.escalating import escalated
from infra.deployment import all_secrets
from infra.errors import ConfigurationError
from infra.redaction import Redactor
from infra.secret import Secret
from infra.settings import load_file

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
GOOD = re.sub(r"  greenroom:healing:.*\n(?:    .*\n)*", "", (ROOT / "Pulumi.local.yaml").read_text())
"""Without what it says of healing itself: each test says that."""
SECRETS = "    ADMIN_PASSWORD:"
HEALING = """
  greenroom:healing:
    escalation:
      webhook: {url: "https://hooks.example.org/greenroom", secret: ESCALATION_KEY}
      telegram: {chat: "-1001234567890", token: TELEGRAM_TOKEN}
"""
DECLARED = "    ESCALATION_KEY: {source: environment}\n    TELEGRAM_TOKEN: {source: environment, minLength: 20}\n"
TOKEN = "123456789:AAE-token_of_the_test_bot"


def with_healing(healing: str = HEALING, declared: str = DECLARED) -> str:
    assert SECRETS in GOOD
    return GOOD.replace(SECRETS, f"{declared}{SECRETS}", 1) + healing


@pytest.fixture
def stack(tmp_path: Path) -> Callable[[str], Path]:
    (tmp_path / "examples").symlink_to(ROOT / "examples")

    def write(text: str) -> Path:
        path = tmp_path / "Pulumi.local.yaml"
        path.write_text(text)
        return path

    return write


def test_channels_are_off_where_nothing_is_said() -> None:
    settings = load_file(ROOT / "Pulumi.local.yaml", root=ROOT)
    assert settings.healing.escalation.webhook is None
    assert settings.healing.escalation.telegram is None
    assert settings.workload_secrets == settings.secrets


def test_channels_and_their_secrets_are_read(stack: Callable[[str], Path], tmp_path: Path) -> None:
    settings = load_file(stack(with_healing()), root=tmp_path)
    escalation = settings.healing.escalation
    assert escalation.webhook is not None
    assert escalation.telegram is not None
    assert escalation.telegram.url == "https://api.telegram.org"
    assert set(settings.secrets) - set(settings.workload_secrets) == {"ESCALATION_KEY", "TELEGRAM_TOKEN"}


def test_healings_own_secrets_never_become_the_workloads(stack: Callable[[str], Path], tmp_path: Path) -> None:
    settings = load_file(stack(with_healing()), root=tmp_path)
    settings = settings.model_copy(
        update={"secrets": {name: each for name, each in settings.secrets.items() if each.source != "generated"}}
    )
    given = {"ESCALATION_KEY": Secret("a"), "TELEGRAM_TOKEN": Secret("b")}
    assert all_secrets(settings, given) == {}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("https://hooks.example.org/greenroom", "http://hooks.example.org/x", "an https address"),
        ("https://hooks.example.org/greenroom", "https://u:p@hooks.example.org/", "without credentials"),
        ("https://hooks.example.org/greenroom", "https://hooks.example.org/a b", "an https address"),
        ("https://hooks.example.org/greenroom", "file:///etc/passwd", "an https address"),
        ("https://hooks.example.org/greenroom", "http://127.0.0.1.evil.example/", "an https address"),
        ("https://hooks.example.org/greenroom", "https://hooks.example.org/#x", "an https address"),
        ('"-1001234567890"', "-1001234567890", "healing.escalation.telegram.chat"),
        ('"-1001234567890"', '"ops"', "a channel such as @ops_alerts"),
        ("secret: ESCALATION_KEY", "secret: NOBODY", "NOBODY of healing.escalation.webhook.secret under secrets"),
        ("token: TELEGRAM_TOKEN", f'token: "{TOKEN}"', "the name of a secret"),
        ("token: TELEGRAM_TOKEN", "token: ADMIN_PASSWORD", "with a source other than generated"),
        ("escalation:", "escalations:", "did you mean escalation"),
    ],
)
def test_a_bad_channel_is_refused(stack: Callable[[str], Path], tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in HEALING
    with pytest.raises(ConfigurationError) as caught:
        load_file(stack(with_healing(HEALING.replace(old, new))), root=tmp_path)
    assert said in str(caught.value)


def test_the_environment_of_the_workload_cannot_name_healings_secrets(
    stack: Callable[[str], Path], tmp_path: Path
) -> None:
    text = with_healing().replace("ENVIRONMENT: staging", 'ENVIRONMENT: "{{ TELEGRAM_TOKEN }}"', 1)
    with pytest.raises(ConfigurationError, match="which nobody provides"):
        load_file(stack(text), root=tmp_path)


@pytest.mark.parametrize("url", ["http://localhost:8080/x", "http://127.0.0.5:1/", "https://10.1.2.3/h?a=b&c=d"])
def test_this_machine_needs_no_tls_and_an_address_is_a_host(
    stack: Callable[[str], Path], tmp_path: Path, url: str
) -> None:
    text = with_healing(HEALING.replace("https://hooks.example.org/greenroom", url))
    webhook = load_file(stack(text), root=tmp_path).healing.escalation.webhook
    assert webhook is not None
    assert webhook.url == url


def session(tmp_path: Path) -> Any:
    driver = SimpleNamespace(config=dict[str, str])
    return SimpleNamespace(stack="local", root=tmp_path, driver=driver, console=Console(redactor=Redactor()))


def test_a_stacks_own_secrets_sign_and_send_and_a_second_call_sends_nothing(
    stack: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ESCALATION_KEY", "a-long-signing-key-of-the-test")
    monkeypatch.setenv("TELEGRAM_TOKEN", TOKEN)
    with receiver(Reply()) as hook, receiver(Reply(body=b'{"ok": true}')) as bot:
        text = with_healing(HEALING.replace("https://hooks.example.org/greenroom", hook.url))
        stack(text.replace('chat: "-1001234567890"', f'chat: "-1001234567890", url: "{bot.url}"'))
        told = escalated(session(tmp_path), half_way(), tmp_path / "incidents")
        again = escalated(session(tmp_path), told, tmp_path / "incidents")
    assert again == told
    assert len(hook.requests) == len(bot.requests) == 1
    assert bot.requests[0].path == f"/bot{TOKEN}/sendMessage"
    said = "".join(capsys.readouterr())
    assert "webhook: sent" in said
    assert "telegram: sent" in said
    files = [each for each in (tmp_path / "incidents").rglob("*") if each.is_file()]
    assert len(files) == 5
    for each in files:
        assert TOKEN not in each.read_text()
        assert "a-long-signing-key" not in each.read_text()


def test_a_secret_that_is_not_there_is_a_line_and_the_other_channel_is_told(
    stack: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESCALATION_KEY", "a-long-signing-key-of-the-test")
    monkeypatch.delenv("TELEGRAM_TOKEN", raising=False)
    with receiver(Reply()) as hook:
        stack(with_healing(HEALING.replace("https://hooks.example.org/greenroom", hook.url)))
        told = escalated(session(tmp_path), half_way(), tmp_path / "incidents")
    assert len(hook.requests) == 1
    assert told.timeline[-1].text.startswith("telegram: not sent: environment: TELEGRAM_TOKEN: nothing; expected")


def test_settings_that_cannot_be_read_lose_no_escalation(stack: Callable[[str], Path], tmp_path: Path) -> None:
    stack("config: [")
    told = escalated(session(tmp_path), half_way(), tmp_path / "incidents")
    assert told.timeline[-1].text.startswith("settings: not sent: Pulumi.local.yaml")
    assert (tmp_path / "incidents" / half_way().id / "escalation.md").is_file()
