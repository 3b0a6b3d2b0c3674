"""AWS Secrets Manager and Vault, asked by their real clients.

AWS is moto's server on loopback. Two refusals that moto does not know (an expired token, a key that may not be used)
are answered as the service documents them, by a small server. Vault is OpenBao, the open fork with Vault's API, as a
real server in its development mode.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import hvac
import pytest
import requests

from infra.deployment import given_secrets
from infra.errors import ConfigurationError
from infra.secret import Rule, SecretError, gather
from infra.secret.aws import AwsPlace, AwsSource
from infra.secret.vault import VaultPlace, VaultSource
from infra.settings import load_file

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ROOT_TOKEN = "root-token-of-the-test"
# boto's vendored requests and moto's Flask warn of themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Counting(ThreadingHTTPServer):
    """Passes requests on to another server and counts them, or answers with a status and body of its own."""

    def __init__(self, upstream: str = "", answer: tuple[int, dict[str, str]] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.answer = upstream, answer
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Counting

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(self.headers.get("X-Amz-Target", self.path))
        if self.server.answer:
            status, content = self.server.answer[0], json.dumps(self.server.answer[1]).encode()
        else:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            passed = requests.request(
                self.command, self.server.upstream + self.path, data=body, headers=headers, timeout=10
            )
            status, content = passed.status_code, passed.content
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_GET  # noqa: N815 (the base class looks for these names)

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


@contextlib.contextmanager
def serving(server: Counting) -> Iterator[Counting]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


# ---- AWS


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 (half a second)

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Counting]:
    """An account with three secrets, and a counter in front of it."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    values = {
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "a-key-of-the-test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    requests.post(f"{moto_url}/moto-api/reset", timeout=5).raise_for_status()
    client: Any = boto3.client("secretsmanager", endpoint_url=moto_url, region_name="eu-central-1")
    text = json.dumps({"RESEND_API_KEY": "re_canary_1234567", "NUMBER": 7, "EMPTY": ""})
    client.create_secret(Name="tsh-erp/staging", SecretString=text)
    client.create_secret(Name="plain", SecretString="a whole text of canary-2")
    client.create_secret(Name="bytes", SecretBinary=b"\x00\x01")
    client.create_secret(Name="doomed", SecretString="x")
    client.delete_secret(SecretId="doomed")
    with serving(Counting(moto_url)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url)
        yield server


def test_aws_gives_keys_and_whole_texts_with_one_call_for_each_secret(aws: Counting) -> None:
    places = {f"KEY_{n}": AwsPlace("tsh-erp/staging", "RESEND_API_KEY") for n in range(20)}
    source = AwsSource({**places, "WHOLE": AwsPlace("plain")})
    found = gather(dict.fromkeys([*places, "WHOLE"], Rule()), dict.fromkeys([*places, "WHOLE"], source))

    assert found["KEY_7"].reveal() == "re_canary_1234567"
    assert found["WHOLE"].reveal() == "a whole text of canary-2"
    assert found["WHOLE"].changed is not None
    assert aws.seen == ["secretsmanager.GetSecretValue"] * 2


AWS_REFUSALS = [
    (AwsPlace("nowhere"), "NOT_FOUND", "aws secretsmanager list-secrets"),
    (AwsPlace("doomed"), "NOT_FOUND", "aws secretsmanager list-secrets"),
    (AwsPlace("bytes"), "NO_TEXT", "--query VersionId"),
    (AwsPlace("plain", "KEY"), "NO_SUCH_KEY", "--secret-id plain"),
    (AwsPlace("tsh-erp/staging", "RESEND"), "NO_SUCH_KEY", "--secret-id tsh-erp/staging"),
    (AwsPlace("tsh-erp/staging", "NUMBER"), "NO_TEXT", "--secret-id tsh-erp/staging"),
]


@pytest.mark.parametrize(("place", "reason", "hint"), AWS_REFUSALS, ids=[str(each[0]) for each in AWS_REFUSALS])
def test_each_refusal_of_aws_has_its_reason(aws: Counting, place: AwsPlace, reason: str, hint: str) -> None:
    del aws
    with pytest.raises(SecretError) as caught:
        AwsSource({"NAME": place}).read("NAME")
    assert (caught.value.name, caught.value.reason) == ("NAME", reason)
    assert hint in caught.value.hint
    assert "canary" not in str(caught.value)


