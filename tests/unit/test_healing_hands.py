"""What healing can do at all: whatever acts are asked for, only the few operations of the closed set reach a host."""

from __future__ import annotations

import json
import re
import socketserver
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fakeengine import FakeEngine, container, labels_of
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import StepError, UnreachableError
from infra.healing.hands import ARGUMENTS, UNITS, Hands, Seen
from infra.healing.model import Act, Declared, Outcome, Verb
from infra.transport.remote import prunable, remedies, verbs
from infra.transport.remote.engine import Engine
from infra.transport.remote.processes import Finished
from infra.transport.remote.report import Redactor, Reporter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DECLARED = Declared(
    stack="lab",
    project="erp",
    directory="/home/deploy/erp",
    user="deploy",
    compose_file="docker-compose.yml",
    env_file=".env",
    domain="staging.erp.test",
    machine="17",
    tag="greenroom-lab",
    address="10.20.0.2",
    commit="c" * 40,
    repository="https://git.test/erp.git",
    branch="develop",
    services={"app": {}, "db": {}},
    secret_sources={"TOKEN": "generated"},
)
REQUESTS: dict[str, set[str]] = {
    "restart_service": {"do", "project", "service", "timeout_s", "keep"},
    "remove_container": {"do", "project", "container", "keep"},
    "prune_images": {"do", "keep"},
    "start_unit": {"do", "unit", "keep"},
    "reload_proxy": {"do", "keep"},
    "renew_certificate": {"do", "domain", "keep"},
}
"""All that hands may ever send, with all that it may be sent with."""
ENGINE_CALLS = (
    r"GET /containers/json",
    r"GET /containers/[^/]+/json",
    r"GET /images/[^/]+/json",
    r"GET /(images/json|volumes|info|system/df|_ping)",
    r"POST /containers/[^/]+/(stop|start|unpause)",
    r"POST /containers/[^/]+/kill\?signal=(SIGKILL|SIGCONT)",
    r"DELETE /containers/[^/]+\?v=false&force=false",
    r'POST /images/prune\?filters={"dangling": \["true"\], "label": \["com\.docker\.compose\.project=erp"\]}',
    r"POST /build/prune\?all=true",
)
"""All that a host's Docker engine may ever be asked."""
PROGRAMS = (
    r"systemctl show --property=[A-Za-z,]+ (docker|containerd|caddy)\.service",
    r"systemctl reset-failed (docker|containerd|caddy)\.service",
    r"systemctl --no-block (start|restart) (docker|containerd|caddy)\.service",
    r"systemctl kill --signal=SIGKILL (docker|containerd|caddy)\.service",
    r"systemctl (reload|restart) caddy\.service",
    r"journalctl --unit (docker|containerd|caddy)\.service --lines 100 --no-pager --output cat",
    r"caddy (validate|adapt) --config /etc/caddy/Caddyfile --adapter caddyfile",
)
"""All that may ever be run on a host."""

HOSTILE = st.sampled_from(
    [
        *("db; docker volume rm data", "$(fuser -k 8002/tcp)", "../../volumes/data", "app --volumes", "-v", "a\nb"),
        *("docker.service ssh.service", "ssh.service", "npm install", "--force", "", "erp_data", "containers/prune"),
        *("app", "db", "docker.service", "caddy.service", "stranger", "erp-app-1", "ab" * 32),
    ]
)
WORDS = HOSTILE | st.text(max_size=20)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.lists(WORDS, max_size=2)
NAMES = st.sampled_from(["seconds", "dockerfile", "image", "volumes", "force", "signal", "port", "project"]) | WORDS
ACTIONS = st.builds(
    Act,
    verb=st.sampled_from(list(Verb)) | WORDS,  # type: ignore[arg-type]  (what no type checker would let through)
    subject=WORDS,
    why=st.just("a reason"),
    undo=st.just("an undo"),
    arguments=st.dictionaries(NAMES, VALUES, max_size=2) | st.just({}),
)


