"""A server that is started again: state and machines agree, whatever it was doing when it went away."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from apilab import Api, inbound, wait_for

from localcloud.digitalocean.store import Store
from localcloud.digitalocean.testing import RecordingMachines, cloud_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def session(home: Path, machines: RecordingMachines) -> Callable[[Callable[[Api], None]], None]:
    """Runs something against a server of its own; all of them share home and machines."""

    def run(work: Callable[[Api], None]) -> None:
        with cloud_server(home, machines) as server:
            api = Api(server.urls["http"], machines)
            try:
                work(api)
            finally:
                api.close()

    return run


Session = "Callable[[Callable[[Api], None]], None]"


def test_everything_is_found_again(session: Session, machines: RecordingMachines) -> None:
    before: dict[str, object] = {}
    paths = ["/v2/droplets", "/v2/volumes", "/v2/vpcs", "/v2/firewalls", "/v2/reserved_ips", "/v2/actions", "/v2/tags"]

    def make(api: Api) -> None:
        volume = api.volume()
        number = api.droplet(volumes=[volume["id"]], tags=["a"])["id"]
        api.firewall(droplet_ids=[number], inbound_rules=[inbound("22")])
        api.post("/v2/reserved_ips", {"droplet_id": number}, 202)
        before.update({path: strip(api, api.get(path)) for path in paths})

    session(make)
    plan, machines.plan, machines.calls = machines.plan, None, []

    def look(api: Api) -> None:
        assert {path: strip(api, api.get(path)) for path in paths} == before

    session(look)
    assert machines.plan == plan
    assert machines.calls == [("apply_network",)]


def strip(api: Api, answer: object) -> str:
    """The answer without this server's own address."""
    return str(answer).replace(api.url, "")


def test_a_machine_that_changed_meanwhile_is_told_as_it_is(session: Session, machines: RecordingMachines) -> None:
    numbers: list[int] = []
    session(lambda api: numbers.extend(api.droplet(name=name)["id"] for name in ("a", "b")))
    machines.states[numbers[0]] = "off"
    machines.destroy(numbers[1])

    def look(api: Api) -> None:
        assert [droplet["status"] for droplet in api.get("/v2/droplets")["droplets"]] == ["off", "off"]
        api.act(numbers[0], "power_on")
        for number in numbers:
            api.delete(f"/v2/droplets/{number}")

    session(look)


def test_a_machine_that_no_droplet_stands_for_is_removed(session: Session, machines: RecordingMachines) -> None:
    machines.states[99] = "running"
    session(lambda api: api.get("/v2/account"))
    assert machines.list_ids() == []


def test_work_that_was_cut_short_is_finished_or_ended(
    home: Path, session: Session, machines: RecordingMachines
) -> None:
    numbers: dict[str, int] = {}

    def make(api: Api) -> None:
        numbers.update({name: api.droplet(name=name)["id"] for name in ("booting", "going", "resting")})

    session(make)
    cut_short(home, numbers)
    machines.destroy(numbers["booting"])

    def look(api: Api) -> None:
        assert api.settled(numbers["booting"])["status"] == "active"
        assert machines.state(numbers["booting"]) == "running"
        api.get(f"/v2/droplets/{numbers['going']}", 404)
        resting = api.settled(numbers["resting"])
        assert (resting["status"], resting["locked"]) == ("active", False)
        assert api.get(f"/v2/droplets/{numbers['resting']}/actions")["actions"][0]["status"] == "errored"
        running = [item for item in api.get("/v2/actions")["actions"] if item["status"] == "in-progress"]
        assert running == []

    session(look)


def cut_short(home: Path, numbers: dict[str, int]) -> None:
    """Leave the state as a killed server would: a boot, a destruction and a reboot under way."""
    store = Store(home / "state.sqlite")
    for name, number in numbers.items():
        droplet = store.get("droplet", number)
        assert droplet is not None
        action = store.where("action", "droplet_id", number)[0]
        if name == "going":
            store.put("droplet", number, {**droplet, "event": 0, "destroying": True})
        else:
            status = "new" if name == "booting" else "active"
            store.put("droplet", number, {**droplet, "status": status, "event": action["id"]})
            kind = "create" if name == "booting" else "reboot"
            open_again = {"status": "in-progress", "completed_at": None, "type": kind}
            store.put("action", action["id"], {**action, **open_again})
    store.close()


def test_stopping_waits_for_work_under_way(home: Path, machines: RecordingMachines) -> None:
    machines.hold["create"] = gate = threading.Event()
    with cloud_server(home, machines) as server:
        api = Api(server.urls["http"], machines)
        api.booting()
        api.close()
        wait_for(lambda: len(machines.calls), lambda count: count > 1)
        threading.Timer(0.1, gate.set).start()
    store = Store(home / "state.sqlite")
    assert [droplet["status"] for droplet in store.all("droplet")] == ["active"]
    store.close()


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite")

    def half() -> None:
        with store.transaction():
            store.put("thing", 1, {"a": 1})
            with store.transaction():
                store.put("thing", 2, {"a": 2})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert store.all("thing") == []
    store.put("thing", 1, {"a": 1})
    assert (store.count("thing"), store.where("thing", "a", 1), store.where("thing", "a", 2)) == (1, [{"a": 1}], [])
    store.close()