DOCUMENTED = [
    ("ExpiredTokenException", "CREDENTIALS_EXPIRED", "aws sso login"),
    ("AccessDeniedException", "ACCESS_DENIED", "get-secret-value"),
    ("DecryptionFailure", "ACCESS_DENIED", "get-secret-value"),
    ("UnrecognizedClientException", "ACCESS_DENIED", "get-secret-value"),
    ("ThrottlingException", "UNREACHABLE", "get-secret-value"),
]


@pytest.mark.parametrize(("code", "reason", "hint"), DOCUMENTED, ids=[each[0] for each in DOCUMENTED])
@pytest.mark.usefixtures("aws")
def test_refusals_that_moto_does_not_know_are_told_as_documented(
    monkeypatch: pytest.MonkeyPatch, code: str, reason: str, hint: str
) -> None:
    with serving(Counting(answer=(400, {"__type": code, "message": "no"}))) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url)
        with pytest.raises(SecretError) as caught:
            AwsSource({"NAME": AwsPlace("plain")}).read("NAME")
        assert len(server.seen) == (3 if code == "ThrottlingException" else 1), "three tries, and only where it helps"
    assert caught.value.reason == reason
    assert hint in caught.value.hint


@pytest.mark.usefixtures("aws")
def test_aws_that_does_not_answer_is_given_up_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{port}")
    names = [f"N{number}" for number in range(12)]
    source = AwsSource(dict.fromkeys(names, AwsPlace("plain")))
    began = time.monotonic()
    with pytest.raises(ConfigurationError) as caught:
        gather(dict.fromkeys(names, Rule()), dict.fromkeys(names, source))
    assert [each.key for each in caught.value.problems] == names
    assert all("[UNREACHABLE]" in each.found for each in caught.value.problems)
    assert time.monotonic() - began < 12


@pytest.mark.parametrize(
    ("unset", "reason"), [("AWS_REGION", "NOT_CONFIGURED"), ("AWS_ACCESS_KEY_ID", "NO_CREDENTIALS")]
)
@pytest.mark.usefixtures("aws")
def test_aws_without_region_or_credentials_says_so(monkeypatch: pytest.MonkeyPatch, unset: str, reason: str) -> None:
    monkeypatch.delenv(unset)
    if unset == "AWS_ACCESS_KEY_ID":
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SecretError) as caught:
        AwsSource({"NAME": AwsPlace("plain")}).read("NAME")
    assert caught.value.reason == reason


# ---- Vault


