"""The secrets format against vectors and a second implementation: what others wrote is read, and the reverse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from enginelab.bench import CANARY, PASSPHRASE, Bench
from enginelab.cipher import Cipher
from enginelab.protocol import SECRET, SIGNATURE

if TYPE_CHECKING:
    from pathlib import Path

    from enginelab.bench import Driver
    from enginelab.embedded import Embedded

WORD = "a secret, spoken: ä€😀"
VECTORS = [
    (
        "correct horse battery staple",
        "v1:AAECAwQFBgc=:v1:AAECAwQFBgcICQoL:/DRVO+dNzDhZgIGzjuL2z4UYQZq3Xg==",
        "v1:DA0ODxAREhMUFRYX:Vmt8ieljDg7+9zNncRuu2fmbybrybm7WTMA/sXNDCt++Px2698Wgk4QvPQ==",
    ),
    (
        "",
        "v1:AAECAwQFBgc=:v1:AAECAwQFBgcICQoL:mXB69Ew4SgucIvU8kq1Y8Nvl3+XbOg==",
        "v1:DA0ODxAREhMUFRYX:jEGAXzD1Aq5m8LP3LCE4Ii6Pmd+8SaegEkfNehf6nh+OU3/AZvQI66oycg==",
    ),
    (
        "pässwörd ☃ with spaces ",
        "v1:AAECAwQFBgc=:v1:AAECAwQFBgcICQoL:V7b1Kg/J/QF1qFibELQd95zj0zZLyQ==",
        "v1:DA0ODxAREhMUFRYX:LXHPXNBCnSbbx7435/LBa4JSli1xm4JHHIW97kYHbl9YDIyT+kCRDXc21Q==",
    ),
]
"""Passphrase, salt text, and the ciphertext of `WORD`: salt 0..7, nonces 0..11 and 12..23."""
SHOW = """
    config = pulumi.Config()
    pulumi.export("word", config.require_secret("word"))
    pulumi.export("length", len(config.require("word")))
