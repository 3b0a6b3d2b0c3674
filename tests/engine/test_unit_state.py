from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.engine.checkpoint import Decoder, Encoder
from localcloud.engine.dependents import Graph, condemned_dependents
from localcloud.engine.errors import StateError, UnsupportedError
from localcloud.engine.journal import Journal, rewrite_references
from localcloud.engine.secrets import SecretsManager
from localcloud.engine.state import PendingOperation, ResourceState, Snapshot, check_order
from localcloud.engine.values import UNKNOWN, Secret

MANAGER = SecretsManager("p", None)


def urn(name: str, kind: str = "a:b:C") -> str:
    return f"urn:pulumi:dev::p::{kind}::{name}"


def entry(name: str, *needs: str, **fields: Any) -> ResourceState:
    fields = {"id": f"{name}-1", "dependencies": [urn(need) for need in needs], **fields}
    return ResourceState(urn=urn(name), custom=True, type="a:b:C", **fields)


class TestTheCheckpoint:
    def test_a_state_survives_being_written_and_read(self) -> None:
        whole = ResourceState(
            urn=urn("a"),
            custom=True,
            type="a:b:C",
            id="a-1",
            inputs={"x": 1, "s": Secret({"k": [Secret("deep"), 1]})},
            outputs={"y": 0.5, "n": None},
            protect=True,
            additional_secret_outputs=["y"],
            custom_timeouts={"create": 5},
            init_errors=["not well"],
            replacement_trigger=Secret(1),
            created="2026-01-01T00:00:00Z",
        )
        snapshot = Snapshot((whole,), (PendingOperation("creating", entry("b")),))
        document = encoded(snapshot)
        read = Decoder(MANAGER).decode(document)
        assert [as_dict(item) for item in read.resources] == [as_dict(whole)]
        assert [item.type for item in read.pending] == ["creating"]
        assert "deep" not in json.dumps(document)

    def test_what_did_not_change_is_written_byte_for_byte_the_same(self) -> None:
        document = encoded(Snapshot((entry("a", inputs={"s": Secret("x")}, outputs={"s": Secret("x")}),)))
        decoder = Decoder(MANAGER)
        again = Encoder(MANAGER, decoder.ciphertexts).encode(
            decoder.decode(document), name="organization/p/dev", time="t"
        )
        assert again == document

    def test_equal_secrets_in_different_places_look_different(self) -> None:
        document = encoded(Snapshot((entry("a", inputs={"s": Secret("x"), "t": Secret("x")}),)))
        inputs = document["checkpoint"]["latest"]["resources"][0]["inputs"]
        assert inputs["s"]["ciphertext"] != inputs["t"]["ciphertext"]

    def test_without_the_key_secrets_stay_unread(self) -> None:
        document = encoded(Snapshot((entry("a", inputs={"s": Secret("x")}),)))
        assert Decoder(None).decode(document).resources[0].inputs == {"s": Secret(None)}

    def test_an_empty_state_has_no_resources_key(self) -> None:
        assert "resources" not in encoded(Snapshot())["checkpoint"]["latest"]

    @pytest.mark.parametrize("field", ["taint", "viewOf", "refreshBeforeUpdate", "replaceWith", "resourceHooks", "new"])
    def test_what_it_would_lose_is_refused_by_name(self, field: str) -> None:
        document = encoded(Snapshot((entry("a"),)))
        document["checkpoint"]["latest"]["resources"][0][field] = ["set"]
        with pytest.raises(UnsupportedError, match=field):
            Decoder(None).decode(document)


def encoded(snapshot: Snapshot) -> dict[str, Any]:
    return json.loads(json.dumps(Encoder(MANAGER, {}).encode(snapshot, name="organization/p/dev", time="t")))


def as_dict(state: ResourceState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in ResourceState.__slots__}


class TestTheOrder:
    def test_references_point_backwards(self) -> None:
        check_order([entry("a"), entry("b", "a")])
        with pytest.raises(StateError, match="out of order"):
            check_order([entry("b", "a"), entry("a")])

    def test_a_urn_is_live_once(self) -> None:
        check_order([entry("a", delete=True), entry("a"), entry("a", delete=True)])
        with pytest.raises(StateError, match="twice"):
            check_order([entry("a"), entry("a")])

    @settings(max_examples=60)
    @given(st.lists(st.sets(st.integers(0, 11), max_size=3), max_size=12))
    def test_waves_take_dependents_before_what_they_need(self, edges: list[set[int]]) -> None:
        entries = [entry(str(n), *(str(m) for m in needs if m < n)) for n, needs in enumerate(edges)]
        graph = Graph(entries)
        waves = graph.waves(entries)
        assert sorted(item.urn for wave in waves for item in wave) == sorted(item.urn for item in entries)
        number = {item: index for index, wave in enumerate(waves) for item in wave}
        assert all(number[item] < number[need] for item in entries for need in graph.needs[item])

    def test_a_reference_means_the_nearest_entry_before_it(self) -> None:
        old_a, old_b, new_a = entry("a", delete=True), entry("b", "a", delete=True), entry("a")
        graph = Graph([old_a, old_b, new_a])
        assert graph.needs[old_b] == {old_a}


