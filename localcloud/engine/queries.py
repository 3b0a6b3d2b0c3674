"""Questions to a stack's state that need no run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.engine.backend import ORGANIZATION, StackStore
from localcloud.engine.checkpoint import Decoder, resource_documents
from localcloud.engine.errors import StackNotEmptyError, StackNotFoundError
from localcloud.engine.values import masked, shown

if TYPE_CHECKING:
    from localcloud.engine.stack import Stack
    from localcloud.engine.state import ResourceState, Snapshot

NAME_PARTS = 3


def stack_outputs(stack: Stack, *, show_secrets: bool) -> dict[str, Any]:
    """Return the stack's outputs; secrets masked unless asked for. Only the latter needs the key."""
    entry = _snapshot(stack, with_secrets=show_secrets).stack_resource()
    outputs = entry.outputs if entry else {}
    return shown(outputs) if show_secrets else masked(outputs)


def stack_resources(stack: Stack) -> list[ResourceState]:
    """Return the state's entries, decrypted."""
    return list(_snapshot(stack, with_secrets=True).resources)


def pending_operations(stack: Stack) -> list[tuple[str, str]]:
    """Return (operation, urn) of what a run that was cut short has left open; needs no key."""
    return [(each.type, each.resource.urn) for each in _snapshot(stack, with_secrets=False).pending]


def _snapshot(stack: Stack, *, with_secrets: bool) -> Snapshot:
    document = stack.read() or {}
    if not with_secrets:
        return Decoder(None).decode(document)
    keys = stack.keys(document)
    keys.verify()
    return Decoder(keys.state).decode(document)


def remove_stack(stack: Stack) -> None:
    """Remove an empty stack. Raises StackNotEmptyError, StackNotFoundError or LockedError."""
    left = resource_documents(stack.read() or {})
    if left:
        raise StackNotEmptyError(
            f"The stack {stack.name!r} still has {len(left)} resources", hint="destroy it first, then remove it"
        )
    lock = stack.store.lock()
    try:
        stack.store.remove()
    finally:
        lock.release()


def other_stack_outputs(stack: Stack, name: str) -> dict[str, Any]:
    """Return the outputs of a stack that is referred to, secrets marked; it must have the same passphrase.

    `name` is a stack of the same project, or `organization/<project>/<stack>`. Raises StackNotFoundError.
    """
    parts = name.split("/")
    if len(parts) not in (1, NAME_PARTS) or (len(parts) == NAME_PARTS and parts[0] != ORGANIZATION):
        raise StackNotFoundError(f"{name!r} is no stack's name; expected organization/<project>/<stack>")
    project = parts[1] if len(parts) == NAME_PARTS else stack.project.name
    store = StackStore(stack.store.root.parent, project, parts[-1])
    document = store.read()
    if document is None:
        raise StackNotFoundError(f"There is no stack {name!r} in {store.root}")
    secrets = stack.manager_of(document)
    secrets.verify()
    entry = Decoder(secrets).decode(document).stack_resource()
    return entry.outputs if entry else {}
