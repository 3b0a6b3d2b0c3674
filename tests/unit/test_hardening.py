"""Hardening as pure decisions: what is written for which host, and what counts as a difference."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from infra.commands import hardening, kernel, sshd
from infra.host.hardening import HardeningProvider
from infra.settings import fields
from infra.transport.remote import hardening as remote
from infra.transport.remote.report import Redactor, Reporter

if TYPE_CHECKING:
    from pathlib import Path

    from infra.transport.worker import Worker

REACH = {"machine": "1", "host": "192.0.2.1", "port": 22.0, "user": "root", "private_key": "P", "host_key": "K"}
SPEC = {"connection": REACH, "confirm_within_s": 60.0, "exempt": [], "recipe": "r"}
KEX = ["curve25519-sha256", "sntrup761x25519-sha512@openssh.com", "mlkem768x25519-sha256", "ecdh-sha2-nistp256"]
PENALTIES = (
    "crash:90.000000 authfail:5.000000 noauth:1.000000 grace-exceeded:20.000000 refuseconnection:10.000000"
    " max:600.000000 min:15.000000 max-sources4:65536 max-sources6:65536 overflow:permissive overflow6:permissive"
)
AT = "2026-11-24T10:00:00Z"
EARLY = "/etc/ssh/sshd_config.d/00-a.conf"
ACTIVE = {"load": "loaded", "active": "active", "enabled": "enabled"}
provider = HardeningProvider()


def on_disk(text: str, mode: str) -> dict[str, Any]:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {
        "exists": True,
        "kind": "file",
        "mode": mode,
        "owner": "root",
        "digest": digest,
        "content": text,
        "changed_at": AT,
    }


def settled() -> dict[str, Any]:
    """Return the facts of a host on which nothing is left to do."""
    config = sshd.sshd_config(version=(10, 0), kex=KEX, exempt=["198.51.100.7"])
    effective = dict(line.split(" ", 1) for line in config.splitlines()[1:])
    effective = {name.lower(): sshd.PRINTED.get(value, value) for name, value in effective.items()}
    files = {file.path: on_disk(hardening.text(file.template), file.mode) for file in hardening.FILES}
    files |= {file.path: on_disk(hardening.text(file.template), file.mode) for file in hardening.FIREWALL}
    return {
        **files,
        **{path: {"exists": True, "mode": mode, "owner": "root"} for path, mode in hardening.TIGHT.items()},
        kernel.PATH: on_disk(kernel.kernel_conf(), "0644"),
        sshd.PATH: on_disk(config, "0600"),
        "/etc/docker/daemon.json": on_disk(hardening.daemon_json(""), "0644"),
        hardening.PAM: on_disk("pam_unix.so try_first_pass\n", "0644"),
        "daemon": {"live_restore": True, "chains": True},
        "sshd": {
            "version": [10, 0],
            "kex": KEX,
            "controller": "203.0.113.9",
            "effective": {**effective, "persourcepenalties": PENALTIES},
            "settings": [],
            "times": {EARLY: AT},
        },
        "firewall": {"loaded": True, "differs": []},
        "kernel": {"container": False, "values": dict(kernel.PARAMETERS)},
        "ages": {"expiring": []},
        "defs": dict(hardening.DEFS),
        "/etc/login.defs": on_disk("", "0644"),
        "fstab": {"proc": hardening.HIDDEN},
        "tmp": {"source": "tmpfs", "options": ["nodev", "noexec", "nosuid"]},
        "mounts": {"proc": "/proc proc rw,nosuid,hidepid=invisible 0 0"},
        "units": dict.fromkeys(["nftables.service", *hardening.TIMERS], ACTIVE),
        "pending": {"changes": []},
    }


def reasons(facts: dict[str, Any], **changed: Any) -> list[str]:
    return [act.why for act in provider.plan(SPEC, {**facts, **changed})]


def test_a_hardened_host_needs_nothing() -> None:
    assert reasons(settled()) == []


def test_another_controller_is_no_difference_but_becomes_exempt_with_the_next_change() -> None:
    facts = settled()
    facts["firewall"] = {"loaded": False, "differs": []}

    _, act = provider.plan(SPEC, facts)

    files = {each["path"]: each for each in act.wire["files"]}
    assert set(files) == {sshd.PATH, *(file.path for file in hardening.FIREWALL)}
    text = base64.b64decode(files[sshd.PATH]["content"]).decode()
    assert "PerSourcePenaltyExemptList 198.51.100.7,203.0.113.9\n" in text


@pytest.mark.parametrize(
    ("fact", "value", "why"),
    [
        ("/etc/issue", {"exists": False}, "/etc/issue is missing"),
        ("/etc/crontab", {"exists": True, "mode": "0644", "owner": "root"}, "/etc/crontab is root's with mode 0644"),
        ("daemon", {"live_restore": True, "chains": False}, "Docker's packet filter chains are gone"),
        ("daemon", {"live_restore": False, "chains": True}, "containers would go down with the Docker daemon"),
        (hardening.PAM, {"content": "pam_unix.so nullok\n"}, "an empty password would open an account"),
        ("/etc/docker/daemon.json", {"content": '{"live-restore": true}'}, "daemon.json differs"),
        ("firewall", {"loaded": True, "differs": ["+accept"]}, "the firewall differs: +accept"),
        ("pending", {"changes": ["ab"]}, "a change of sshd or the firewall was never confirmed"),
        ("ages", {"expiring": ["deploy"]}, "deploy has no password but one that expires"),
        ("tmp", {"source": "tmpfs", "options": ["nodev", "nosuid"]}, "programs can be started in /tmp"),
        ("mounts", {"proc": "/proc proc rw 0 0"}, "accounts see the processes of others"),
        ("defs", {**hardening.DEFS, "UMASK": "022"}, "/etc/login.defs has another UMASK"),
    ],
)
def test_a_difference_is_named(fact: str, value: dict[str, Any], why: str) -> None:
    assert any(why in each for each in reasons(settled(), **{fact: value}))
    found = provider.findings(SPEC, {**settled(), fact: value})
    assert any(why in each.what for each in found)
    assert all(each.expected and each.found and each.expected != each.found for each in found), found


EDITED = {"digest": "x", "changed_at": "2026-11-24T11:00:00Z"}
SINCE = EDITED["changed_at"]
CRONTAB = {"exists": True, "mode": "0644", "owner": "root", "changed_at": AT}


@pytest.mark.parametrize(
    ("fact", "change", "expected"),
    [
        ("/etc/issue", {"exists": False}, [("as written", "missing", None)]),
        ("/etc/issue", EDITED, [("as written", "another content", SINCE)]),
        (sshd.PATH, EDITED, [("as written", "another content", SINCE)]),
        ("/etc/nftables.conf", EDITED, [("as written", "another content", SINCE)]),
        ("/etc/crontab", CRONTAB, [("0600 root", "0644 root", AT)]),
        ("defs", {"UMASK": "022"}, [("027", "022", AT)]),
        ("kernel", {"values": {"kernel.sysrq": "1"}}, [("0", "1", None)]),
        (hardening.PAM, {"content": "nullok"}, [("no nullok", "nullok", AT)]),
        ("firewall", {"differs": ["+ accept"]}, [("as in /etc/nftables.conf", "+ accept", None)]),
        ("pending", {"changes": ["ab"]}, [("confirmed", "pending: ab", None)]),
        (
            "units",
            {"apt-daily.timer": {"active": "inactive", "enabled": "enabled", "since": AT}},
            [("enabled and active", "enabled and inactive", AT)],
        ),
    ],
)
def test_a_finding_tells_what_was_expected_what_is_there_and_since_when(
    fact: str, change: dict[str, Any], expected: list[tuple[str, str, str | None]]
) -> None:
    facts = settled()
    facts[fact] = {**facts[fact], **change}
    assert [(each.expected, each.found, each.since) for each in provider.findings(SPEC, facts)] == expected


def test_an_option_of_sshd_is_found_with_its_value_and_the_file_that_sets_it() -> None:
    facts = settled()
    set_on(facts, "before", "PasswordAuthentication", "yes", passwordauthentication="yes")
    set_on(facts, "match", "MaxSessions", "9")

    found = [(each.expected, each.found, each.since) for each in provider.findings(SPEC, facts)]

    assert found == [
        ("no", "yes", None),
        ("Greenroom's values", "PasswordAuthentication yes", AT),
        ("Greenroom's values", "MaxSessions 9", AT),
    ]
    files = provider.plan(SPEC, facts)[-1].wire["files"]
    assert [each["path"] for each in files].count(EARLY) == 1, "it is set aside once"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("PasswordAuthentication", "yes"),
        ("AuthorizedKeysFile", "/etc/ssh/keys"),
        ("AuthorizedKeysCommand", "/usr/local/bin/keys"),
        ("TrustedUserCAKeys", "/etc/ssh/authority.pub"),
        ("KexAlgorithms", "diffie-hellman-group1-sha1"),
        ("PerSourcePenalties", PENALTIES.replace("authfail:5", "authfail:0")),
        ("PerSourcePenalties", "no"),
    ],
)
def test_an_option_that_another_file_overrules_is_a_difference(option: str, value: str) -> None:
    facts = settled()
    facts["sshd"] = {**facts["sshd"], "effective": {**facts["sshd"]["effective"], option.lower(): value}}
    assert set(reasons(facts)) == {f"sshd has {option} {value}"}


def set_on(facts: dict[str, Any], place: str, option: str, value: str, path: str = EARLY, **effective: str) -> None:
    """Have a file of sshd's set an option, and what of it is in effect for the controller."""
    setting = {"path": path, "option": option.lower(), "value": value, "place": place}
    seen = {**facts["sshd"]["effective"], **effective}
    facts["sshd"] = {**facts["sshd"], "effective": seen, "settings": [*facts["sshd"]["settings"], setting]}


