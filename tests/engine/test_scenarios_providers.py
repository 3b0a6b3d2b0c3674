"""Conformance scenarios 31-33 and 45, and the providers' life: configuration, previews, processes, secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from enginelab.bench import CANARY
from enginelab.protocol import SECRET, SIGNATURE

if TYPE_CHECKING:
    from enginelab.bench import Bench

EXPLICIT = """
    p = Source("p", {config})
    a = Thing("a", x=1, opts=options(provider=p))
    b = Thing("b", x=a.stamp, opts=options(provider=p))
"""


def secret(value: object) -> dict[str, object]:
    """Give a secret as it stands on the wire."""
    return {SIGNATURE: SECRET, "value": value}


def test_31_a_replaced_provider_replaces_all_it_made(bench: Bench) -> None:
    bench.good(EXPLICIT.format(config="key=1"), "create Stack, p, a, b")
    assert bench.state["a"]["provider"] == f"{bench.state['p']['urn']}::{bench.state['p']['id']}"
    report = bench.good(
        EXPLICIT.format(config="key=2"),
        *("same Stack", "create-replacement p, a, b", "replace p, a, b", "delete-replaced p, a, b"),
    )
    assert report.changing() == ["Create a", "Create b", "Delete b", "Delete a"]
    assert report.steps[-1] == "delete-replaced p"
    configured = [entry["variables"] for entry in report.calls_of("Configure")]
    assert {"testprovider:config:key": "1"} in configured
    assert {"testprovider:config:key": "2"} in configured
    process = {entry["pid"] for entry in report.calls_of("Delete", "a")}
    assert process != {entry["pid"] for entry in report.calls_of("Create", "a")}


def test_31_an_updated_provider_leaves_its_resources_alone(bench: Bench) -> None:
    bench.good(EXPLICIT.format(config="token=1"))
    identity = bench.state["p"]["id"]
    report = bench.good(EXPLICIT.format(config="token=2"), "same Stack, a, b", "update p")
    assert report.called()
    assert bench.state["p"]["id"] == identity
    assert bench.state["p"]["inputs"]["token"] in {2, "2"}
    difference = report.call("DiffConfig", "p")
    assert str(difference["old_inputs"]["token"]) == "1"
    assert str(difference["news"]["token"]) == "2"


def test_31_children_take_the_provider_of_their_parent(bench: Bench) -> None:
    bench.good("""
        p = Source("p", token="t")
        k = Group("k", opts=options(providers=[p]))
        a = Thing("a", x=1, opts=options(parent=k))
        b = Thing("b", x=1, opts=options(parent=a))
    """)
    assert bench.state["a"]["provider"] == bench.state["b"]["provider"]
    assert "::p::" in bench.state["a"]["provider"]
    assert "default" not in bench.state.names


def test_32_a_move_to_the_default_provider_is_decided_by_its_diff(bench: Bench) -> None:
    bench.good(EXPLICIT.format(config='region="x"'))
    bench.configure({"testprovider:region": "x"})
    moved = """
        a = Thing("a", x=1)
        b = Thing("b", x=a.stamp)
    """
    report = bench.good(moved, "same Stack, a, b", "delete p")
    assert report.called()
    assert report.calls_of("DiffConfig")
    assert "::default::" in bench.state["a"]["provider"]


def test_32_and_may_replace(bench: Bench) -> None:
    bench.good(EXPLICIT.format(config="key=1"))
    moved = """
        a = Thing("a", x=1)
        b = Thing("b", x=a.stamp)
    """
    report = bench.good(moved)
    assert {"replace a", "replace b", "delete p"} <= set(report.steps)
    assert bench.world.alive() == ["a-2", "b-2"]


def test_33_another_sdk_version_takes_over_in_silence(bench: Bench) -> None:
    bench.good('Thing("a", x=1)')
    assert "default" in bench.state.names
    bench.good('Thing("a", x=1, opts=options(version="1.2.3"))', "same Stack, a")
    assert bench.state.names == ["Stack", "default_1_2_3", "a"]
    assert bench.state["default_1_2_3"]["inputs"]["version"] == "1.2.3"
    bench.good('Thing("a", x=1, opts=options(version="1.3.0"))', "same Stack, a")
    assert bench.state.names == ["Stack", "default_1_3_0", "a"]


def test_45_a_provider_that_is_not_known_yet_is_not_asked(bench: Bench) -> None:
    bench.good("pass")
    report = bench.preview("""
        first = Thing("first", x=1)
        p = Source("p", token=first.stamp)
        a = Thing("a", x=1, opts=options(provider=p))
        b = Thing("b", x=a.stamp, opts=options(provider=p))
    """)
    assert report.ok, report
    assert report.did("same Stack", "create first, p, a, b")
    for call in ("Check", "Create", "Diff"):
        assert not report.calls_of(call, "a", preview=call == "Create")
        assert not report.calls_of(call, "b", preview=call == "Create")


def test_45_the_real_run_knows_it(bench: Bench) -> None:
    report = bench.good("""
        first = Thing("first", x=1)
        p = Source("p", token=first.stamp)
        a = Thing("a", x=1, opts=options(provider=p))
    """)
    values = [entry["variables"].get("testprovider:config:token") for entry in report.calls_of("Configure")]
    assert "stamp of first-1" in values


def test_a_default_provider_gets_the_configuration_of_its_own_namespace(bench: Bench) -> None:
    bench.configure({"testprovider:region": "fra1", "testprovider:count": "3", "lab:other": "mine"})
    report = bench.good('Thing("a", x=1)')
    expected = {"testprovider:config:region": "fra1", "testprovider:config:count": "3"}
    assert report.call("Configure")["variables"] == expected
    assert bench.state["default"]["inputs"] == {"region": "fra1", "count": "3"}
    assert bench.state["default"]["outputs"] == {"region": "fra1", "count": "3"}


def test_a_secret_of_the_configuration_is_kept_encrypted(bench: Bench) -> None:
    ciphertext = bench.cipher.encrypt(CANARY, b"nonce of 12b")
    bench.configure({"testprovider:token": {"secure": ciphertext}})
    report = bench.good('Thing("a", x=1)')
    assert report.call("Configure")["variables"] == {"testprovider:config:token": CANARY}
    assert bench.state["default"]["inputs"] == {"token": {"secret": CANARY}}
    bench.good(None, "same Stack, a")


def test_one_process_serves_a_provider_resource(bench: Bench) -> None:
    report = bench.good("""
        p = Source("p", token="p")
        q = Source("q", token="q")
        Thing("a", x=1, opts=options(provider=p))
        Thing("b", x=1, opts=options(provider=p))
        Thing("c", x=1, opts=options(provider=q))
        Thing("d", x=1)
    """)
    process = {name: report.call("Create", name)["pid"] for name in "abcd"}
    assert process["a"] == process["b"]
    assert len(set(process.values())) == 3


def test_a_plugin_starts_in_the_program_with_the_projects_name(bench: Bench) -> None:
    report = bench.good('Thing("a", x=1)')
    assert report.call("Start")["project"] == "lab"
    assert Path(report.call("Start")["directory"]) == bench.root


def test_a_plugin_knows_its_own_configuration_and_no_other(bench: Bench) -> None:
    bench.configure(
        {"testprovider:region": "fra1", "lab:word": {"secure": bench.cipher.encrypt(CANARY, b"nonce of 12b")}}
    )
    report = bench.good('Thing("a", x=1)')
    assert json.loads(report.call("Start")["config"] or "{}") == {"region": "fra1"}


def test_a_plugin_hears_interrupts(bench: Bench) -> None:
    assert bench.good('Thing("a", x=1)').call("Start")["hears_interrupts"]


def test_a_plugin_that_does_not_go_is_ended(bench: Bench) -> None:
    bench.script(stubborn=True)
    bench.good('Thing("a", x=1)')


def test_secrets_are_stripped_for_a_provider_that_takes_none_and_marked_again(bench: Bench) -> None:
    bench.script(acceptSecrets=False)
    report = bench.good(f"""
        token = pulumi.Output.secret("{CANARY}")
        a = Thing("a", x=token, n={{"k": token, "m": 1}}, l=[1, token], y=1)
        Thing("b", x=a.x if hasattr(a, "x") else token)
        pulumi.export("x", a.x)
    """)
    created = report.call("Create", "a")["news"]
    assert created == {"x": CANARY, "n": {"k": CANARY, "m": 1}, "l": [1, CANARY], "y": 1}
    marked = {"secret": CANARY}
    entry = bench.state["a"]
    assert entry["inputs"] == {"x": marked, "n": {"k": marked, "m": 1}, "l": {"secret": [1, CANARY]}, "y": 1}
    assert entry["outputs"]["x"] == marked
    assert entry["outputs"]["y"] == 1
    assert CANARY not in str(_outside(entry["outputs"]))
    assert bench.state["b"]["inputs"]["x"] == marked
    assert bench.state.outputs == {"x": marked}
    report = bench.good(None, "same Stack, a, b")
    assert SECRET not in str(report.calls)


def _outside(value: object) -> object:
    """Take away what is inside a secret."""
    if isinstance(value, dict):
        return {key: _outside(item) for key, item in value.items() if key != "secret"}
    return [_outside(item) for item in value] if isinstance(value, list) else value


def test_secrets_reach_a_provider_that_takes_them(bench: Bench) -> None:
    bench.script(acceptSecrets=True)
    report = bench.good(f'Thing("a", x=pulumi.Output.secret("{CANARY}"), y=1)')
    assert report.call("Create", "a")["news"] == {"x": secret(CANARY), "y": 1}
    assert bench.state["a"]["outputs"]["x"] == {"secret": CANARY}
    bench.good(None, "same Stack, a")


def test_a_handshake_may_say_what_configure_does_not(bench: Bench) -> None:
    bench.script(handshake=True, acceptSecrets=True, supportsPreview=False)
    bench.good("pass")
    report = bench.preview('Thing("a", x=1)')
    assert report.calls_of("Create", "a", preview=True)


def test_named_outputs_become_secret(bench: Bench) -> None:
    bench.script({"call": "Create", "name": "a", "outputs": {"password": CANARY}})
    bench.good('Thing("a", x=1, password=None, opts=options(additional_secret_outputs=["password"]))')
    assert bench.state["a"]["outputs"]["password"] == {"secret": CANARY}
    assert bench.state["a"]["additionalSecretOutputs"] == ["password"]


def test_without_preview_support_inputs_stand_in_for_outputs(bench: Bench) -> None:
    bench.script(supportsPreview=False)
    bench.good("pass")
    report = bench.preview("""
        a = Thing("a", x=1)
        b = Thing("b", x=a.x)
    """)
    assert report.ok, report
    assert report.did("same Stack", "create a, b")
    assert not report.calls_of("Create", "a", preview=True)
    assert report.call("Check", "b")["news"] == {"x": 1}


def test_an_unimplemented_check_config_is_no_failure(bench: Bench) -> None:
    bench.script({"call": "CheckConfig", "unimplemented": True}, {"call": "DiffConfig", "unimplemented": True})
    bench.good(EXPLICIT.format(config="key=1"))
    report = bench.good(EXPLICIT.format(config="key=2"), "same Stack, a, b", "update p")
    assert report.called()


def test_destroy_uses_the_provider_that_state_knows(bench: Bench) -> None:
    bench.configure({"testprovider:token": "old"})
    bench.good('Thing("a", x=1)')
    bench.configure({"testprovider:token": "new"})
    report = bench.destroy()
    assert report.ok, report
    assert report.call("Configure")["variables"] == {"testprovider:config:token": "old"}


def test_invokes_run_in_preview_and_hide_what_came_of_secrets(bench: Bench) -> None:
    program = f"""
        asked = pulumi.runtime.invoke_output("testprovider:index:echo", {{"q": pulumi.Output.secret("{CANARY}")}})
        Thing("a", x=asked["q"], y=asked["answer"])
        plain = pulumi.runtime.invoke("testprovider:index:echo", {{"q": 1}}).value
        pulumi.export("plain", plain)
    """
    bench.good("pass")
    assert bench.preview(program).calls_of("Invoke")
    bench.good(program)
    assert bench.state["a"]["inputs"] == {"x": {"secret": CANARY}, "y": {"secret": "42"}}
    assert bench.state.outputs["plain"] == {"q": 1, "answer": "42"}


def test_a_failing_invoke_fails_the_run(bench: Bench) -> None:
    bench.script({"call": "Invoke", "error": "no such thing"})
    report = bench.bad('pulumi.runtime.invoke("testprovider:index:echo", {})')
    assert "no such thing" in report.text


def test_a_failing_configure_fails_the_run_and_leaves_no_process(bench: Bench) -> None:
    bench.script({"call": "Configure", "error": "bad credentials"})
    report = bench.bad('Thing("a", x=1)')
    assert "bad credentials" in report.text
    assert bench.state.things == []
