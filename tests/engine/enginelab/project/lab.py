"""What the micro programs are made of: a thing, a group of things, and the provider's own resource."""

from __future__ import annotations

from typing import Any

import pulumi


class Thing(pulumi.CustomResource):
    """A resource of the scripted provider; `stamp` is known once it exists."""

    stamp: pulumi.Output[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **properties: Any) -> None:
        super().__init__("testprovider:index:Thing", name, {"stamp": None, **properties}, opts)


class Group(pulumi.ComponentResource):
    """A component without behaviour."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **properties: Any) -> None:
        super().__init__("lab:index:Group", name, properties or None, opts)


class Source(pulumi.ProviderResource):
    """An explicit instance of the scripted provider."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None, **properties: Any) -> None:
        super().__init__("testprovider", name, properties, opts)


def options(**settings: Any) -> pulumi.ResourceOptions:
    """Spell `pulumi.ResourceOptions` shortly."""
    return pulumi.ResourceOptions(**settings)