class TestTheJournal:
    def test_finished_entries_come_first_in_the_order_they_finished(self) -> None:
        a, b, c = entry("a"), entry("b"), entry("c")
        journal = Journal(Snapshot((a, b, c)), None)
        journal.keep(c, c.changed())
        journal.keep(a, a.changed())
        assert [item.urn for item in journal.snapshot().resources] == [urn("c"), urn("a"), urn("b")]

    def test_a_replaced_entry_stays_until_it_is_deleted(self) -> None:
        old, new = entry("a"), entry("a", id="a-2")
        journal = Journal(Snapshot((old,)), None)
        journal.put(new, replacing=old)
        assert [(item.id, item.delete) for item in journal.snapshot().resources] == [("a-2", False), ("a-1", True)]
        journal.drop(old)
        assert [item.id for item in journal.snapshot().resources] == ["a-2"]

    def test_an_operation_is_on_record_until_its_result_is(self) -> None:
        written: list[Snapshot] = []
        journal = Journal(Snapshot(), written.append)
        new = entry("a")
        with journal.operation("creating", new) as pending:
            assert [item.type for item in written[-1].pending] == ["creating"]
        assert journal.snapshot().pending
        journal.put(new, ending=pending)
        assert not written[-1].pending
        assert written[-1].resources == (new,)

    def test_a_failed_operation_leaves_no_record(self) -> None:
        journal = Journal(Snapshot(), None)
        with pytest.raises(OSError, match="no"), journal.operation("updating", entry("a")):
            raise OSError("no")
        assert not journal.snapshot().pending

    def test_pending_creates_of_earlier_runs_are_carried_on_and_others_are_not(self) -> None:
        base = Snapshot((), (PendingOperation("creating", entry("a")), PendingOperation("deleting", entry("b"))))
        assert [item.type for item in Journal(base, None).snapshot().pending] == ["creating"]

    def test_a_closed_journal_writes_nothing_and_keeps_what_was_pending(self) -> None:
        written: list[Snapshot] = []
        journal = Journal(Snapshot(), written.append)

        def interrupted() -> None:
            journal.close()
            raise OSError("late")

        with pytest.raises(OSError, match="late"), journal.operation("creating", entry("a")):
            interrupted()
        assert len(written) == 1
        assert written[0].pending

    def test_only_changes_that_matter_are_written(self) -> None:
        written: list[Snapshot] = []
        a = entry("a", "x", "y")
        journal = Journal(Snapshot((entry("x"), entry("y"), a)), written.append)
        journal.keep(a, a.changed(dependencies=[urn("y"), urn("x")], source_position="elsewhere"))
        assert not written
        journal.keep(a, a.changed(protect=True))
        assert len(written) == 1


def test_a_moved_parent_takes_unregistered_children_along() -> None:
    old, new = "urn:pulumi:dev::p::old:K::k", "urn:pulumi:dev::p::new:K::k"
    child = ResourceState(urn="urn:pulumi:dev::p::old:K$a:b:C::c", custom=True, type="a:b:C", parent=old)
    other = entry("o", dependencies=[child.urn], property_dependencies={"x": [child.urn]}, deleted_with=old)
    parent = ResourceState(urn=new, custom=False, type="new:K")
    moved = rewrite_references([parent, child, other], {old: new})
    renamed = "urn:pulumi:dev::p::new:K$a:b:C::c"
    assert (moved[1].urn, moved[1].parent, moved[1].type) == (renamed, new, "a:b:C")
    assert (moved[2].dependencies, moved[2].property_dependencies) == ([renamed], {"x": [renamed]})
    assert moved[2].deleted_with == new
    assert child.parent == old


class TestCondemnedDependents:
    def test_only_fed_inputs_that_force_a_replacement_condemn(self) -> None:
        a = entry("a")
        fed = entry("fed", "a", inputs={"x": 1, "y": 2}, property_dependencies={"x": [a.urn], "y": []})
        ordered = entry("ordered", "a", inputs={"x": 1})
        mild = entry("mild", "a", inputs={"z": 1}, property_dependencies={"z": [a.urn]})
        after = entry("after", "fed", inputs={"x": 1}, property_dependencies={"x": [fed.urn]})
        asked: list[tuple[str, dict[str, Any]]] = []

        def would_replace(item: ResourceState, inputs: dict[str, Any]) -> bool:
            asked.append((item.urn, inputs))
            return "x" in inputs

        found = condemned_dependents(a, [a, fed, ordered, mild, after], (), would_replace)
        assert found == [fed, after]
        assert asked[0] == (fed.urn, {"x": UNKNOWN, "y": 2})

    def test_what_lives_by_a_condemned_one_goes_too(self) -> None:
        a = entry("a")
        bound = entry("bound", deleted_with=a.urn)
        assert condemned_dependents(a, [a, bound], (), lambda *_: False) == [bound]
        assert condemned_dependents(a, [a, bound], {bound.urn}, lambda *_: False) == []
