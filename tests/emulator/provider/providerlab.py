"""A provider as a process, driven through the protocol as an engine would, and a cloud for it to work on."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import httpx

from localcloud.digitalocean.testing import RecordingMachines, cloud_server
from localcloud.provider.protocol import provider_pb2, provider_pb2_grpc, status_pb2
from localcloud.provider.values import Properties, decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "dop_v1_canary0123456789"
OWN = (sys.executable, "-m", "localcloud.provider")
KINDS = {
    "Vpc": "vpc",
    "SshKey": "sshKey",
    "Droplet": "droplet",
    "Firewall": "firewall",
    "ReservedIp": "reservedIp",
    "ReservedIpAssignment": "reservedIpAssignment",
    "Domain": "domain",
    "DnsRecord": "dnsRecord",
    "Volume": "volume",
    "VolumeAttachment": "volumeAttachment",
    "Project": "project",
    "ProjectResources": "projectResources",
    "MonitorAlert": "monitorAlert",
    "Tag": "tag",
}


def official() -> Path | None:
    """Find the official plugin, if PULUMI_HOME has one."""
    home = Path(os.environ.get("PULUMI_HOME", Path.home() / ".pulumi"))
    found = sorted(home.glob("plugins/resource-digitalocean-v*/pulumi-resource-digitalocean"))
    return found[-1] if found else None


def urn(kind: str, name: str = "thing") -> str:
    return f"urn:pulumi:lab::lab::lab:index:Site$digitalocean:index/{KINDS[kind]}:{kind}::{name}"


@dataclass
class Cloud:
    """The local cloud with machines that boot nothing, and a hand to change things behind the provider's back."""

    url: str
    machines: RecordingMachines

    def hand(self, method: str, path: str, body: Properties | None = None) -> Any:
        reply = httpx.request(method, f"{self.url}/v2{path}", json=body, headers={"authorization": f"Bearer {TOKEN}"})
        assert reply.is_success, (method, path, reply.text)
        return reply.json() if reply.content else None

    def count(self, path: str, key: str, word: str = "") -> int:
        """Count the items of a listing that have a word in them."""
        return sum(word in str(item).lower() for item in self.hand("GET", f"{path}?per_page=200")[key])


@contextmanager
def open_cloud(directory: Path) -> Iterator[Cloud]:
    machines = RecordingMachines()
    with cloud_server(directory, machines) as server:
        yield Cloud(server.urls["http"], machines)


@dataclass(frozen=True)
class Difference:
    """A Diff reply."""

    changed: bool
    replaces: list[str]
    detail: dict[str, int]
    delete_first: bool


@dataclass(frozen=True)
class Made:
    """A resource that exists."""

    kind: str
    id: str
    inputs: Properties
    outputs: Properties
    name: str = "thing"