@pytest.mark.parametrize(
    ("place", "option", "value", "effective", "why"),
    [
        ("before", "PasswordAuthentication", "yes", {"passwordauthentication": "yes"}, "PasswordAuthentication first"),
        ("before", "KeepAlive", "yes", {"tcpkeepalive": "yes"}, "TCPKeepAlive first"),
        ("before", "PerSourcePenaltyExemptList", "0.0.0.0/0", {}, "PerSourcePenaltyExemptList first"),
        ("after", "AllowGroups", "users", {"allowgroups": "root sudo docker users"}, "AllowGroups once more"),
        ("match", "AuthorizedKeysFile", "/srv/keys", {}, "AuthorizedKeysFile under Match"),
    ],
)
def test_a_file_that_overrules_ours_is_named_and_set_aside_under_guard(
    place: str, option: str, value: str, effective: dict[str, str], why: str
) -> None:
    facts = settled()
    set_on(facts, place, option, value, **effective)

    _, act = provider.plan(SPEC, facts)

    assert f"{EARLY} sets {why}" in act.why
    assert act.wire["do"] == "guard"
    assert act.wire["files"][:2] == [{"path": f"{EARLY}.aside", "copy_of": EARLY}, {"path": EARLY}]


@pytest.mark.parametrize(
    ("place", "option", "value"),
    [
        ("before", "PasswordAuthentication", "no"),
        ("after", "PasswordAuthentication", "yes"),
        ("match", "PasswordAuthentication", "no"),
        ("match", "ForceCommand", "internal-sftp"),
    ],
)
def test_a_file_that_changes_nothing_of_ours_is_left_alone(place: str, option: str, value: str) -> None:
    facts = settled()
    set_on(facts, place, option, value)
    assert reasons(facts) == []


