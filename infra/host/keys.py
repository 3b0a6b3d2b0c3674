"""Key pairs that are made once and remembered: the operator's login, and the host key of a droplet's first minute."""

from __future__ import annotations

__all__ = ["Bootstrap", "KeyPair", "new_key_pair", "public_half"]

from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from infra.commands.templates import render

if TYPE_CHECKING:
    from pulumi import Output, ResourceOptions

_TEMPLATE = "cloud-init.yaml.j2"
_MADE_FOR = ("generation", "region", "image")
"""What a change of replaces the droplet for; its successor gets a key of its own."""


def new_key_pair() -> tuple[str, str]:
    """Return a new ed25519 key pair: the public key as one line, the private key in OpenSSH's format."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 (rarely needed)
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return public, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def public_half(private_key: str) -> str:
    """Return the public key of a private one in OpenSSH's format, as one line without a comment."""
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 (rarely needed)
        Encoding,
        PublicFormat,
        load_ssh_private_key,
    )

    key = load_ssh_private_key(private_key.encode(), password=None)
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


class KeyPairProvider(ResourceProvider):
    """Makes a key pair at creation; nothing ever changes it."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the pair."""
        public, private = new_key_pair()
        line = f"{public} {props['comment']}".strip()
        return CreateResult(line.split()[1][-16:], {**_own(props), "public_key": line, "private_key": private})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Only another comment is a change."""
        return DiffResult(changes=_olds.get("comment") != _news.get("comment"))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Keep the keys, change the comment."""
        kind, material = str(_olds["public_key"]).split()[:2]
        line = f"{kind} {material} {_news['comment']}".strip()
        return UpdateResult({**_own(_news), "public_key": line, "private_key": _olds["private_key"]})


class KeyPair(Resource, module="greenroom", name="KeyPair"):
    """An ed25519 key pair, made once. The private half is a secret of the stack's state."""

    public_key: Output[str]
    private_key: Output[str]

    def __init__(self, name: str, *, comment: str = "", opts: ResourceOptions | None = None) -> None:
        props = {"comment": comment, "public_key": None, "private_key": None}
        super().__init__(KeyPairProvider(), name, props, _secret(opts, "private_key"))


class BootstrapProvider(ResourceProvider):
    """Makes the one-time host key at creation and renders user data around it, for one droplet as it is declared."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the key and the user data."""
        public, private = new_key_pair()
        return CreateResult(public.split()[1][-16:], _user_data(props, public, private))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Start over for another droplet. A changed template changes nothing: the droplet has booted already.

        What an older record does not tell is taken to be as it was.
        """
        changed = [name for name in _MADE_FOR if _olds.get(name, _news[name]) != _news[name]]
        return DiffResult(changes=bool(changed), replaces=changed)


class Bootstrap(Resource, module="greenroom", name="Bootstrap"):
    """A droplet's user data with a host key that is pinned by the first connection and serves no later one.

    A droplet that was deleted behind the program's back is made again from the same user data.
    """

    host_key: Output[str]
    """The public half, to pin."""
    user_data: Output[str]
    """A secret: it holds the private half."""

    def __init__(
        self, name: str, *, generation: int, region: str, image: str, opts: ResourceOptions | None = None
    ) -> None:
        made = dict.fromkeys(("host_key", "user_data", "private_key"))
        props = {"generation": generation, "region": region, "image": image, **made}
        super().__init__(BootstrapProvider(), name, props, _secret(opts, "private_key", "user_data"))


def _user_data(props: dict[str, Any], public: str, private: str) -> dict[str, Any]:
    text = render(_TEMPLATE, {"public_key": public, "private_key": private})
    return {**_own(props), "host_key": public, "private_key": private, "user_data": text}


def _own(props: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in props.items() if name in ("comment", *_MADE_FOR)}


def _secret(opts: ResourceOptions | None, *names: str) -> ResourceOptions:
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=list(names)))