"""


@pytest.mark.parametrize(("passphrase", "salt", "ciphertext"), VECTORS)
def test_known_answers(tmp_path: Path, driver: Driver, passphrase: str, salt: str, ciphertext: str) -> None:
    bench = Bench(tmp_path / "lab", driver, passphrase=passphrase, salt=salt)
    bench.configure({"lab:word": {"secure": ciphertext}})
    bench.good(SHOW)
    assert bench.state.outputs == {"word": {"secret": WORD}, "length": len(WORD)}
    assert bench.state.latest["secrets_providers"] == {"type": "passphrase", "state": {"salt": salt}}


@pytest.mark.parametrize(("passphrase", "salt", "ciphertext"), VECTORS)
def test_the_vectors_are_what_the_description_says(passphrase: str, salt: str, ciphertext: str) -> None:
    cipher = Cipher.new(passphrase, bytes(range(8)), bytes(range(12)))
    assert cipher.salt_text == salt
    assert cipher.encrypt(WORD, bytes(range(12, 24))) == ciphertext


def test_a_state_sealed_by_others_is_read(bench: Bench) -> None:
    program = f'Thing("a", x=pulumi.Output.secret({{"k": ["{CANARY}", 1]}}))'
    bench.good(program)

    def seal_again(latest: dict[str, Any]) -> None:
        for entry in latest["resources"]:
            for part in ("inputs", "outputs"):
                for value in entry.get(part, {}).values():
                    if isinstance(value, dict) and value.get(SIGNATURE) == SECRET:
                        text = bench.cipher.decrypt(value["ciphertext"])
                        value["ciphertext"] = bench.cipher.encrypt(
                            json.dumps(json.loads(text), indent=1), b"other nonce!"
                        )

    bench.edit(seal_again)
    bench.good(None, "same Stack, a")
    bench.good(program.replace("1]", "2]"), "same Stack", "update a")
    assert bench.state["a"]["inputs"] == {"x": {"secret": {"k": [CANARY, 2]}}}


@pytest.mark.parametrize("value", ['"text"', "7", "True", "[1, 2]", '{"k": {"l": 1}}', '""', '"ä\\n\\"€"', "0.5"])
def test_any_value_can_be_secret(bench: Bench, value: str) -> None:
    bench.good(f'Thing("a", x=pulumi.Output.secret({value}))')
    expected = {"x": {"secret": eval(value)}}  # noqa: S307 - a literal of this table
    assert bench.state["a"]["inputs"] == expected
    bench.good(None, "same Stack, a")


def test_a_secret_within_a_secret_keeps_its_mark(bench: Bench) -> None:
    inner = {SIGNATURE: SECRET, "value": CANARY}
    deep = {SIGNATURE: SECRET, "value": {"k": inner, "n": 1}}
    bench.script({"call": "Create", "name": "a", "outputs": {"deep": deep}}, acceptSecrets=True)
    bench.good('Thing("a", x=1)')
    assert bench.state["a"]["outputs"]["deep"] == {"secret": {"k": {"secret": CANARY}, "n": 1}}
    bench.script({"call": "Diff", "name": "a", "changes": 2, "replaces": []})
    report = bench.good()
    assert report.call("Update", "a")["olds"]["deep"] == deep


def test_every_secret_has_a_nonce_of_its_own(bench: Bench) -> None:
    bench.good(f'Thing("a", **{{f"s{{n}}": pulumi.Output.secret("{CANARY}") for n in range(8)}})')
    raw = bench.state.latest["resources"][-1]
    by_input = {raw["inputs"][key]["ciphertext"].split(":")[1] for key in raw["inputs"]}
    assert len(by_input) == 8


def test_a_wrong_passphrase_changes_nothing(bench: Bench) -> None:
    bench.good(f'Thing("a", x=pulumi.Output.secret("{CANARY}"))')
    before = bench.snapshot()
    bench.passphrase = "not this one"
    report = bench.driver.run(bench, "up")
    assert not report.ok
    assert report.asked == []
    assert "passphrase" in report.text
    assert bench.snapshot() == before
    if bench.driver.name == "embedded":
        assert report.exit_code == 3


def test_a_damaged_secret_of_the_configuration_is_named(bench: Bench) -> None:
    bench.good("pass")
    sealed = bench.cipher.encrypt(CANARY, b"nonce of 12b")
    bench.configure({"lab:word": {"secure": sealed[:-6] + "AAAA=="}})
    report = bench.driver.run(bench, "up")
    assert not report.ok
    assert bench.locks == []


def test_without_a_salt_in_the_stack_file_the_states_own_is_kept(embedded_bench: Bench) -> None:
    bench = embedded_bench
    path = bench.root / "Pulumi.dev.yaml"
    path.write_text("# by hand\nconfig:\n  lab:word: open  # kept\n")
    before = path.read_bytes()
    bench.program(SHOW)
    salts = []
    for _ in range(2):
        report = bench.driver.run(bench, "up")
        assert report.ok, report
        salts.append(bench.state.latest["secrets_providers"]["state"]["salt"])
    assert salts[0] == salts[1]
    bench.cipher = Cipher(PASSPHRASE, salts[0])
    assert "word" in bench.state.outputs
    assert path.read_bytes() == before


def test_a_secret_set_through_the_engine_is_one_that_others_read(embedded_bench: Bench) -> None:
    bench = embedded_bench
    path = bench.root / "Pulumi.dev.yaml"
    salt = bench.cipher.salt_text
    path.write_text(f"# the stack\nencryptionsalt: {salt}\nconfig:\n  lab:z: 1 # last\n  # about a\n  lab:a: two\n")
    driver: Embedded = bench.driver  # type: ignore[assignment]  # the fixture's own
    driver.engine(bench).set_config_secret("lab:word", WORD)
    text = path.read_text()
    content = yaml.safe_load(text)
    assert content["encryptionsalt"] == salt
    assert bench.cipher.decrypt(content["config"]["lab:word"]["secure"]) == WORD
    assert text.startswith("# the stack\n")
    assert text.index("lab:z: 1 # last") < text.index("# about a") < text.index("lab:a: two")
    bench.good(SHOW)
    assert bench.state.outputs["word"] == {"secret": WORD}
    driver.engine(bench).set_config_secret("lab:word", "another")
    assert path.read_text().count("lab:word") == 1
    bench.good(SHOW)
    assert bench.state.outputs["word"] == {"secret": "another"}


def test_a_first_secret_brings_its_salt(embedded_bench: Bench) -> None:
    bench = embedded_bench
    path = bench.root / "Pulumi.dev.yaml"
    path.unlink()
    driver: Embedded = bench.driver  # type: ignore[assignment]  # the fixture's own
    driver.engine(bench).set_config_secret("lab:word", WORD)
    content = yaml.safe_load(path.read_text())
    cipher = Cipher(PASSPHRASE, content["encryptionsalt"])
    assert cipher.decrypt(content["config"]["lab:word"]["secure"]) == WORD