@pytest.mark.parametrize("path", ["/etc/ssh/sshd_config", sshd.HOST_KEY_PATH])
def test_a_file_that_has_to_stay_is_named_only(path: str) -> None:
    facts = settled()
    set_on(facts, "match", "X11Forwarding", "yes", path)

    _, act = provider.plan(SPEC, facts)

    assert act.why == f"{path} sets X11Forwarding under Match"
    assert {each["path"] for each in act.wire["files"]} == {sshd.PATH, *(file.path for file in hardening.FIREWALL)}


def test_sshds_files_are_read_in_its_own_order(tmp_path: Path) -> None:
    folder = tmp_path / "sshd_config.d"
    folder.mkdir()
    main, ours = tmp_path / "sshd_config", folder / "01-greenroom.conf"
    main.write_text(f"Port 22\nInclude {folder}/*.conf\n#UsePAM no\nUsePAM = yes\nMatch User x\n  MaxSessions 9\n")
    (tmp_path / "more").write_text("LogLevel QUIET\n")
    (folder / "00-a.conf").write_text(f'"MaxAuthTries" 9\nInclude {tmp_path}/more\nMatch Group y\nBanner none\n')
    (folder / "02-b.conf").write_text("MaxSessions 8\n")
    expected = [
        (main, "port", "22", "before"),
        (folder / "00-a.conf", "maxauthtries", "9", "before"),
        (folder / "00-a.conf", "loglevel", "QUIET", "before"),
        (folder / "00-a.conf", "match", "Group y", "match"),
        (folder / "00-a.conf", "banner", "none", "match"),
        (folder / "02-b.conf", "maxsessions", "8", "after"),
        (main, "usepam", "yes", "after"),
        (main, "match", "User x", "match"),
        (main, "maxsessions", "9", "match"),
    ]
    for text in (None, "UsePAM no\n"):  # before ours is there, and after
        if text:
            ours.write_text(text)
        found = remote.settings(str(main), str(ours))
        assert [tuple(each.values()) for each in found] == [(str(path), *rest) for path, *rest in expected]


def test_a_file_is_copied_as_it_is_before_it_goes(tmp_path: Path) -> None:
    path, aside = tmp_path / "00-a.conf", tmp_path / "00-a.conf.aside"
    path.write_bytes(b"Banner \xff\n")
    files = hardening.guard("w", "ab", {}, aside=[str(path)], checks=[], apply=[], undo=[], within_s=9).wire["files"]

    remote.files_act({"files": files}, Reporter(lambda _: None, Redactor([])))

    assert not path.exists()
    assert aside.read_bytes() == b"Banner \xff\n"


