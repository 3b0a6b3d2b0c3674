"""The providers of a run: which one serves a resource, and the configured process behind each.

A provider is itself a resource. Explicit ones are registered by the program; default ones are registered here on first
use, one for each (package, version, download address). Providers that only the state knows are started from what the
state says when a leftover of theirs has to be deleted or refreshed.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from localcloud.engine import urn as urns
from localcloud.engine.builtin import BuiltinClient
from localcloud.engine.clients import Identity, ProviderClient
from localcloud.engine.goal import Goal
from localcloud.engine.plugins import Plugin, ProviderError
from localcloud.engine.starting import BUILTIN_PACKAGE, NoPluginError
from localcloud.engine.values import UNKNOWN_STRING, Secret, contains_unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.engine.project import Configuration, Project
    from localcloud.engine.reporter import Reporter
    from localcloud.engine.starting import Starter
    from localcloud.engine.state import ResourceState, Snapshot
    from localcloud.engine.values import PropertyMap

Client = ProviderClient | BuiltinClient
INTERNAL = "__internal"


class Providers:
    """Finds, starts and configures providers; thread-safe."""

    def __init__(
        self,
        starter: Starter,
        project: Project,
        configuration: Configuration,
        base: Snapshot,
        reporter: Reporter,
        *,
        builtin: Callable[[], BuiltinClient],
        preview: bool,
    ) -> None:
        self._starter = starter
        self._project = project
        self._configuration = configuration
        self._base = base
        self._reporter = reporter
        self._builtin = builtin
        self._preview = preview
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}
        self._opened: list[Client] = []
        self._guards: dict[str, threading.Lock] = {}
        self._defaults: dict[tuple[str, str, str], str] = {}
        self._is_cancelled = False

    def default(self, package: str, version: str, url: str, register: Callable[[Goal], str]) -> str:
        """Return the reference of a package's default provider, registering it the first time."""
        key = (package, version, url)
        with self._guard(f"default {key}"):
            if key not in self._defaults:
                self._defaults[key] = register(self._default_goal(package, version, url))
            return self._defaults[key]

    def _default_goal(self, package: str, version: str, url: str) -> Goal:
        inputs = package_config(self._configuration, package)
        if version:
            inputs["version"] = version
        if url:
            inputs["pluginDownloadURL"] = url
        return Goal(
            type=f"{urns.PROVIDER_TYPE_PREFIX}{package}",
            name=default_name(version, url),
            custom=True,
            inputs=inputs,
            version=version,
            plugin_url=url,
        )

    def open(self, resource_type: str, inputs: PropertyMap) -> Client:
        """Start a process for a provider resource and shake hands. Raises ProviderError."""
        package = urns.package_of(resource_type)
        if package == BUILTIN_PACKAGE:
            return self._builtin()
        version = inputs.get("version")
        own = {key: str(_bare(value)) for key, value in package_config(self._configuration, package).items()}
        if package == urns.DYNAMIC_PACKAGE:
            own = {}
        try:
            child = self._starter.take(package, version if isinstance(version, str) else "", own)
        except NoPluginError as error:
            raise ProviderError(str(error)) from error
        plugin = Plugin(package, child, lambda line: self._reporter.say("info", line))
        client = ProviderClient(plugin, preview=self._preview)
        with self._lock:
            self._opened.append(client)
            cancelled = self._is_cancelled
        if cancelled:
            raise ProviderError("The run was cancelled")
        client.introduce(self._starter.engine_address, str(self._project.root), str(self._project.main))
        return client

    def bind(self, client: Client, entry: ResourceState, inputs: PropertyMap) -> None:
        """Configure a provider's process and make it the one behind the provider's reference.

        One that serves in this run already (see `running`) has this very configuration, and takes none twice.
        """
        with self._lock:
            is_configured = any(each is client for each in self._clients.values())
        if not is_configured and not contains_unknown(inputs):
            known = {key: value for key, value in inputs.items() if key != INTERNAL}
            identity = "" if entry.id == UNKNOWN_STRING else entry.id
            client.configure(identify(entry), identity, urns.package_of(entry.type), known)
        with self._lock:
            self._clients[entry.reference] = client

    def running(self, reference: str) -> Client | None:
        """Return the process behind a reference where there is one in this run."""
        with self._lock:
            return self._clients.get(reference)

    def knows(self, reference: str) -> bool:
        """Say whether the reference is that of a provider of this run."""
        with self._lock:
            return reference in self._clients

    def client(self, reference: str) -> Client:
        """Return the process behind a reference, started from the state if need be. Raises ProviderError."""
        with self._guard(reference):
            with self._lock:
                found = self._clients.get(reference)
            if found is not None:
                return found
            entry = self._from_state(reference)
            client = self.open(entry.type, entry.inputs)
            self.bind(client, entry, entry.inputs)
            return client

    def _from_state(self, reference: str) -> ResourceState:
        for entry in self._base.resources:
            if urns.is_provider(entry.type) and entry.reference == reference:
                return entry
        raise ProviderError(f"The provider {reference} is neither registered nor in the state")

    def _guard(self, key: str) -> threading.Lock:
        with self._lock:
            return self._guards.setdefault(key, threading.Lock())

    def cancel(self) -> None:
        """Ask every provider to give up what it is doing."""
        with self._lock:
            self._is_cancelled = True
            opened = list(self._opened)
        threads = [threading.Thread(target=client.cancel, daemon=True) for client in opened]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def close(self) -> None:
        """Close every connection; the processes are the starter's to stop."""
        with self._lock:
            opened = list(self._opened)
        for client in opened:
            if isinstance(client, ProviderClient):
                client.plugin.close()


def identify(entry: ResourceState) -> Identity:
    """Return how provider calls name the resource."""
    return Identity(entry.urn, urns.name_of(entry.urn), entry.type)


def default_name(version: str, url: str) -> str:
    """Return the name of a default provider: `default`, and the version and address with `_` between."""
    parts = [part for part in re.split(r"[.+-]", version) if part]
    if url:
        parts.append(re.sub(r"[^A-Za-z0-9]", "_", url))
    return "_".join(["default", *parts])


def package_config(configuration: Configuration, package: str) -> dict[str, Any]:
    """Return a package's configuration as provider inputs; dynamic providers see all of it, under full names."""
    inputs: dict[str, Any] = {}
    for key, text in configuration.values.items():
        namespace, _, name = key.partition(":")
        if package == urns.DYNAMIC_PACKAGE:
            name = key
        elif namespace != package:
            continue
        inputs[name] = Secret(text) if key in configuration.secret_keys else text
    return inputs


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, Secret) else value
