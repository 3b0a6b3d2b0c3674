"""Resource names: `urn:pulumi:<stack>::<project>::<qualified type>::<name>`.

The qualified type is the parent's qualified type, `$`, and the resource's own type; the root stack's type is never part
of it. A name may itself contain `::`, so a urn is split from the left.
"""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "urn:pulumi:"
STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_TYPE_PREFIX = "pulumi:providers:"
DYNAMIC_PACKAGE = "pulumi-python"
PARTS = 4


@dataclass(frozen=True, slots=True)
class Urn:
    """The parts of a urn."""

    stack: str
    project: str
    qualified_type: str
    name: str

    @property
    def type(self) -> str:
        """The resource's own type."""
        return self.qualified_type.rsplit("$", 1)[-1]

    def __str__(self) -> str:
        return f"{PREFIX}{self.stack}::{self.project}::{self.qualified_type}::{self.name}"


def parse(text: str) -> Urn:
    """Split a urn. Raises ValueError for anything else."""
    parts = text.removeprefix(PREFIX).split("::", PARTS - 1)
    if not text.startswith(PREFIX) or len(parts) != PARTS:
        raise ValueError(f"Not a urn: {text!r}")
    return Urn(*parts)


def build(stack: str, project: str, parent: str, own_type: str, name: str) -> str:
    """Make the urn of a resource; `parent` is a urn or empty."""
    return str(Urn(stack, project, parent_prefix(parent) + own_type, name))


def parent_prefix(parent: str) -> str:
    """Return what a parent puts in front of its children's types."""
    if not parent:
        return ""
    qualified = parse(parent).qualified_type
    return "" if qualified == STACK_TYPE else f"{qualified}$"


def type_of(urn: str) -> str:
    """Return the resource's own type."""
    return parse(urn).type


def name_of(urn: str) -> str:
    """Return the resource's name."""
    return parse(urn).name


def package_of(resource_type: str) -> str:
    """Return the package that provides a type; a provider's own type names its package last."""
    if resource_type.startswith(PROVIDER_TYPE_PREFIX):
        return resource_type.removeprefix(PROVIDER_TYPE_PREFIX)
    return resource_type.split(":", 1)[0]


def is_provider(resource_type: str) -> bool:
    """Say whether resources of this type are providers."""
    return resource_type.startswith(PROVIDER_TYPE_PREFIX)


def is_default_provider(urn: str) -> bool:
    """Say whether the urn is that of a provider the engine made on its own account."""
    parts = parse(urn)
    return is_provider(parts.type) and (parts.name == "default" or parts.name.startswith("default_"))


def split_reference(reference: str) -> tuple[str, str]:
    """Split a provider reference `<urn>::<id>` into its urn and id."""
    urn, _, identity = reference.rpartition("::")
    return urn, identity