class Wire:
    """A worker that keeps what it is sent, and answers that all went well."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def call(self, **request: Any) -> dict[str, Any]:
        self.sent.append(request)
        return {"seen": json.dumps(Seen(succeeded=True, after="well").__dict__)}


class World:
    """Hands on a stack, and all that they did."""

    def __init__(self, *, silent: Sequence[str] = ()) -> None:
        self.wire = Wire()
        self.calls: list[str] = []
        self.silent, self.now = list(silent), 0.0
        self.hands = Hands(
            DECLARED,
            host=self._host,
            converge=lambda: self._called("converge"),
            power_on=lambda: self._called("power on"),
            offer_patch=lambda act: self._called(f"patch {act.subject}"),
            sleep=self._sleep,
            clock=lambda: self.now,
        )

    def perform(self, verb: Verb, subject: str = "", **arguments: Any) -> Outcome:
        return self.hands.perform(Act(verb, subject, "a reason", "an undo", arguments))

    def _host(self) -> Wire:
        self.calls.append("host")
        if self.silent:
            raise UnreachableError(
                phase="connect",
                host="h",
                command="c",
                exit_status=None,
                evidence="refused",
                hint="",
                code=self.silent.pop(0),
            )
        return self.wire

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.calls.append(f"sleep {seconds:g}")

    def _called(self, what: str) -> Seen:
        self.calls.append(what)
        return Seen(succeeded=True)


@given(act=ACTIONS)
@settings(max_examples=500, deadline=None)
def test_whatever_act_is_asked_for_only_listed_requests_about_the_own_stack_are_sent(act: Act) -> None:
    world = World()

    outcome = world.hands.perform(act)

    assert outcome.act is act
    for request in world.wire.sent:
        (only,) = request["acts"]
        assert set(only) == REQUESTS[only["do"]]
        assert request["probes"] == {}
        assert only.get("project", "erp") == "erp"
        assert only.get("domain", DECLARED.domain) == DECLARED.domain
        assert only.get("unit", UNITS[0]) in UNITS
        named = only.get("service", only.get("container", "app"))
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", named)
    assert outcome.refused or world.wire.sent or world.calls


def test_no_verb_and_no_argument_speaks_of_what_must_never_be_done() -> None:
    words = " ".join([*Verb, *(name for names in ARGUMENTS.values() for name in names), *REQUESTS])

    for never in ("volume", "port", "install", "secret", "password", "gate", "exec", "run", "shell", "delete", "tls"):
        assert never not in re.split(r"[^a-z]+", words), never
    assert set(ARGUMENTS) == set(Verb)
    assert set(REQUESTS) <= set(verbs.ACTS)


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (Act("rm -rf /", "x", "", ""), "is no verb"),  # type: ignore[arg-type]  (what a forged record could hold)
        (Act("converge", "x", "", ""), "is no verb"),  # type: ignore[arg-type]
        (Act(Verb.CONVERGE, "stack", "", "", {"volumes": True}), "has no argument volumes"),
        (Act(Verb.REMOVE_CONTAINER, "erp-app-1", "", "", {"force": True}), "has no argument force"),
        (Act(Verb.START_UNIT, "ssh.service", "", ""), "is none of docker.service"),
        (Act(Verb.RESTART_SERVICE, "app db", "", ""), "is no name of a service"),
        (Act(Verb.WAIT, "", "", "", {"seconds": 121}), "at most 120 seconds"),
        (Act(Verb.WAIT, "", "", "", {"seconds": float("nan")}), "not nan"),
        (Act(Verb.WAIT, "", "", ""), "not None"),
        (Act(Verb.AWAIT_HOST, "", "", "", {"seconds": 121}), "at most 120 seconds"),
    ],
)
def test_what_is_no_act_is_refused_and_nothing_happens(act: Act, why: str) -> None:
    world = World()

    outcome = world.hands.perform(act)

    assert why in outcome.refused
    assert not outcome.succeeded
    assert (world.wire.sent, world.calls) == ([], [])


def test_each_verb_reaches_the_one_who_does_it() -> None:
    world = World()

    for verb, subject in (
        (Verb.RESTART_SERVICE, "app"),
        (Verb.REMOVE_CONTAINER, "erp-app-1"),
        (Verb.START_UNIT, "docker.service"),
        (Verb.RELOAD_PROXY, "proxy"),
        (Verb.RENEW_CERTIFICATE, "whatever.test"),
        (Verb.PRUNE_IMAGES, ""),
        (Verb.CONVERGE, "stack"),
        (Verb.POWER_ON, "99"),
        (Verb.OFFER_PATCH, "dashboard"),
    ):
        assert world.perform(verb, subject).succeeded, verb
    assert world.perform(Verb.WAIT, seconds=2.5).after == "2.5 s later"

    sent = [request["acts"][0] for request in world.wire.sent]
    assert [each["do"] for each in sent] == [
        *("restart_service", "remove_container", "start_unit", "reload_proxy", "renew_certificate", "prune_images")
    ]
    assert [request["lock"] for request in world.wire.sent] == [
        "stack",
        "stack",
        "baseline",
        "proxy",
        "proxy",
        "images",
    ]
    assert world.wire.sent[0]["redact"] == {"path": "/home/deploy/erp/.env", "names": ["TOKEN"]}
    assert [each for each in world.calls if each != "host"] == ["converge", "power on", "patch dashboard", "sleep 2.5"]


@pytest.mark.parametrize(
    ("silent", "succeeded", "after", "asked"),
    [
        ([], True, "it answers, 0 s later", 1),
        (["HOST_UNREACHABLE"] * 3, True, "it answers, 3 s later", 4),
        (["HOST_UNREACHABLE"] * 9, False, "no answer within 5 s: refused", 6),
        (["HOST_NOT_MADE"], True, "refused", 1),
    ],
)
def test_a_silent_host_is_asked_until_it_answers(silent: list[str], *, succeeded: bool, after: str, asked: int) -> None:
    world = World(silent=silent)

    outcome = world.perform(Verb.AWAIT_HOST, seconds=5)

    assert (outcome.succeeded, outcome.after, world.calls.count("host")) == (succeeded, after, asked)
    assert world.wire.sent == []


def test_a_typed_error_is_an_outcome_and_a_refusal_of_the_host_is_told() -> None:
    world = World()

    def fails() -> Seen:
        error = {"phase": "build", "host": "h", "command": "c", "exit_status": 1, "evidence": "e", "hint": ""}
        raise StepError(**error, code="IMAGE_BUILD_FAILED")

    hands = Hands(DECLARED, host=lambda: world.wire, converge=fails, power_on=fails, offer_patch=lambda _act: fails())
    outcome = hands.perform(Act(Verb.CONVERGE, "stack", "", ""))
    assert (outcome.succeeded, outcome.refused) == (False, "")
    assert "IMAGE_BUILD_FAILED" in outcome.after

    world.wire.call = lambda **_request: {"seen": json.dumps(Seen(succeeded=True, refused="not ours").__dict__)}  # type: ignore[method-assign]
    refused = world.perform(Verb.REMOVE_CONTAINER, "stranger")
    assert (refused.succeeded, refused.refused) == (False, "not ours")


# ---- the host's side: whatever state a machine is in, only listed calls and programs are made of a request


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("engine") / "docker.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), FakeEngine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield path
        server.shutdown()


CONTAINERS = st.dictionaries(
    st.sampled_from(["app", "erp-app-1", "stranger", "ab" * 32]),
    st.builds(
        container,
        st.sampled_from(["erp", "other", ""]),
        st.sampled_from(["app", "db"]),
        state=st.sampled_from(["running", "exited", "paused"]),
        oneoff=st.sampled_from(["False", "True", ""]),
    ),
    max_size=3,
)


def overrides(parent: Path) -> Path:
    """Give the folder in which a host keeps what Greenroom adds to a project: one of its own, and one for its key."""
    place = parent / "greenroom"
    place.mkdir(exist_ok=True)
    (place / "erp.yml").touch()
    (place / "key").touch()
    return place


@pytest.mark.parametrize(
    ("others", "pruned"),
    [
        ([], ["/images/prune", "/build/prune"]),
        ([container("other", "web", state="exited")], ["/images/prune"]),
        ([container("", "web", state="running")], ["/images/prune"]),
    ],
    ids=["alone", "beside another project", "beside a container of no project"],
)
def test_no_image_of_another_project_is_pruned_and_no_cache_that_may_be_a_neighbour_s(
    engine: Path, monkeypatch: pytest.MonkeyPatch, others: list[dict[str, Any]], pruned: list[str]
) -> None:
    monkeypatch.setattr(remedies, "Engine", lambda: Engine(str(engine)))
    monkeypatch.setattr(prunable, "OVERRIDES", str(overrides(engine.parent)))
    here = [container("erp", "app", state="running"), *others]
    FakeEngine.asked, FakeEngine.containers = [], {str(number): each for number, each in enumerate(here)}

    verbs.act({"do": "prune_images"}, Reporter(lambda _event: None, Redactor([])))

    posted = [each for each in FakeEngine.asked if each.startswith("POST ")]
    assert [each.removeprefix("POST ").partition("?")[0] for each in posted] == pruned
    assert posted[0].endswith('"label": ["com.docker.compose.project=erp"]}')


def test_where_nothing_is_known_to_be_ours_nothing_is_pruned(
    engine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(remedies, "Engine", lambda: Engine(str(engine)))
    FakeEngine.containers = {"1": container("erp", "app", state="running")}
    for place in (tmp_path, tmp_path / "none"):
        monkeypatch.setattr(prunable, "OVERRIDES", str(place))
        FakeEngine.asked, act = [], {"do": "prune_images"}

        verbs.act(act, Reporter(lambda _event: None, Redactor([])))

        assert "no dangling image and no unused build cache of ours" in json.loads(act["printed"])["refused"]
        assert not [each for each in FakeEngine.asked if each.startswith("POST ")]


@given(act=ACTIONS, containers=CONTAINERS, active=st.sampled_from(["active", "failed", "inactive"]))
@settings(max_examples=300, deadline=None)
def test_on_the_host_too_nothing_but_listed_operations_comes_of_any_act(
    engine: Path, act: Act, containers: dict[str, dict[str, Any]], active: str
) -> None:
    world = World()
    world.hands.perform(act)
    ran: list[str] = []

    def run(argv: list[str], **_options: Any) -> Finished:
        ran.append(" ".join(argv))
        facts = f"LoadState=loaded\nActiveState={active}\nSubState=x\nResult=success\nMainPID=1\n"
        return Finished(0, facts if argv[1] == "show" else "{}", "")

    own = "com.docker.compose.project=erp"
    foreign = {name: dict(each["State"]) for name, each in containers.items() if own not in labels_of(each)}
    FakeEngine.asked, FakeEngine.containers = [], {name: {**each, "Id": name} for name, each in containers.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remedies, "run", run)
        patch.setattr("infra.transport.remote.proxy_state.run", run)
        patch.setattr(remedies, "Engine", lambda: Engine(str(engine)))
        patch.setattr(prunable, "OVERRIDES", str(overrides(engine.parent)))
        patch.setattr(remedies, "_POLL_S", 0.0)
        patch.setattr(remedies, "_UNIT_WITHIN_S", 0.0)
        patch.setattr(remedies, "_RENEWED_WITHIN_S", (0.0, 0.0))
        patch.setattr(remedies, "CERTIFICATES", "/nowhere")
        for request in world.wire.sent:
            (only,) = request["acts"]
            verbs.act(only, Reporter(lambda _event: None, Redactor([])))

    for asked in FakeEngine.asked:
        assert any(re.fullmatch(each, asked) for each in ENGINE_CALLS), asked
    for argv in ran:
        assert any(re.fullmatch(each, argv) for each in PROGRAMS), argv
    left = {name: each["State"] for name, each in FakeEngine.containers.items()}
    assert foreign.items() <= left.items()
