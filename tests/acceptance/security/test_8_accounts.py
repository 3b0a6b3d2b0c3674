"""Accounts, passwords, rights, homes (CIS Debian 12 1.1, sections 5.2 to 5.4 and 7.2)."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from infra.host.keys import public_half

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.ops.proof import Subject

GROUP = "accounts"
check = pytest.mark.check
needs = pytest.mark.needs
STRONG = ("y", "gy", "7", "6")
"""The methods of crypt(5) that CIS accepts: yescrypt, gost-yescrypt, scrypt, sha512."""
NOLOGIN = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false", "/bin/sync", "")
SYSTEM = range(1, 1000)


def definition(facts: dict[str, Any], name: str) -> str:
    """A value of login.defs; nothing where it is not stated."""
    found = re.findall(rf"^\s*{name}\s+(\S+)", facts["texts"]["/etc/login.defs"], re.MULTILINE)
    return found[-1] if found else ""


def twice(values: Iterable[Any]) -> list[str]:
    return sorted(str(value) for value, number in Counter(values).items() if number > 1)


def sudoers(facts: dict[str, Any]) -> list[str]:
    """The lines of all sudoers files that say something."""
    texts = [text for path, text in facts["texts"].items() if path.startswith("/etc/sudoers")]
    return [line.strip() for text in texts for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]


@check("debian-5.2.1", remedy="apt-get install sudo")
def test_sudo_is_installed(facts: dict[str, Any]) -> None:
    assert "sudo" in facts["packages"], "it is not installed"


@check("debian-5.2.2", remedy="Defaults use_pty in /etc/sudoers.d")
@needs("sudo")
def test_sudo_runs_in_a_terminal_of_its_own(facts: dict[str, Any]) -> None:
    assert any(re.match(r"Defaults\s+(?:.*,\s*)?use_pty\b", line) for line in sudoers(facts)), "use_pty is not set"


@check("debian-5.2.3", remedy='Defaults logfile="/var/log/sudo.log" in /etc/sudoers.d')
@needs("sudo")
def test_sudo_logs_to_a_file(facts: dict[str, Any]) -> None:
    assert any(re.match(r"Defaults\s+(?:.*,\s*)?logfile\s*=", line) for line in sudoers(facts)), "logfile is not set"


@check("debian-5.2.4", remedy="take NOPASSWD out of the sudoers files")
@needs("sudo")
def test_nobody_becomes_root_without_a_password(facts: dict[str, Any]) -> None:
    found = [line for line in sudoers(facts) if "NOPASSWD" in line]
    assert not found, f"without one: {found[0] if found else ''}"


@check("debian-5.2.5", remedy="take !authenticate out of the sudoers files")
@needs("sudo")
def test_sudo_asks_again(facts: dict[str, Any]) -> None:
    assert not [line for line in sudoers(facts) if "!authenticate" in line], "!authenticate is set"


@check("debian-5.2.6", remedy="Defaults timestamp_timeout=15 in /etc/sudoers.d, or less")
@needs("sudo")
def test_sudo_asks_again_after_a_quarter_of_an_hour(facts: dict[str, Any]) -> None:
    found = [
        float(each) for line in sudoers(facts) for each in re.findall(r"timestamp_timeout\s*=\s*(-?[0-9.]+)", line)
    ]
    assert all(0 <= each <= 15 for each in found), f"it is {found}"


@check("debian-5.3.3.4.1", remedy="pam-auth-update without nullok")
def test_an_empty_password_opens_nothing_by_way_of_pam(facts: dict[str, Any]) -> None:
    texts = [facts["texts"].get(f"/etc/pam.d/common-{name}", "") for name in ("auth", "password")]
    lines = [line for text in texts for line in text.splitlines() if "pam_unix.so" in line and line[0] != "#"]
    assert lines, "PAM does not use pam_unix"
    assert not [line for line in lines if "nullok" in line], "pam_unix takes an empty password (nullok)"


@check("debian-5.3.3.4.3", remedy="pam-auth-update with yescrypt")
def test_pam_hashes_passwords_well(facts: dict[str, Any]) -> None:
    text = facts["texts"].get("/etc/pam.d/common-password", "")
    lines = [line for line in text.splitlines() if "pam_unix.so" in line and line[0] != "#"]
    assert any(re.search(r"\b(yescrypt|sha512)\b", line) for line in lines), "no strong method is named"


@check("debian-5.4.1.1", remedy="PASS_MAX_DAYS 365 in /etc/login.defs")
def test_passwords_expire(facts: dict[str, Any]) -> None:
    found = definition(facts, "PASS_MAX_DAYS")
    assert found, "PASS_MAX_DAYS is not set"
    assert 1 <= int(found) <= 365, f"PASS_MAX_DAYS is {found}"


@check("debian-5.4.1.2", remedy="PASS_MIN_DAYS 1 in /etc/login.defs")
def test_passwords_stay_for_a_day(facts: dict[str, Any]) -> None:
    found = definition(facts, "PASS_MIN_DAYS")
    assert found, "PASS_MIN_DAYS is not set"
    assert int(found) >= 1, f"PASS_MIN_DAYS is {found}"


@check("debian-5.4.1.3", remedy="PASS_WARN_AGE 7 in /etc/login.defs")
def test_who_has_a_password_is_warned_a_week_before(facts: dict[str, Any]) -> None:
    found = definition(facts, "PASS_WARN_AGE")
    assert found, "PASS_WARN_AGE is not set"
    assert int(found) >= 7, f"PASS_WARN_AGE is {found}"


@check("debian-5.4.1.4", remedy="ENCRYPT_METHOD YESCRYPT in /etc/login.defs; a new password for who is named")
def test_passwords_are_hashed_well(facts: dict[str, Any]) -> None:
    assert definition(facts, "ENCRYPT_METHOD") in ("YESCRYPT", "SHA512"), definition(facts, "ENCRYPT_METHOD")
    kinds = {each["name"]: each["password"] for each in facts["accounts"]}
    weak = [name for name, kind in kinds.items() if kind not in (*STRONG, "locked", "empty", "missing")]
    assert not weak, f"weakly hashed: {', '.join(weak)}"


@check("debian-5.4.1.6", remedy="chage --lastday $(date +%F) NAME")
def test_no_password_was_changed_in_the_future(facts: dict[str, Any], today: Any) -> None:
    day = (today - type(today)(1970, 1, 1)).days
    later = [each["name"] for each in facts["accounts"] if each["changed"] > day + 1]
    assert not later, f"in the future: {', '.join(later)}"


@check("debian-5.4.2.1", remedy="usermod --uid NUMBER NAME")
def test_root_alone_is_user_0(facts: dict[str, Any]) -> None:
    found = [each["name"] for each in facts["accounts"] if each["uid"] == 0]
    assert found == ["root"], f"user 0: {', '.join(found)}"


@check("debian-5.4.2.2", remedy="usermod --gid NUMBER NAME")
def test_root_alone_is_in_group_0(facts: dict[str, Any]) -> None:
    allowed = {"root", "sync", "shutdown", "halt", "operator"}
    found = [each["name"] for each in facts["accounts"] if each["gid"] == 0 and each["name"] not in allowed]
    assert not found, f"in group 0 too: {', '.join(found)}"


@check("debian-5.4.2.3", remedy="groupmod --gid NUMBER NAME")
def test_root_s_group_alone_is_group_0(facts: dict[str, Any]) -> None:
    found = [name for name, gid, _ in facts["groups"] if gid == 0]
    assert found == ["root"], f"group 0: {', '.join(found)}"


@check("debian-5.4.2.4", remedy="passwd --lock root")
def test_root_has_a_good_password_or_none(facts: dict[str, Any]) -> None:
    kind = next(each["password"] for each in facts["accounts"] if each["name"] == "root")
    assert kind == "locked" or kind in STRONG, f"root's password is {kind}"


@check("debian-5.4.2.5", remedy="mend PATH in /etc/profile, /etc/bash.bashrc or root's own files")
def test_nobody_else_writes_where_root_finds_programs(facts: dict[str, Any]) -> None:
    assert facts["root_path"], "root's login shell told nothing"
    for each in facts["root_path"]:
        path, found = each["path"], each["status"]
        assert path not in ("", "."), "root's PATH has the current directory in it"
        assert found, f"{path} in root's PATH is no directory"
        assert found["directory"], f"{path} in root's PATH is no directory"
        assert found["uid"] == 0, f"{path} in root's PATH belongs to {found['owner']}"
        assert not found["mode"] & 0o022, f"others write {path}, which is in root's PATH"


@check("debian-5.4.2.6", remedy="umask 027 in root's profile, or UMASK in login.defs")
def test_what_root_makes_is_open_to_nobody_else(facts: dict[str, Any]) -> None:
    assert len(facts["root_login"]) > 1, "root's login shell told nothing"
    found = int(facts["root_login"][1], 8)
    assert found & 0o027 == 0o027, f"root's umask is {found:04o}"


@check("debian-5.4.2.7", remedy="usermod --shell /usr/sbin/nologin NAME")
def test_no_account_of_the_system_logs_in(facts: dict[str, Any]) -> None:
    found = [each["name"] for each in facts["accounts"] if each["uid"] in SYSTEM and each["shell"] not in NOLOGIN]
    assert not found, f"with a shell: {', '.join(found)}"


@check("debian-5.4.2.8", remedy="usermod --lock NAME")
def test_who_cannot_log_in_has_no_password(facts: dict[str, Any]) -> None:
    kinds = [each for each in facts["accounts"] if each["shell"] in NOLOGIN and each["name"] != "root"]
    found = [each["name"] for each in kinds if each["password"] not in ("locked", "missing")]
    assert not found, f"not locked: {', '.join(found)}"


@check("debian-5.4.3.1", remedy="take nologin out of /etc/shells")
def test_nologin_is_no_shell(facts: dict[str, Any]) -> None:
    assert "nologin" not in facts["texts"].get("/etc/shells", ""), "/etc/shells has nologin"


@check("debian-5.4.3.2", remedy="readonly TMOUT=900 in /etc/profile.d")
def test_a_shell_that_nobody_uses_ends(facts: dict[str, Any]) -> None:
    found = facts["root_login"][2] if len(facts["root_login"]) > 2 else ""
    assert found.isdigit(), "TMOUT is not set in a login shell"
    assert 1 <= int(found) <= 900, f"TMOUT is {found}"


@check("debian-5.4.3.3", remedy="UMASK 027 in /etc/login.defs")
def test_what_anybody_makes_is_open_to_few(facts: dict[str, Any]) -> None:
    found = definition(facts, "UMASK")
    assert found, "UMASK is not set in /etc/login.defs"
    assert int(found, 8) & 0o027 == 0o027, f"UMASK is {found}"


@check("debian-7.2.1", remedy="pwconv")
def test_passwords_are_in_shadow_alone(facts: dict[str, Any]) -> None:
    found = [each["name"] for each in facts["accounts"] if not each["shadowed"]]
    assert not found, f"in passwd: {', '.join(found)}"


@check("debian-7.2.2", remedy="passwd --lock NAME")
def test_no_password_is_empty(facts: dict[str, Any]) -> None:
    found = [each["name"] for each in facts["accounts"] if each["password"] == "empty"]
    assert not found, f"empty: {', '.join(found)}"


@check("debian-7.2.3", remedy="groupadd --gid NUMBER NAME")
def test_every_account_s_group_exists(facts: dict[str, Any]) -> None:
    known = {gid for _, gid, _ in facts["groups"]}
    found = [each["name"] for each in facts["accounts"] if each["gid"] not in known]
    assert not found, f"without a group: {', '.join(found)}"


@check("debian-7.2.4", remedy="gpasswd --delete NAME shadow")
def test_nobody_is_in_group_shadow(facts: dict[str, Any]) -> None:
    members = [member for name, _, members in facts["groups"] if name == "shadow" for member in members]
    gid = next((gid for name, gid, _ in facts["groups"] if name == "shadow"), None)
    members += [each["name"] for each in facts["accounts"] if gid is not None and each["gid"] == gid]
    assert not members, f"in it: {', '.join(members)}"


@check("debian-7.2.5", remedy="usermod --uid NUMBER NAME")
def test_every_user_number_is_one_user_s(facts: dict[str, Any]) -> None:
    found = twice(each["uid"] for each in facts["accounts"])
    assert not found, f"twice: {', '.join(found)}"


@check("debian-7.2.6", remedy="groupmod --gid NUMBER NAME")
def test_every_group_number_is_one_group_s(facts: dict[str, Any]) -> None:
    found = twice(gid for _, gid, _ in facts["groups"])
    assert not found, f"twice: {', '.join(found)}"


@check("debian-7.2.7", remedy="userdel NAME")
def test_every_user_name_is_there_once(facts: dict[str, Any]) -> None:
    found = twice(each["name"] for each in facts["accounts"])
    assert not found, f"twice: {', '.join(found)}"


@check("debian-7.2.8", remedy="groupdel NAME")
def test_every_group_name_is_there_once(facts: dict[str, Any]) -> None:
    found = twice(name for name, _, _ in facts["groups"])
    assert not found, f"twice: {', '.join(found)}"


@check("debian-7.2.9", remedy="chmod 0750 HOME; chown NAME HOME")
def test_homes_are_their_owners_alone(facts: dict[str, Any]) -> None:
    assert facts["homes"], "nobody has a home"
    for each in facts["homes"]:
        found = each["status"]
        assert found, f"{each['account']} has no home {each['path']}"
        assert found["uid"] == each["uid"], f"{each['path']} belongs to {found['owner']}"
        assert found["mode"] & ~0o750 == 0, f"{each['path']} has mode {found['mode']:04o}; expected 0750 or less"


@check("debian-7.2.10", remedy="rm .rhosts .netrc .forward; chmod go-w DOTFILE")
def test_no_dot_file_opens_an_account(facts: dict[str, Any]) -> None:
    for each in facts["homes"]:
        bad = sorted(set(each["dots"]) & {".rhosts", ".netrc", ".forward", ".shosts"})
        assert not bad, f"{each['path']} has {', '.join(bad)}"
        opened = [name for name, found in each["dots"].items() if found["mode"] & 0o022]
        assert not opened, f"others write {each['path']}/{opened[0] if opened else ''}"
        strange = [name for name, found in each["dots"].items() if found["uid"] not in (each["uid"], 0)]
        assert not strange, f"{each['path']}/{strange[0] if strange else ''} is somebody else's"


@check("greenroom-8", remedy="chmod 0700 ~/.ssh; chmod 0600 ~/.ssh/authorized_keys")
def test_nobody_else_reads_or_writes_the_keys_that_open_an_account(facts: dict[str, Any]) -> None:
    for each in facts["homes"]:
        for name, limit in (("ssh", 0o700), ("keys", 0o600)):
            found = each[name]
            if found:
                assert found["uid"] == each["uid"], f"{each['account']}'s {name} belong to {found['owner']}"
                assert found["mode"] & ~limit == 0, f"{each['account']}'s {name} have mode {found['mode']:04o}"


@check("greenroom-13", remedy="greenroom drift; greenroom up --refresh leaves the stack's own key alone")
def test_root_s_account_opens_to_the_stack_s_own_key_alone(stack: Subject, facts: dict[str, Any]) -> None:
    (root,) = [each for each in facts["homes"] if each["account"] == "root"]
    own = public_half(stack.target.endpoint.private_key).split()[:2]
    strange = [line for line in root["opened_by"] if line.split()[:2] != own]
    assert not strange, (
        f"{len(strange)} of the {len(root['opened_by'])} keys that open root's account are no key of ours"
    )
    assert root["opened_by"], "no key opens root's account, and yet this login came in"


@check("greenroom-9", remedy="deluser NAME")
def test_only_root_and_the_workload_s_user_can_log_in(stack: Subject, facts: dict[str, Any]) -> None:
    others = [each["account"] for each in facts["homes"] if each["account"] not in ("root", stack.target.user)]
    assert not others, f"with a shell: {', '.join(others)}"
