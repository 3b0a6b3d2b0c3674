"""The change of host keys: from the one that travelled in user data to one that never leaves the droplet.

Two resources, because the new key must be on record before the old one stops serving. `HostKey` has the droplet make
its key and returns the public half; the state is saved; `PinnedHost` then has sshd serve that key and nothing else.
Cut off anywhere, the next run finds the host presenting one of two recorded keys, and goes on from there. A host that
presents any third key is refused.
"""

from __future__ import annotations

__all__ = ["HostKey", "PinnedHost", "expect_key"]

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from infra.commands import acts, sshd
from infra.errors import AuthenticationError
from infra.host.findings import Finding, of_file
from infra.host.resource import PATIENCE_S, HostProvider, endpoint_of, hidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi import Input, Output, ResourceOptions

    from infra.transport.worker import Worker

_NAME = "greenroom_host_ed25519_key"
_KEY = f"/etc/ssh/{_NAME}"
_CONFIG = sshd.HOST_KEY_PATH
_SERVED = f"# Written by Greenroom: the only host key that is offered.\nHostKey {_KEY}\nHostKeyAlgorithms ssh-ed25519\n"
_FIRST = "/etc/ssh/ssh_host_ed25519_key"
_REPLACED = f"{_KEY} holds another key than the recorded one"
# Files that sshd can't read are for `sshd -t` to refuse: before that, no reload gets through.
_HOLDS = """
[ -n "$2" ] || told=$(sshd -T 2>/dev/null) || exit 0
for file in ${2:-$(echo "$told" | sed -n 's/^hostkey //p')}; do
  ssh-keygen -y -P '' -f "$file" | grep -qF "$1" && exit 0
done
echo "sshd still presents the recorded host key, but no file has it: once sshd restarts, the controller can't get in."
echo "Put the key's file back before that, from a backup; without one, save the data and make the droplet anew."
exit 1
"""


def expect_key(why: str, public_key: str, path: str = "") -> acts.Act:
    """Refuse to go on where sshd would present another host key after a reload: HOST_KEY_REPLACED.

    The key has to be in the file at `path`, or in one of those that sshd is told to serve.
    """
    argv = ["sh", "-c", _HOLDS, "holds", " ".join(public_key.split()[:2]), *([path] if path else [])]
    return acts.run(why, argv, code="HOST_KEY_REPLACED", hint=f"ls -l --time-style=full-iso {_KEY} {_KEY}.pub")


class HostKeyProvider(HostProvider):
    """Has the droplet make its own host key, beside the one that serves."""

    subject = "host key"
    phase = "host-key"

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask for the public keys on disk."""
        del spec
        return {"keys": {"kind": "host_keys"}}

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Make the key where there is none."""
        del spec
        if _own(facts):
            return []
        why = "the droplet has no host key of its own"
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", _KEY]
        return [acts.remove(why, _KEY), acts.run(why, argv, say="make a host key", code="HOST_KEY_FAILED")]

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return the public half."""
        del spec
        return {"public_key": _own(facts)}

    def watched(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask nothing: see `read`."""
        del spec
        return {}

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the record: which key the host presents is what the first connection of PinnedHost finds out."""
        return ReadResult(id_, dict(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Ask a new machine; of the recorded one keep the record, so that nobody can put another key in its place."""
        if _olds["connection"]["machine"] != _news["connection"]["machine"]:
            return super().update(_id, _olds, _news)
        kept = ("public_key", "recorded", "drift", "findings", "reachable")
        return UpdateResult({**hidden(_news), **{name: _olds[name] for name in kept if name in _olds}})


class HostKey(Resource, module="greenroom", name="HostKey"):
    """The droplet's own host key; made there, only its public half leaves."""

    public_key: Output[str]

    def __init__(self, name: str, *, connection: Mapping[str, Input[Any]], opts: ResourceOptions | None = None) -> None:
        super().__init__(HostKeyProvider(), name, {"connection": connection, "public_key": None}, opts)


