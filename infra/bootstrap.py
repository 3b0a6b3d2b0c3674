"""Makes a changed bootstrap template visible without ever acting on it.

A droplet reads its user data once. Were the template an input of the droplet, editing it would replace the machine;
were it ignored, nobody would learn that the droplet runs from an older one. So the user data is frozen with the
droplet's generation, and this resource carries the template's digest: `preview` shows an update here, `up` records it
with a warning, and only a raised `droplet.generation` replaces the droplet.

It stands outside `infra.cloud` because the dynamic provider's process imports the package of every provider class, and
`infra.cloud` would bring the whole DigitalOcean SDK with it.
"""

from __future__ import annotations

__all__ = ["BootstrapTemplate", "template_digest"]

import hashlib
from pathlib import Path
from typing import Any

import pulumi
from pulumi import dynamic

TEMPLATE = Path(__file__).parents[1] / "templates" / "cloud-init.yaml.j2"


def template_digest(path: Path = TEMPLATE) -> str:
    """Give the first half of the template's SHA-256, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


class BootstrapTemplateProvider(dynamic.ResourceProvider):
    """Compares digests; has nothing to do on any host."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Record what the droplet boots from."""
        return dynamic.CreateResult(props["digest"], {**props, "booted_from": props["digest"]})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Start over with a new generation; tell of a new digest."""
        new_generation = int(olds["generation"]) != int(news["generation"])
        return dynamic.DiffResult(
            changes=new_generation or olds["digest"] != news["digest"],
            replaces=["generation"] if new_generation else [],
        )

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Record the new template beside the one that the droplet booted from."""
        import sys  # noqa: PLC0415 - one line, on a rare day

        sys.stderr.write(
            "template: the droplet keeps its first boot; raise greenroom:droplet.generation to replace it\n"
        )
        return dynamic.UpdateResult({**news, "booted_from": olds["booted_from"]})


class BootstrapTemplate(dynamic.Resource, module="greenroom", name="BootstrapTemplate"):
    """The template that the present generation of the droplet should have booted from."""

    booted_from: pulumi.Output[str]

    def __init__(self, name: str, *, generation: int, opts: pulumi.ResourceOptions) -> None:
        properties = {"digest": template_digest(), "generation": generation, "booted_from": None}
        super().__init__(BootstrapTemplateProvider(), name, properties, opts)
