"""Drift, four ways: what is not as it should be, in which layer, since when, and what can be done about it.

- program: what the program wants now is not what the state has: what a preview shows;
- state: the state file itself: operations that were cut short, leftovers, resources that the program does not declare;
- digitalocean: cloud resources that were changed by hand;
- host: what is on the droplet.

Pure: steps of a look (a refresh that saves nothing) and of a preview in, findings out.
"""

from __future__ import annotations

__all__ = ["LAYERS", "Drift", "Offer", "Step", "in_program", "in_state", "in_world", "ordered"]

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

LAYERS = ("program", "state", "digitalocean", "host")
_OWN = frozenset({"__provider", "drift", "findings", "recorded", "reachable"})
_DECIDED_LATER = "[unknown]"
"""How the engines show a value that a preview can't know."""
_ALWAYS_SHOWN = frozenset({"status"})


class Change(Protocol):
    """One property that differs."""

    @property
    def path(self) -> str: ...
    @property
    def old(self) -> Any: ...
    @property
    def new(self) -> Any: ...


class Step(Protocol):
    """What an engine tells of one resource."""

    @property
    def urn(self) -> str: ...  # noqa: D102 - the engine's vocabulary
    @property
    def type(self) -> str: ...  # noqa: D102 - as above
    @property
    def name(self) -> str: ...  # noqa: D102 - as above
    @property
    def op(self) -> str: ...  # noqa: D102 - as above
    @property
    def diff(self) -> Sequence[Change]: ...  # noqa: D102 - as above
    @property
    def found(self) -> Mapping[str, Any] | None: ...  # noqa: D102 - what a look read


@dataclass(frozen=True)
class Offer:
    """What can be done about a finding."""

    possible: bool
    how: str
    """The next command to type, or why there is none."""
    file: str = ""
    key: str = ""
    """The setting that would change, as a path into the file."""


@dataclass(frozen=True)
class Drift:
    """One finding."""

    layer: str
    resource: str
    type: str
    property: str
    what: str
    expected: Any
    found: Any
    since: str | None
    revert: Offer = Offer(possible=False, how="")
    adopt: Offer = Offer(possible=False, how="")

    def document(self) -> dict[str, Any]:
        """Return the finding for `--json`."""
        return asdict(self)


def in_world(steps: Iterable[Step], inputs_of: Callable[[], Mapping[str, frozenset[str]]]) -> list[Drift]:
    """Name what a look found: on hosts by what they say themselves, in the cloud by the properties that differ.

    `inputs_of` gives the names of each resource's inputs by urn: of a changed droplet its size is told, not also its
    price. It is asked only where something in the cloud differs.
    """
    found: list[Drift] = []
    lost: dict[str, list[Step]] = {}
    for step in steps:
        seen = step.found
        if seen is not None and "findings" in seen:
            if seen.get("reachable") is False:
                lost.setdefault(str(seen["findings"][0]["what"] if seen["findings"] else "no answer"), []).append(step)
            else:
                found += _on_host(step, seen["findings"])
        elif step.op == "delete":
            found.append(_drift("digitalocean", step, f"{step.name} is gone", expected="present", found="missing"))
        elif step.diff:
            found += _in_cloud(step, inputs_of().get(step.urn, frozenset()))
    return found + [_unreachable(what, each) for what, each in lost.items()]


def in_program(steps: Iterable[Step]) -> list[Drift]:
    """Name what a preview would create, change or replace; what it would delete is the state's business."""
    found: list[Drift] = []
    for step in steps:
        if step.op == "create":
            what = f"{step.name} is declared and not there"
            found.append(_drift("program", step, what, expected="present", found="missing"))
        elif step.op in ("update", "replace"):
            # Without a difference of inputs it is the last look's drift that makes it an update: told by this one. An
            # input that is decided later waits for another resource's change, and is no finding of its own.
            known = [each for each in step.diff if each.new != _DECIDED_LATER]
            found += [
                _drift("program", step, f"{step.name}: another {name} is declared", expected=new, found=old, name=name)
                for name, old, new in _grouped(known)
            ]
    return found


def in_state(
    steps: Iterable[Step],
    pending: Iterable[tuple[str, str]],
    leftovers: Iterable[tuple[str, str]],
    modified: Mapping[str, str],
) -> list[Drift]:
    """Name what the state file has that it should not have.

    `pending` are (operation, urn), `leftovers` (urn, type) of replaced resources whose old half is still there,
    `modified` the times at which the engine last changed an entry, by urn.
    """
    found = [
        _drift(
            "state",
            step,
            f"{step.name} is in the state and not declared",
            expected="not there",
            found="present",
            since=modified.get(step.urn) or None,
        )
        for step in steps
        if step.op == "delete"
    ]
    for operation, urn in pending:
        name, kind = urn.rpartition("::")[2], _kind(urn.split("::")[-2].rpartition("$")[2])
        what = f"a run was cut short while {operation} {name}"
        found.append(Drift("state", name, kind, "", what, "finished", operation, modified.get(urn) or None))
    for urn, kind in leftovers:
        name = urn.rpartition("::")[2]
        what = f"the replaced {name} is still to be deleted"
        found.append(Drift("state", name, _kind(kind), "", what, "deleted", "present", modified.get(urn) or None))
    return found


def ordered(findings: Iterable[Drift]) -> list[Drift]:
    """Return the findings by layer, resource and what they say."""
    return sorted(findings, key=lambda each: (LAYERS.index(each.layer), each.resource, each.what))


def _on_host(step: Step, findings: Iterable[Mapping[str, Any]]) -> list[Drift]:
    return [
        _drift("host", step, each["what"], expected=each["expected"], found=each["found"], since=each.get("since"))
        for each in findings
    ]


def _unreachable(what: str, steps: Sequence[Step]) -> Drift:
    names = ", ".join(step.name for step in steps)
    return _drift("host", steps[0], f"{what}; not asked: {names}", expected="an answer", found="none")


def _in_cloud(step: Step, inputs: frozenset[str]) -> Iterator[Drift]:
    groups = list(_grouped(step.diff))
    telling = [each for each in groups if each[0] in inputs or each[0] in _ALWAYS_SHOWN]
    for name, old, new in telling or groups:
        yield _drift("digitalocean", step, f"{step.name}: {name} was changed", expected=old, found=new, name=name)


def _grouped(changes: Iterable[Change]) -> Iterator[tuple[str, Any, Any]]:
    """Yield (property, old, new) once for each property; of lists and maps the parts that differ, by their paths."""
    groups: dict[str, list[Change]] = {}
    for each in changes:
        groups.setdefault(each.path.split(".")[0].split("[")[0], []).append(each)
    for name, parts in groups.items():
        if name in _OWN:
            continue
        if len(parts) == 1 and parts[0].path == name:
            yield name, parts[0].old, parts[0].new
        else:
            yield name, {each.path: each.old for each in parts}, {each.path: each.new for each in parts}


def _drift(
    layer: str, step: Step, what: str, *, expected: Any, found: Any, name: str = "", since: str | None = None
) -> Drift:
    return Drift(layer, step.name, _kind(step.type), name, what, expected, found, since)


def _kind(type_token: str) -> str:
    return type_token.rsplit(":", 1)[-1].rsplit("/", 1)[-1]