class PinnedHostProvider(HostProvider):
    """Has sshd serve the recorded key only."""

    subject = "pinned host"
    phase = "host-key"
    withheld = ("settled",)

    def probes(self, spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Ask which keys are on disk and what sshd is told to serve."""
        del spec
        return {
            "keys": {"kind": "host_keys"},
            "key": {"kind": "file", "path": _KEY},
            "config": {"kind": "file", "path": _CONFIG, "content": True},
            "first": {"kind": "file", "path": _FIRST},
        }

    def plan(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[acts.Act]:
        """Switch sshd over, checked before it is reloaded, and remove the key that has served its turn."""
        steps: list[acts.Act] = []
        if _is_replaced(spec, facts):
            steps.append(expect_key(_REPLACED, spec["public_key"], _KEY))
        if facts["config"].get("content") != _SERVED:
            why = "sshd does not serve the droplet's own key alone"
            steps += [
                expect_key(why, spec["public_key"], _KEY),
                acts.write(why, _CONFIG, _SERVED, owner="root", mode="0644"),
                acts.run(why, ["sshd", "-t"], code="SSHD_CONFIG_REFUSED"),
                acts.run(why, ["systemctl", "reload", "ssh"], say="sshd reads its keys again"),
                acts.run(why, _await_key(spec), code="HOST_KEY_NOT_SERVED", hint="journalctl -u ssh -n 30"),
            ]
        if facts["first"]["exists"]:
            why = "the one-time host key is still there"
            steps += [acts.remove(why, _FIRST), acts.remove(why, f"{_FIRST}.pub")]
        return steps

    def findings(self, spec: dict[str, Any], facts: dict[str, Any]) -> list[Finding]:
        """Tell which of the files differs."""
        differing: list[Finding] = []
        if _is_replaced(spec, facts):
            there = facts["keys"].get(_NAME) or "no key that sshd can read"
            differing.append(of_file(_REPLACED, spec["public_key"], there, facts["key"]))
        if facts["config"].get("content") != _SERVED:
            there = "edited" if facts["config"]["exists"] else "missing"
            differing.append(of_file(f"{_CONFIG} was {there}", "as written", there, facts["config"]))
        if facts["first"]["exists"]:
            differing.append(of_file("the one-time host key is still there", "missing", "present", facts["first"]))
        return differing

    def outputs(self, spec: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Return the key that the host presents from now on."""
        del facts
        return {"host_key": spec["public_key"]}

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Switch, then connect anew: the switch counts when the new key has been seen."""
        result = super().create(props)
        self._prove(props)
        return result

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Switch, then connect anew."""
        result = super().update(_id, _olds, _news)
        self._prove(_news)
        return result

    def prepared(self, spec: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
        """Note whether this machine has been seen with its own key: from then on no other will do."""
        same = bool(olds) and olds["connection"]["machine"] == spec["connection"]["machine"]
        return {**spec, "settled": same and olds.get("host_key") == spec["public_key"]}

    def worker(self, spec: dict[str, Any], *, patience_s: float) -> Worker:
        """Connect to the droplet's own key; while it has never been seen with it, to the one-time key too."""
        try:
            return self.observer(spec, patience_s=patience_s)
        except AuthenticationError:
            if spec["settled"]:
                raise
        return super().worker(spec, patience_s=patience_s)

    def reach(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Connect to the droplet's own key and no other."""
        return {**spec["connection"], "host_key": spec["public_key"]}

    def _prove(self, spec: dict[str, Any]) -> None:
        from infra.transport.pool import pool  # noqa: PLC0415

        pool.forget(endpoint_of(spec["connection"]))
        self.observer(spec, patience_s=PATIENCE_S)


class PinnedHost(Resource, module="greenroom", name="PinnedHost"):
    """A host that presents its own key and no other. Everything after it connects with `host_key`."""

    host_key: Output[str]

    def __init__(
        self,
        name: str,
        *,
        connection: Mapping[str, Input[Any]],
        public_key: Input[str],
        opts: ResourceOptions | None = None,
    ) -> None:
        props = {"connection": connection, "public_key": public_key, "host_key": None}
        super().__init__(PinnedHostProvider(), name, props, opts)


def _own(facts: dict[str, Any]) -> str:
    return str(facts["keys"].get(f"{_NAME}.pub", ""))


def _is_replaced(spec: dict[str, Any], facts: dict[str, Any]) -> bool:
    return str(facts["keys"].get(_NAME, "")).split() != spec["public_key"].split()[:2]


def _await_key(spec: dict[str, Any]) -> list[str]:
    """Return the command that waits, on the host, until sshd presents the new key: a reload takes effect later."""
    look = 'ssh-keyscan -t ed25519 -p "$1" 127.0.0.1 2>/dev/null | grep -qF "$2"'
    script = f"for i in $(seq 100); do {look} && exit 0; sleep 0.1; done; exit 1"
    return ["sh", "-c", script, "wait", str(int(spec["connection"]["port"])), spec["public_key"].split()[1]]
