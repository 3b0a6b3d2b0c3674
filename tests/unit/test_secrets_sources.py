"""Sources of secrets together: every problem at once, in bounded time, and nothing loaded that a run does not need."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from infra.deployment import given_secrets
from infra.errors import ConfigurationError
from infra.secret import Rule, gather
from infra.secret.aws import AwsPlace, AwsSource
from infra.secret.vault import VaultPlace, VaultSource
from infra.settings import load_file

if TYPE_CHECKING:
    from secretservers import Counting

ROOT = Path(__file__).parents[2]
# boto's vendored requests and moto's Flask warn of themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.usefixtures("aws")
def test_a_server_that_takes_the_connection_and_says_nothing_is_left_after_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infra.secret.aws.READ_S", 0.3)
    monkeypatch.setattr("infra.secret.vault.TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", address)
        sources = {
            "A": AwsSource({"A": AwsPlace("plain")}),
            "V": VaultSource({"V": VaultPlace("secret/x", "A")}, {"VAULT_ADDR": address, "VAULT_TOKEN": "t"}),
        }
        began = time.monotonic()
        with pytest.raises(ConfigurationError) as caught:
            gather(dict.fromkeys(sources, Rule()), sources)
        took = time.monotonic() - began
    assert ["[UNREACHABLE]" in each.found for each in caught.value.problems] == [True, True]
    assert 0.9 < took < 8, "three tries of 0.3 s each, side by side, and the pauses between"


def test_all_problems_of_all_sources_come_at_once(
    vault: tuple[Counting, dict[str, str]], aws: Counting, tmp_path: Path
) -> None:
    del aws
    text = (ROOT / "Pulumi.staging.yaml").read_text()
    declared = {
        "RESEND_API_KEY": "{source: aws, id: tsh-erp/staging, key: RESEND}",
        "ZOHO_CLIENT_ID": "{source: vault, path: secret/tsh-erp/none}",
        "ZOHO_CLIENT_SECRET": "{source: environment}",
        "ZOHO_REFRESH_TOKEN": "{source: config, alphabet: hex}",
        "ZOHO_ORGANIZATION_ID": "{source: aws, id: plain}",
    }
    for name, setting in declared.items():
        line = next(line for line in text.splitlines() if line.startswith(f"    {name}:"))
        text = text.replace(line, f"    {name}: {setting}")
    for name in ("examples/tsh-erp/acceptance.yaml",):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "Pulumi.staging.yaml").write_text(text)
    settings = load_file(tmp_path / "Pulumi.staging.yaml", root=tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        given_secrets(settings, "staging", {"ZOHO_REFRESH_TOKEN": "canary not hex"}, vault[1])

    found = {each.key: (each.where, each.found) for each in caught.value.problems}
    assert found["RESEND_API_KEY"][0] == "AWS Secrets Manager"
    assert "NO_SUCH_KEY" in found["RESEND_API_KEY"][1]
    assert found["ZOHO_CLIENT_ID"][0].startswith("Vault http://127.0.0.1")
    assert "NOT_FOUND" in found["ZOHO_CLIENT_ID"][1]
    assert found["ZOHO_CLIENT_SECRET"] == ("environment", "nothing")
    assert found["ZOHO_REFRESH_TOKEN"] == ("Pulumi.staging.yaml", "characters that are not hex")
    assert "ZOHO_ORGANIZATION_ID" not in found
    assert caught.value.exit_code == 2
    assert "canary" not in str(caught.value)
    assert urlsplit(vault[1]["VAULT_ADDR"]).port


@pytest.mark.parametrize(
    ("modules", "absent"),
    [("infra.deployment, infra.settings, infra.cli.secret", "boto3 hvac requests"), ("infra.secret", "pydantic boto3")],
)
def test_what_a_run_does_not_need_is_not_loaded(modules: str, absent: str) -> None:
    script = f"import sys, {modules}; print([each for each in {absent.split()} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
