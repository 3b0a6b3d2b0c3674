"""One invocation of the command line: where the project is, which stack, and the way to its engine and its cloud."""

from __future__ import annotations

__all__ = ["LAST_RUN", "Session", "find_root", "home_of"]

import hashlib
import json
import os
import secrets
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.cli.checked import StackFacts, check_stack
from infra.cli.console import Console
from infra.errors import ConfigurationError, GreenroomError, Problem
from infra.report import VARIABLE, read_report

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from infra.cli.driver import Driver
    from localcloud.engine import Event, Result

LAST_RUN = "last-run.json"
"""What the last deployment that came to its end was: {"steps", "settings" (their SHA-256)}."""
PASSPHRASE_BYTES = 24
OWN_SECRETS = (
    *("PULUMI_CONFIG_PASSPHRASE", "DIGITALOCEAN_TOKEN"),
    *("VAULT_TOKEN", "VAULT_SECRET_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)
"""Variables that open what the run needs; no output may show their values."""


def find_root(start: Path | None = None) -> Path:
    """Find the directory that holds Pulumi.yaml: here, above, or where this package was installed from."""
    here = start or Path.cwd()
    for each in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (each / "Pulumi.yaml").is_file():
            return each
    problem = Problem(str(here), "Pulumi.yaml", "nothing", "the project's directory, or one below it")
    raise ConfigurationError([problem], hint="cd to the directory with Pulumi.yaml")


def home_of(root: Path) -> Path:
    """Give the directory for everything that is not source: `GREENROOM_HOME`, or `.greenroom` beside Pulumi.yaml."""
    given = os.environ.get("GREENROOM_HOME")
    return Path(given).expanduser().resolve() if given else root / ".greenroom"


class Session:
    """What a verb works with."""

    def __init__(self, stack: str, *, as_json: bool, assume_yes: bool) -> None:
        self.stack, self.as_json, self.assume_yes = stack, as_json, assume_yes
        self.console = Console()
        self.root = find_root()
        self.home = home_of(self.root)
        self._facts: StackFacts | None = None
        self._cloud_environment: dict[str, str] = {}
        self._sink: Callable[[Event], None] = lambda _event: None
        self._pinned: dict[str, str] = {}
        self._driver: Driver | None = None
        self.last: Result | None = None
        """How the last run of the engine ended, also where a typed error was raised for it."""
        self.console.redactor.add(os.environ.get(name, "") for name in OWN_SECRETS)

    @property
    def facts(self) -> StackFacts:
        """The stack's facts; raises ConfigurationError when its settings are bad."""
        if self._facts is None:
            self._facts = check_stack(self.root, self.stack, self.home)
            names = self._facts.environment_secrets
            self.console.redactor.add(os.environ.get(name, "") for name in names)
        return self._facts

    @property
    def directory(self) -> Path:
        """Where this stack's evidence and temporary files are."""
        directory = self.home / self.stack
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    @property
    def is_local(self) -> bool:
        """Whether the stack lives on the local cloud."""
        return self.facts.cloud == "local"

    @property
    def driver(self) -> Driver:
        """The engine for this stack."""
        if self._driver is None:
            from infra.cli.choice import choose_driver  # noqa: PLC0415 - verbs without an engine don't pay for it

            self._driver = choose_driver(
                self.root,
                self.stack,
                backend=self.backend,
                passphrase=self.passphrase,
                environment=self.environment,
                on_event=self._emit,
            )
        return self._driver

    def open_cloud(self) -> None:
        """Start the local cloud for a stack that lives on it, and publish what its settings name."""
        if not self.is_local:
            return
        from infra.cli.publishing import publish_changed  # noqa: PLC0415 - only local stacks need it
        from localcloud import cloud  # noqa: PLC0415 - as above

        try:
            info = cloud.start(self.home, self.console.say)
            self._cloud_environment = dict(info.environment)
            self._driver = None  # one that was asked before knows nothing of this cloud
            publish_changed(self.home, self.root, self.facts)
        except cloud.CloudError as error:
            raise GreenroomError(str(error)) from error

    def pin(self, commit: str) -> None:
        """Have every run from now on keep this commit of the workload; an empty text ends that."""
        from infra.source import PINNED  # noqa: PLC0415 - for those who mend

        self._pinned = {PINNED: commit} if commit else {}
        self._driver = None  # the engine is given its environment when it is made

    def reread(self) -> Driver:
        """Give an engine that reads the state anew: another process may have changed it since."""
        self._driver = None
        return self.driver

    def run(self, operation: Callable[[], Result], sink: Callable[[Event], None]) -> Result:
        """Run one engine operation with its events going to `sink`; the program's own error is raised as it was."""
        report = self.directory / "report.json"
        report.unlink(missing_ok=True)
        settings = self._settings_digest()  # what is edited while the engine runs is not deployed by it
        self._sink = sink
        with self._interruptible():
            result = operation()
        self._sink = lambda _event: None
        self.last = result
        self._remember(result, settings)
        if not result.succeeded:
            self.console.redactor.add(self.driver.secret_values())
            if error := read_report(report):
                raise error
        return result

    def expected_steps(self) -> int:
        """How many steps the last run of this stack had; 0 when there was none."""
        return int(self._last_run().get("steps", 0))

    def is_deployed_as_set(self) -> bool:
        """Whether the settings are, byte for byte, the ones of the last deployment that came to its end."""
        digest = self._settings_digest()
        return bool(digest) and self._last_run().get("settings") == digest

    def _remember(self, result: Result, settings: str) -> None:
        """Keep the number of steps for the next run's progress, and which settings were deployed."""
        if result.succeeded and result.operation == "update":
            steps = sum(count for op, count in result.changes.items() if op != "refresh")
            kept = {"steps": steps, "settings": settings}
            (self.directory / LAST_RUN).write_text(json.dumps(kept), encoding="utf-8")

    def _last_run(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.directory / LAST_RUN).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}

    def _settings_digest(self) -> str:
        try:
            return hashlib.sha256((self.root / f"Pulumi.{self.stack}.yaml").read_bytes()).hexdigest()
        except OSError:
            return ""  # the engine says so in its own words

    def _emit(self, event: Event) -> None:
        self._sink(event)

    @contextmanager
    def _interruptible(self) -> Generator[None]:
        """Turn SIGINT and SIGTERM into a cancelled run; the engine lets running steps finish and saves."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def cancel(number: int, _frame: Any) -> None:
            self.console.say("cancelling: what runs now is finished first; once more to stop at once")
            told = number == signal.SIGINT and sys.stdin.isatty()
            threading.Thread(target=lambda: self.driver.cancel(told=told), daemon=True).start()

        before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def environment(self) -> dict[str, str]:
        """Give the environment of program and plugins: ours, the cloud's, and no passphrase."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_CONFIG_PASSPHRASE")}
        return {**own, **self._cloud_environment, **self._pinned, VARIABLE: str(self.directory / "report.json")}

    @property
    def backend(self) -> Path:
        """The directory that the state is kept below; raises ConfigurationError where that is no directory."""
        url = os.environ.get("PULUMI_BACKEND_URL", "")
        if not url:
            return self.home
        if not url.startswith("file://"):
            problem = Problem("environment", "PULUMI_BACKEND_URL", url.split("://", maxsplit=1)[0], "file://DIRECTORY")
            raise ConfigurationError([problem], hint="use the pulumi command itself with other backends")
        return Path(url.removeprefix("file://")).expanduser()

    @property
    def passphrase(self) -> str:
        """The stack's passphrase; raises ConfigurationError where nobody has given one."""
        given = os.environ.get("PULUMI_CONFIG_PASSPHRASE")
        if given is not None:
            return given
        file = os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
        if file:
            return _passphrase_in(Path(file).expanduser())
        if not self.is_local:
            expected = "the stack's passphrase, or PULUMI_CONFIG_PASSPHRASE_FILE"
            raise ConfigurationError(
                [Problem("environment", "PULUMI_CONFIG_PASSPHRASE", "nothing", expected)],
                hint="export PULUMI_CONFIG_PASSPHRASE_FILE=$HOME/.greenroom-passphrase",
            )
        return self._own_passphrase()

    def _own_passphrase(self) -> str:
        """Give the local stacks' own passphrase, made on first use; others never get one made for them."""
        path = self.home / "passphrase"
        if not path.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(secrets.token_urlsafe(PASSPHRASE_BYTES) + "\n")
        return path.read_text(encoding="utf-8").strip()


def _passphrase_in(path: Path) -> str:
    """Read the passphrase that people keep in a file; raises ConfigurationError where it can't be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        problem = Problem("PULUMI_CONFIG_PASSPHRASE_FILE", str(path), str(error.strerror), "a file with the passphrase")
        hint = f"(umask 077; openssl rand -base64 24 > {path})   # for a new stack; an old one needs its own"
        raise ConfigurationError([problem], hint=hint) from error