class HalfDoneError(Exception):
    """An act that failed and left something."""

    def __init__(self, identity: str, outputs: Properties, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.identity = identity
        self.outputs = outputs
        self.reasons = reasons


class FailedError(Exception):
    """An act that failed."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class Plugin:
    """A running provider."""

    def __init__(self, argv: tuple[str, ...], url: str, token: str = TOKEN, **settings: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DIGITALOCEAN")}
        environment["PULUMI_CONFIG"] = "{}"
        self.process = subprocess.Popen(
            [*argv, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
        )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", options=[("grpc.enable_http_proxy", 0)])
        self.stub = provider_pb2_grpc.ResourceProviderStub(self.channel)
        try:
            self.capabilities = self.configure({"apiEndpoint": url, "token": token, **settings})
        except BaseException:
            self.close()
            raise

    def configure(self, arguments: dict[str, str]) -> provider_pb2.ConfigureResponse:
        return self.call(
            "Configure",
            provider_pb2.ConfigureRequest(
                variables={f"digitalocean:config:{key}": value for key, value in arguments.items()},
                args=encode(arguments),
                acceptSecrets=True,
                acceptResources=True,
            ),
        )

    def close(self) -> None:
        self.channel.close()
        self.process.terminate()
        self.process.wait(10)
        assert self.process.stdout
        self.process.stdout.close()

    def check(
        self, kind: str, news: Properties, olds: Properties | None = None, *, name: str = "thing", **more: Any
    ) -> tuple[Properties, dict[str, str]]:
        request = provider_pb2.CheckRequest(
            urn=urn(kind, name), name=name, olds=encode(olds or {}), news=encode(news), randomSeed=b"s" * 32, **more
        )
        reply = self.call("Check", request)
        return decode(reply.inputs), {failure.property: failure.reason for failure in reply.failures}

    def checked(
        self, kind: str, news: Properties, olds: Properties | None = None, *, name: str = "thing"
    ) -> Properties:
        inputs, failures = self.check(kind, news, olds, name=name)
        assert not failures
        return inputs

    def diff(self, made: Made, news: Properties) -> Difference:
        request = provider_pb2.DiffRequest(
            id=made.id,
            urn=urn(made.kind, made.name),
            olds=encode(made.outputs),
            old_inputs=encode(made.inputs),
            news=encode(news),
        )
        reply = self.call("Diff", request)
        return Difference(
            changed=reply.changes == provider_pb2.DiffResponse.DIFF_SOME,
            replaces=sorted(reply.replaces),
            detail={path: each.kind for path, each in reply.detailedDiff.items()},
            delete_first=reply.deleteBeforeReplace,
        )

    def preview(self, kind: str, inputs: Properties) -> Properties:
        request = provider_pb2.CreateRequest(urn=urn(kind), properties=encode(inputs), preview=True)
        return decode(self.call("Create", request).properties)

    def create(self, kind: str, news: Properties, *, name: str = "thing", timeout: float = 60) -> Made:
        inputs = self.checked(kind, news, name=name)
        request = provider_pb2.CreateRequest(urn=urn(kind, name), properties=encode(inputs), timeout=timeout)
        reply = self.call("Create", request)
        assert reply.id
        return Made(kind, reply.id, inputs, decode(reply.properties), name)

    def update(self, made: Made, news: Properties, *, timeout: float = 60, preview: bool = False) -> Made:
        program = {key: value for key, value in news.items() if key not in news.get("__defaults", [])}
        inputs = self.checked(made.kind, program, made.inputs, name=made.name)
        request = provider_pb2.UpdateRequest(
            id=made.id,
            urn=urn(made.kind, made.name),
            olds=encode(made.outputs),
            old_inputs=encode(made.inputs),
            news=encode(inputs),
            timeout=timeout,
            preview=preview,
        )
        return Made(made.kind, made.id, inputs, decode(self.call("Update", request).properties), made.name)

    def read(self, made: Made) -> Made | None:
        request = provider_pb2.ReadRequest(
            id=made.id,
            urn=urn(made.kind, made.name),
            properties=encode(made.outputs),
            inputs=encode(made.inputs),
        )
        reply = self.call("Read", request)
        if not reply.id:
            return None
        return Made(made.kind, reply.id, decode(reply.inputs), decode(reply.properties), made.name)

    def delete(self, made: Made, *, timeout: float = 60) -> None:
        request = provider_pb2.DeleteRequest(
            id=made.id,
            urn=urn(made.kind, made.name),
            properties=encode(made.outputs),
            old_inputs=encode(made.inputs),
            timeout=timeout,
        )
        self.call("Delete", request)

    def call(self, method: str, request: Any) -> Any:
        try:
            return getattr(self.stub, method)(request, timeout=180)
        except grpc.RpcError as error:
            for key, value in error.trailing_metadata() or ():
                if key == "grpc-status-details-bin":
                    raise half_done(value) from None
            raise FailedError(error.code(), error.details() or "") from None


def half_done(value: bytes) -> HalfDoneError:
    status = status_pb2.Status.FromString(value)
    failed = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(failed)
    return HalfDoneError(failed.id, decode(failed.properties), list(failed.reasons))
