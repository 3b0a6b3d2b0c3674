"""AWS Secrets Manager and Vault as servers on loopback, for the tests of secret sources.

AWS is moto's server. Vault is OpenBao, the open fork with Vault's API, as a real server in its development mode.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# pytest's importlib mode does not put a test's folder on the path; the servers' module lives here.
sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretservers import Counting


def pytest_configure(config: pytest.Config) -> None:
    """Know the marks of the security statements, which are called here without their suite."""
    for mark in ("check(number, remedy): of a statement", "needs(fact): of a statement"):
        config.addinivalue_line("markers", mark)


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
    import boto3  # noqa: PLC0415 (only tests of sources pay for the clients)
    import requests  # noqa: PLC0415
    from secretservers import Counting, serving  # noqa: PLC0415

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


@pytest.fixture(scope="module")
def bao_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server: OpenBao's development mode keeps everything in memory and has a KV version 2 engine at secret/."""
    import requests  # noqa: PLC0415
    from secretservers import ROOT_TOKEN  # noqa: PLC0415

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
    import hvac  # noqa: PLC0415
    from secretservers import ROOT_TOKEN, Counting, reader_token, serving  # noqa: PLC0415

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
        yield server, {"VAULT_ADDR": server.url, "VAULT_TOKEN": reader_token(client)}
