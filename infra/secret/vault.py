"""HashiCorp Vault and OpenBao, by hvac: key-value engine version 2, one read for each path.

`VAULT_ADDR`, `VAULT_TOKEN` or `~/.vault-token`, `VAULT_NAMESPACE`, `VAULT_CACERT` and `VAULT_CAPATH` mean what they do
to that client; `VAULT_ROLE_ID` with `VAULT_SECRET_ID` logs in by AppRole, as CI systems do. Loaded by stacks that use
it only.
"""

from __future__ import annotations

__all__ = ["VaultPlace", "VaultSource"]

import os
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.secret.shelf import Bundle, Refusal
from infra.secret.shelved import ShelvedSource

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S, RETRIES = 5, 2
_PASSING = (412, 429, 500, 502, 503, 504)
"""Statuses that another try may get over: a standby that lags, limits, a server that starts."""


@dataclass(frozen=True)
class VaultPlace:
    """Where one secret is: mount and path as `vault kv get` takes them, and the key in what lies there."""

    path: str
    key: str


class VaultSource(ShelvedSource[VaultPlace]):
    """The secrets of one stack that lie in Vault."""

    def __init__(self, places: Mapping[str, VaultPlace], environment: Mapping[str, str] | None = None) -> None:
        super().__init__(places)
        self._environment = os.environ if environment is None else environment

    @property
    def where(self) -> str:
        """Name the source and its address."""
        return f"Vault {self._environment.get('VAULT_ADDR', '')}".strip()

    def advice(self, name: str) -> str:
        """Name the command that puts a new value there, from standard input."""
        place = self._places[name]
        return f"vault kv patch {place.path} {place.key}=-"

    @cached_property
    def _client(self) -> Any:
        import hvac  # noqa: PLC0415 (requests and its friends)
        import requests  # noqa: PLC0415
        from requests.adapters import HTTPAdapter  # noqa: PLC0415
        from urllib3.util import Retry  # noqa: PLC0415

        if not self._environment.get("VAULT_ADDR"):
            raise Refusal(
                "NOT_CONFIGURED", "no Vault address is set", "export VAULT_ADDR=https://vault.example.org:8200"
            )
        session = requests.Session()
        session.verify = self._trusted()  # a session that is given wins over the client's own look at the environment
        retry = Retry(
            total=RETRIES, backoff_factor=0.2, backoff_jitter=0.4, status_forcelist=_PASSING, raise_on_status=False
        )
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        client = hvac.Client(
            url=self._environment["VAULT_ADDR"],
            token=self._environment.get("VAULT_TOKEN"),
            namespace=self._environment.get("VAULT_NAMESPACE"),
            timeout=TIMEOUT_S,
            session=session,
        )
        role, secret = self._environment.get("VAULT_ROLE_ID"), self._environment.get("VAULT_SECRET_ID")
        if role and secret and not self._environment.get("VAULT_TOKEN"):
            client.auth.approle.login(role_id=role, secret_id=secret)
        if not client.token:
            raise Refusal("NO_CREDENTIALS", "no token and no AppRole in the environment", "vault login")
        return client

    def _trusted(self) -> str | bool:
        """Give the file or directory of the authorities that Vault is trusted by; True for the usual ones."""
        for name in ("VAULT_CACERT", "VAULT_CAPATH"):
            path = self._environment.get(name)
            if path and not Path(path).exists():
                raise Refusal("NOT_CONFIGURED", f"{name} names {path}, which is not there", f"export {name}=…")
            if path:
                return path
        return True

    def _bundle_of(self, place: VaultPlace) -> str:
        return place.path

    def _fetch(self, bundle: str) -> Bundle:
        import requests  # noqa: PLC0415
        from hvac import exceptions  # noqa: PLC0415

        mount, _, path = bundle.partition("/")
        try:
            kv = self._client.secrets.kv.v2
            answer = kv.read_secret_version(path=path, mount_point=mount, raise_on_deleted_version=True)
        except exceptions.InvalidPath as error:
            why = f"there is nothing at {bundle}, or its newest version is deleted"
            raise Refusal("NOT_FOUND", why, f"vault kv metadata get {bundle}") from error
        except (exceptions.Forbidden, exceptions.Unauthorized, exceptions.InvalidRequest) as error:
            raise self._denied(bundle) from error
        except (exceptions.VaultError, requests.RequestException) as error:
            why = f"no answer after {RETRIES + 1} tries ({type(error).__name__})"
            raise Refusal("UNREACHABLE", why, "vault status") from error
        data = answer["data"]
        return Bundle(data["data"], datetime.fromisoformat(data["metadata"]["created_time"]))

    def _pick(self, bundle: Bundle, place: VaultPlace) -> str:
        value = bundle.texts.get(place.key)
        hint = f"vault kv metadata get {place.path}"
        if value is None:
            keys = ", ".join(sorted(bundle.texts)) or "none"
            raise Refusal("NO_SUCH_KEY", f"{place.path} has no key {place.key}; it has {keys}", hint)
        if not isinstance(value, str):
            raise Refusal("NO_TEXT", f"the key {place.key} of {place.path} is no text", hint)
        return value

    def _denied(self, place: str) -> Refusal:
        """Tell a token that is no good from one that may not read the path: Vault says `permission denied` to both."""
        import requests  # noqa: PLC0415
        from hvac import exceptions  # noqa: PLC0415

        try:
            self._client.auth.token.lookup_self()
        except (exceptions.VaultError, requests.RequestException):
            return Refusal(
                "CREDENTIALS_EXPIRED", "the token or the AppRole's secret is expired or unknown", "vault login"
            )
        return Refusal("ACCESS_DENIED", f"the token may not read {place}", f"vault token capabilities {_api(place)}")


def _api(place: str) -> str:
    mount, _, path = place.partition("/")
    return f"{mount}/data/{path}"
