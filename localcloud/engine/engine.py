"""The engine's front door: one object for one stack of one project."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.engine.queries import pending_operations, remove_stack, stack_outputs, stack_resources
from localcloud.engine.session import Session
from localcloud.engine.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from localcloud.engine.events import Event, Operation, Result
    from localcloud.engine.state import ResourceState

DEFAULT_PARALLEL = 8


class Engine:
    """Runs operations on a stack, one at a time.

    `backend` is the directory that holds `.pulumi/`. `providers` maps package names to the command lines of provider
    executables, which get the engine's address as their last argument and print their port; an official plugin
    installed under `$PULUMI_HOME/plugins` goes before them. `environment` is the whole environment of program and
    plugins. `preload` names modules of the program that may be imported before its configuration is known, while the
    stack's key is derived; without it the SDKs that the last run used are. `preload_to_read` names what providers need
    to read the world, where that is all or comes first. Events are delivered one at a time, on whatever thread makes
    them.

        engine = Engine(root, "dev", backend=home, passphrase="...", providers={}, environment={}, on_event=print)
        result = engine.up()
    """

    def __init__(
        self,
        root: Path,
        stack: str,
        *,
        backend: Path,
        passphrase: str,
        providers: Mapping[str, Sequence[str]],
        environment: Mapping[str, str],
        on_event: Callable[[Event], None],
        python: str = sys.executable,
        parallel: int = DEFAULT_PARALLEL,
        preload: Sequence[str] = (),
        preload_to_read: Sequence[str] = (),
    ) -> None:
        self._root = Path(root)
        self._stack_name = stack
        self._backend = Path(backend)
        self._passphrase = passphrase
        self._providers = providers
        self._environment = environment
        self._on_event = on_event
        self._python = python
        self._parallel = parallel
        self._preload = preload
        self._preload_to_read = preload_to_read
        self._session: Session | None = None

    def preview(self) -> Result:
        """Run the program and say what an update would do. Changes nothing, takes no lock."""
        return self._operate("preview")

    def up(self, *, refresh: bool = False) -> Result:
        """Run the program and make the stack what it says; with `refresh`, after reading the world into the state."""
        return self._operate("update", refresh_first=refresh)

    def refresh(self, *, forget_pending_creates: bool = False) -> Result:
        """Read the world into the state; the program does not run. Raises StackNotFoundError.

        Creates that an earlier run was cut short in stay on record, because what they made may exist, until they are
        forgotten on purpose.
        """
        return self._operate("refresh", forget_pending_creates=forget_pending_creates)

    def look(self) -> Result:
        """Read the world as a refresh does, and change nothing: no lock, no state. Raises StackNotFoundError."""
        return self._operate("refresh", looks_only=True)

    def pending(self) -> list[tuple[str, str]]:
        """Return (operation, urn) of whatever a run that was cut short has left open. Raises StackNotFoundError."""
        return pending_operations(self._stack())

    def destroy(self) -> Result:
        """Delete all resources of the stack; the program does not run. Raises StackNotFoundError."""
        return self._operate("destroy")

    def _operate(self, operation: Operation, **options: bool) -> Result:
        self._session = Session(
            self._stack(),
            operation,
            providers=self._providers,
            environment=self._environment,
            on_event=self._on_event,
            python=self._python,
            parallel=self._parallel,
            preload=self._preload,
            preload_to_read=self._preload_to_read,
            **options,
        )
        return self._session.execute()

    def cancel(self) -> None:
        """Interrupt the running operation, from any thread or from a signal handler.

        The first time, running steps finish and the operation returns a result that is `cancelled`. The second time
        they are abandoned and the operation raises CancelledError.
        """
        session = self._session
        if session is not None:
            threading.Thread(target=session.cancel, daemon=True).start()

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """Return the stack's outputs, secrets as "[secret]" unless asked for. Raises StackNotFoundError."""
        return stack_outputs(self._stack(), show_secrets=show_secrets)

    def resources(self) -> list[ResourceState]:
        """Return a decrypted copy of the state's entries. Raises StackNotFoundError."""
        return stack_resources(self._stack())

    def exists(self) -> bool:
        """Say whether the stack has a state in the backend."""
        return self._stack().store.exists()

    def remove(self) -> None:
        """Remove the empty stack. Raises StackNotEmptyError, StackNotFoundError or LockedError."""
        remove_stack(self._stack())

    def unlock(self) -> list[str]:
        """Remove every lock of the stack, as `pulumi cancel` does; returns who held them."""
        return self._stack().store.break_locks()

    def config(self) -> dict[str, str]:
        """Return the project's own configuration without its namespace, secrets decrypted. Raises PassphraseError."""
        stack = self._stack()
        keys = stack.keys(stack.read(required=False))
        keys.verify()
        own = f"{stack.project.name}:"
        values = stack.file.load(keys.ours).values
        return {key.removeprefix(own): value for key, value in values.items() if key.startswith(own)}

    def set_config_secret(self, key: str, value: str) -> None:
        """Encrypt a value into the stack's settings file; its comments and order survive."""
        stack = self._stack()
        keys = stack.keys(stack.read(required=False))
        keys.verify()
        stack.file.set_secret(key, value, keys.ours)

    def _stack(self) -> Stack:
        return Stack(self._root, self._stack_name, self._backend, self._passphrase)