@pytest.fixture(scope="module")
def bao_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server: OpenBao's development mode keeps everything in memory and has a KV version 2 engine at secret/."""
    program = Path(sys.executable).with_name("bao")
    binary = shutil.which("bao", path=str(program.parent)) or shutil.which("bao")
    if binary is None:
        pytest.skip("no bao on this machine (it comes with the development requirements)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("bao")
    log = (home / "log").open("wb")
    argv = [binary, "server", "-dev", f"-dev-root-token-id={ROOT_TOKEN}", f"-dev-listen-address=127.0.0.1:{port}"]
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(argv, env=environment, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/v1/sys/health", timeout=1).status_code == 200:
                break
        time.sleep(0.1)
    try:
        yield url
    finally:
        process.terminate()
        process.wait(10)
        log.close()


@pytest.fixture
def vault(bao_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Counting, dict[str, str]]]:
    """A counter in front of a Vault that holds two keys, and an environment that opens it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("VAULT_ADDR", "VAULT_TOKEN", "VAULT_CACERT"):
        monkeypatch.delenv(name, raising=False)
    client = hvac.Client(bao_url, ROOT_TOKEN)
    kv = client.secrets.kv.v2
    kv.create_or_update_secret("tsh-erp/staging", {"RESEND_API_KEY": "re_canary_1234567", "NUMBER": 7})
    kv.create_or_update_secret("gone", {"A": "b"})
    kv.delete_latest_version_of_secret("gone")
    rules = 'path "secret/data/tsh-erp/*" { capabilities = ["read"] }'
    client.sys.create_or_update_policy("reader", rules)
    with serving(Counting(bao_url)) as server:
        yield server, {"VAULT_ADDR": server.url, "VAULT_TOKEN": _token(client)}


def _token(client: hvac.Client, **options: Any) -> str:
    return str(client.auth.token.create(policies=["reader"], **options)["auth"]["client_token"])


def test_vault_gives_keys_with_one_call_for_each_path(vault: tuple[Counting, dict[str, str]]) -> None:
    server, environment = vault
    names = [f"N{number}" for number in range(20)]
    source = VaultSource(dict.fromkeys(names, VaultPlace("secret/tsh-erp/staging", "RESEND_API_KEY")), environment)
    found = gather(dict.fromkeys(names, Rule()), dict.fromkeys(names, source))

    assert {each.reveal() for each in found.values()} == {"re_canary_1234567"}
    assert found["N0"].changed is not None
    assert server.seen == ["/v1/secret/data/tsh-erp/staging"]


VAULT_REFUSALS = [
    (VaultPlace("secret/tsh-erp/none", "A"), "NOT_FOUND", "vault kv metadata get secret/tsh-erp/none"),
    (VaultPlace("secret/tsh-erp/staging", "RESEND"), "NO_SUCH_KEY", "vault kv metadata get"),
    (VaultPlace("secret/tsh-erp/staging", "NUMBER"), "NO_TEXT", "vault kv metadata get"),
    (VaultPlace("secret/other", "A"), "ACCESS_DENIED", "vault token capabilities secret/data/other"),
]


@pytest.mark.parametrize(("place", "reason", "hint"), VAULT_REFUSALS, ids=[str(each[0]) for each in VAULT_REFUSALS])
def test_each_refusal_of_vault_has_its_reason(
    vault: tuple[Counting, dict[str, str]], place: VaultPlace, reason: str, hint: str
) -> None:
    with pytest.raises(SecretError) as caught:
        VaultSource({"NAME": place}, vault[1]).read("NAME")
    assert (caught.value.name, caught.value.reason) == ("NAME", reason)
    assert hint in caught.value.hint
    assert "canary" not in str(caught.value)


def test_a_deleted_version_is_nothing(vault: tuple[Counting, dict[str, str]]) -> None:
    environment = {**vault[1], "VAULT_TOKEN": ROOT_TOKEN}
    with pytest.raises(SecretError) as caught:
        VaultSource({"NAME": VaultPlace("secret/gone", "A")}, environment).read("NAME")
    assert caught.value.reason == "NOT_FOUND"


def test_an_expired_token_is_told_from_one_that_may_not_read(
    vault: tuple[Counting, dict[str, str]], bao_url: str
) -> None:
    token = _token(hvac.Client(bao_url, ROOT_TOKEN), ttl="1s")
    time.sleep(1.6)
    with pytest.raises(SecretError) as caught:
        VaultSource({"NAME": VaultPlace("secret/tsh-erp/staging", "A")}, {**vault[1], "VAULT_TOKEN": token}).read(
            "NAME"
        )
    assert (caught.value.reason, caught.value.hint) == ("CREDENTIALS_EXPIRED", "vault login")
    assert token not in str(caught.value)


def test_an_approle_logs_in(vault: tuple[Counting, dict[str, str]], bao_url: str) -> None:
    client = hvac.Client(bao_url, ROOT_TOKEN)
    if "approle/" not in client.sys.list_auth_methods():
        client.sys.enable_auth_method("approle")
    client.auth.approle.create_or_update_approle("greenroom", token_policies=["reader"])
    role = client.auth.approle.read_role_id("greenroom")["data"]["role_id"]
    secret = client.auth.approle.generate_secret_id("greenroom")["data"]["secret_id"]
    environment = {"VAULT_ADDR": vault[1]["VAULT_ADDR"], "VAULT_ROLE_ID": role, "VAULT_SECRET_ID": secret}
    places = {"NAME": VaultPlace("secret/tsh-erp/staging", "RESEND_API_KEY")}

    found = VaultSource(places, environment).read("NAME")
    assert found is not None
    assert found.reveal() == "re_canary_1234567"
    with pytest.raises(SecretError) as caught:
        VaultSource(places, {**environment, "VAULT_SECRET_ID": "of-yesterday"}).read("NAME")
    assert caught.value.reason == "CREDENTIALS_EXPIRED"


def test_vault_that_does_not_answer_is_given_up_in_bounded_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(SecretError) as caught:
        VaultSource({"NAME": VaultPlace("secret/x", "A")}, {"VAULT_ADDR": address, "VAULT_TOKEN": "t"}).read("NAME")
    assert (caught.value.reason, caught.value.hint) == ("UNREACHABLE", "vault status")
    assert time.monotonic() - began < 12


@pytest.mark.parametrize(
    ("environment", "reason"),
    [({}, "NOT_CONFIGURED"), ({"VAULT_ADDR": "http://127.0.0.1:9"}, "NO_CREDENTIALS")],
)
def test_vault_without_address_or_token_says_so(
    environment: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    with pytest.raises(SecretError) as caught:
        VaultSource({"NAME": VaultPlace("secret/x", "A")}, environment).read("NAME")
    assert caught.value.reason == reason


# ---- together


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
