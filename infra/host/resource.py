"""The shape that all host resources share: probe, plan, apply, verify.

A resource says what to ask of the host, and a pure plan: the acts that are missing, each with the reason. Everything
else follows. `create` and `update` converge and then expect an empty plan; `read` makes the same plan and performs
nothing, so its reasons *are* the drift; `diff` compares inputs with what was last seen, and opens no connection.
Outputs show what was last seen; `recorded` among them is what was seen when the host last converged.
"""

from __future__ import annotations

__all__ = ["HostProvider", "endpoint_of", "hidden", "reported"]

import contextlib
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from infra.commands.acts import remember
from infra.errors import AuthenticationError, GreenroomError, HostRestartedError, StepError, UnreachableError
from infra.host.findings import Finding, unanswered
from infra.host.gathering import gathering, remembered
from infra.host.validation import is_known, problems_of
from infra.report import write_report
from infra.transport import Endpoint, say

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from infra.commands.acts import Act
    from infra.transport.worker import Worker

Props = dict[str, Any]

PROVIDER = "__provider"
PATIENCE_S = 300.0
"""How long a droplet may take to boot."""


def endpoint_of(connection: Props) -> Endpoint:
    """Return the endpoint that a `connection` input describes."""
    return Endpoint(
        host=str(connection["host"]),
        port=int(connection["port"]),
        user=str(connection["user"]),
        host_key=str(connection["host_key"]),
        private_key=str(connection["private_key"]),
        machine=str(connection["machine"]),
    )


def hidden(props: Props, *names: str) -> Props:
    """Return the properties without the provider's own and the named ones."""
    return {name: value for name, value in props.items() if name != PROVIDER and name not in names}