def test_what_decides_who_gets_in_is_changed_last_and_under_guard() -> None:
    facts = {**settled(), "/etc/issue": {"exists": False}, "firewall": {"loaded": False, "differs": []}}
    kinds = [act.wire["do"] for act in provider.plan(SPEC, facts)]
    assert kinds == ["files", "run", "guard"]
    assert provider.plan(SPEC, facts)[1].wire["code"] == "HOST_KEY_REPLACED"
    guard = provider.plan(SPEC, facts)[-1].wire
    assert guard["within_s"] == 60
    assert guard["undo"]
    assert [check["code"] for check in guard["checks"]] == ["SSHD_REFUSED", "FIREWALL_REFUSED"]


def test_what_is_removed_waits_until_the_ways_in_are_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[str]] = []
    monkeypatch.setattr("infra.host.hardening.confirm", lambda *_: told.append(["confirmed"]))

    class Far:
        def call(self, *, acts: list[dict[str, Any]], **_: object) -> dict[str, Any]:
            told.append([" ".join(act["argv"][:2]) if act["do"] == "run" else act["do"] for act in acts])
            return {}

    provider.perform(cast("Worker", Far()), SPEC, provider.removal(SPEC), {})

    first, confirmed, after = told
    assert first == ["sh -c", "guard"]
    assert confirmed == ["confirmed"]
    assert after[0] == "systemctl disable"
    assert set(after[1:]) == {"remove"}


def test_an_older_sshd_gets_no_word_that_it_does_not_know() -> None:
    config = sshd.sshd_config(version=(9, 2), kex=["curve25519-sha256", *KEX[:2]], exempt=["192.0.2.1"])
    assert "PerSource" + "Penalt" not in config
    assert "KexAlgorithms sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org" in config
    assert "RequiredRSASize" not in sshd.sshd_config(version=(8, 9), kex=KEX, exempt=[])


def test_a_new_sshd_offers_post_quantum_exchanges_only() -> None:
    config = sshd.sshd_config(version=(10, 0), kex=KEX, exempt=[])
    assert "KexAlgorithms mlkem768x25519-sha256,sntrup761x25519-sha512@openssh.com\n" in config


def test_controllers_are_remembered_up_to_eight_and_settings_overrule_them() -> None:
    found = "PerSourcePenaltyExemptList " + ",".join(f"192.0.2.{number}" for number in range(1, 9)) + ",no-address\n"
    assert sshd.controllers(found, "192.0.2.99", []) == (*(f"192.0.2.{n}" for n in range(2, 9)), "192.0.2.99")
    assert sshd.controllers(found, "192.0.2.8", [])[-1] == "192.0.2.8"
    assert sshd.controllers("", "203.0.113.1\nPermitRootLogin yes", []) == ()
    assert sshd.controllers(found, "192.0.2.99", ["198.51.100.0/24"]) == ("198.51.100.0/24",)


def test_of_another_machines_kernel_only_the_network_is_set() -> None:
    other = dict.fromkeys(kernel.PARAMETERS, "x")
    assert set(kernel.to_apply({"container": False, "values": other})) == set(kernel.PARAMETERS)
    assert all(name.startswith("net.") for name in kernel.to_apply({"container": True, "values": other}))
    assert kernel.to_apply({"container": False, "values": {}}) == {}


def test_forwarding_stays_on_for_docker() -> None:
    assert not any("forward" in name for name in kernel.PARAMETERS)


@pytest.mark.parametrize("found", ["", "{}", "not json", "[]", '{"data-root": "/srv"}'])
def test_dockers_configuration_keeps_what_else_is_in_it(found: str) -> None:
    text = hardening.daemon_json(found)
    assert json.loads(text)["live-restore"] is True
    assert hardening.daemon_json(text) == text
    if "data-root" in found:
        assert json.loads(text)["data-root"] == "/srv"


def test_the_firewall_never_flushes_what_is_not_its_own() -> None:
    text = hardening.text("nftables.conf")
    assert "flush" not in text.partition("table inet greenroom")[2]
    assert text.count("policy drop") == 2


def test_the_recipe_changes_with_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    before = hardening.recipe()
    monkeypatch.setitem(hardening.DEFS, "UMASK", "077")
    assert hardening.recipe() != before


@pytest.mark.parametrize("value", ["203.0.113.7", "203.0.113.0/24", "2001:db8::/32"])
def test_a_network_is_accepted(value: str) -> None:
    assert fields.source_network(value) == value


@pytest.mark.parametrize("value", ["203.0.113.7/24", "everyone", "", "0.0.0.0/0 yes"])
def test_what_is_no_network_is_refused(value: str) -> None:
    with pytest.raises(fields.Expected, match="an address or a network"):
        fields.source_network(value)