class HostProvider(ResourceProvider):
    """Base of the providers in this package. `spec` below is the inputs, in `read` the last outputs."""

    serialize_as_secret_always = False  # a reference to a class; nothing in it to hide
    subject: ClassVar[str] = "host"
    phase: ClassVar[str] = "host"
    withheld: ClassVar[tuple[str, ...]] = ()
    """Inputs that never become outputs: secrets that are compared by digest."""
    timeout_s: ClassVar[float] = 120.0

    # ---- what a resource says of itself

    @abstractmethod
    def probes(self, spec: Props) -> dict[str, Props]:
        """Return the questions for the host, by name. The only secret that one may carry is its `key`."""

    @abstractmethod
    def plan(self, spec: Props, facts: Props) -> list[Act]:
        """Return the acts that make the facts what the specification wants; empty when they are."""

    def findings(self, spec: Props, facts: Props) -> list[Finding]:
        """Return what differs, in detail; asked only where the plan is not empty, whose reasons are the default."""
        return [Finding(why) for why in _reasons(self.plan(spec, facts))]

    def watched(self, spec: Props) -> dict[str, Props]:
        """Return the questions of `read`, given the last outputs; they are left on the host for the next look."""
        return self.probes(spec)

    def reach(self, spec: Props) -> Props:
        """Return the connection by which the host is looked at."""
        return dict(spec["connection"])

    def outputs(self, spec: Props, facts: Props) -> Props:
        """Return the observed outputs, under the inputs' names where they show the same thing."""
        del spec, facts
        return {}

    def removal(self, spec: Props) -> list[Act]:
        """Return the acts that take the resource away."""
        del spec
        return []

    def wanted(self, olds: Props, news: Props) -> Props:
        """Return the values that the outputs must have, for `diff`."""
        del olds
        return hidden(news, *self.withheld)

    def prepared(self, spec: Props, olds: Props) -> Props:
        """Return the specification with what `create` or `update` adds to it before it looks at the host."""
        del olds
        return spec

    def probes_after(self, spec: Props) -> dict[str, Props]:
        """Return the questions after the acts, where fewer tell enough; the answers are laid over the first ones."""
        return self.probes(spec)

    def verified(self, spec: Props) -> Props:
        """Return the specification that the host must meet after the acts, where it is not the one before them."""
        return spec

    # ---- the provider's calls

    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Refuse inputs that could not be meant, before anything is touched."""
        failures = [CheckFailure(name, reason) for name, reason in problems_of(news)]
        return CheckResult(news, failures)

    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        """Compare what is wanted with what was last seen; pure."""
        if not is_known(_news):
            return DiffResult(changes=True)
        wanted = {**self.wanted(_olds, _news), "drift": [], "reachable": True}
        return DiffResult(changes=any(_olds.get(name) != value for name, value in wanted.items()))

    def create(self, props: Props) -> CreateResult:
        """Converge the host; safe to repeat, and to have been cut short."""
        with reported(self.subject):
            return CreateResult(self.subject, self._converged(props, {}))

    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        """Converge the host to the new inputs, or back from drift."""
        with reported(self.subject):
            return UpdateResult(self._converged(_news, _olds))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Observe, and name what differs. A host that does not answer is a finding, not a failure."""
        spec = _recorded(props)
        try:
            facts = gathering.ask(
                self._place(spec),
                self.watched(spec),
                worker=lambda: self.observer(spec),
                subject=self.subject,
                phase=self.phase,
                timeout_s=self.timeout_s,
            )
        except UnreachableError as error:
            say(self.subject, f"{error.host} does not answer")
            lost = {"findings": [unanswered(error.host).wire], "reachable": False}
            return ReadResult(id_, {**hidden(props), **lost})
        drift = _reasons(self.plan(spec, facts))
        for each in drift:
            say(self.subject, f"drift: {each}")
        found = [each.wire for each in self.findings(spec, facts)] if drift else []
        seen = {**self.outputs(spec, facts), "drift": drift, "findings": found, "reachable": True}
        return ReadResult(id_, {**hidden(props), **seen})

    def delete(self, _id: str, _props: Props) -> None:
        """Take away what was made. A machine that is gone, or is another one by now, has nothing left to take."""
        acts = self.removal(_props)
        if not acts:
            return
        try:
            worker = self.worker(_props, patience_s=0.0)
        except (UnreachableError, AuthenticationError) as error:
            say(self.subject, f"nothing removed: {error.message.splitlines()[0]}")
            return
        gathering.forget(self._place(_props))
        drop = list(remembered(self.subject, self.watched(_recorded(_props))))
        self.perform(worker, _props, [*acts, remember({}, drop=drop)], {})

    # ---- the parts of converging

    def worker(self, spec: Props, *, patience_s: float) -> Worker:
        """Return the worker on the resource's host."""
        return self._connected(spec["connection"], patience_s=patience_s)

    @staticmethod
    def _connected(connection: Props, *, patience_s: float) -> Worker:
        from infra.transport.pool import link  # noqa: PLC0415 (fabric is loaded when a host is really asked)
        from infra.transport.worker import worker  # noqa: PLC0415

        return worker(link(endpoint_of(connection), patience_s=patience_s))

    def observer(self, spec: Props, *, patience_s: float = 0.0) -> Worker:
        """Return the worker for looking only; a host that does not answer now is not waited for."""
        return self._connected(self.reach(spec), patience_s=patience_s)

    def perform(self, worker: Worker, spec: Props, acts: Sequence[Act], probes: dict[str, Props]) -> Props:
        """Perform acts and ask again, in one round trip."""
        workload = spec.get("workload") or {}
        redact: Props = {}
        if workload:
            redact = {"path": f"{workload['directory']}/{workload['env_file']}", "names": workload["secrets"]}
        return worker.call(
            subject=self.subject,
            phase=self.phase,
            probes=probes,
            acts=[act.wire for act in acts],
            lock=self.subject.replace(" ", "-"),
            redact=redact,
            timeout_s=self.timeout_s,
        )

    def _converged(self, news: Props, olds: Props) -> Props:
        """Converge; where the host restarted in the middle, look at what has become of it and plan anew, once."""
        try:
            return self._converge(news, olds)
        except HostRestartedError:
            say(self.subject, "the host restarted in the middle; looking at it anew")
            return self._converge(news, olds)

    def _converge(self, news: Props, olds: Props) -> Props:
        spec = self.prepared(hidden(news), olds)
        worker = self.worker(spec, patience_s=PATIENCE_S)
        gathering.forget(self._place(spec))
        probes = self.probes(spec)
        facts = worker.call(subject=self.subject, phase=self.phase, probes=probes, timeout_s=self.timeout_s)
        acts = self.plan(spec, facts)
        if acts:
            facts = {**facts, **self.perform(worker, spec, acts, self.probes_after(spec))}
            self._expect_nothing_left(worker, spec, facts)
        seen = self.outputs(spec, facts)
        quiet = {"recorded": seen, "drift": [], "findings": [], "reachable": True}
        outs = {**hidden(spec, *self.withheld), **seen, **quiet}
        self._leave_questions(worker, outs, olds)
        return outs

    def _place(self, spec: Props) -> str:
        """Name the host for what is gathered there: the machine, and the key that proves it."""
        reach = self.reach(spec)
        return f"{reach['machine']} {reach['user']}@{reach['host']}:{int(reach['port'])} {reach['host_key']}"

    def _leave_questions(self, worker: Worker, outs: Props, olds: Props) -> None:
        """Have the host remember what the next look asks, in place of what the last one did."""
        now = remembered(self.subject, self.watched(_recorded(outs)))
        before = remembered(self.subject, self.watched(_recorded(olds))) if olds.get("recorded") else {}
        drop = [mark for mark in before if mark not in now]
        if now or drop:
            self.perform(worker, outs, [remember(now, drop=drop)], {})

    def _expect_nothing_left(self, worker: Worker, spec: Props, facts: Props) -> None:
        left = _reasons(self.plan(self.verified(spec), facts))
        if left:
            raise StepError(
                phase=self.phase,
                host=str(worker.link.endpoint),
                command="verify",
                exit_status=None,
                evidence="\n".join(left),
                code="NOT_CONVERGED",
                hint="greenroom refresh",
            )


@contextlib.contextmanager
def reported(subject: str) -> Generator[None]:
    """Leave a typed error where the command line looks for it: to the engine between, it is only text."""
    try:
        yield
    except GreenroomError as error:
        write_report(error, subject=subject)
        raise


def _recorded(props: Props) -> Props:
    """Return the last outputs as the specification of a look: what was seen when the host last converged."""
    return {**props, **props.get("recorded", {})}


def _reasons(acts: Sequence[Act]) -> list[str]:
    return list(dict.fromkeys(act.why for act in acts))
