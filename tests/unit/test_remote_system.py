"""What is read on a host without starting a program, and when the program is asked all the same."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from infra.transport.remote import system
from infra.transport.remote.processes import Finished

if TYPE_CHECKING:
    from pathlib import Path

STATUS = """\
Package: base-files
Status: install ok installed
Priority: required
Version: 13.8+deb13u1
Description: Debian base system miscellaneous files
 Status: none of this line's business
 Version: neither is this

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: half
Status: install ok half-configured
Version: 2.0

Package: twice
Status: install ok installed
Architecture: amd64
Version: 3.0

Package: twice
Status: install ok installed
Architecture: i386
Version: 3.0

Package: last
Status: install ok installed
Version: 1:4.0~rc1-2
"""


class Asked:
    """Stands for a program: keeps how it was called."""

    def __init__(self, stdout: str) -> None:
        self.calls: list[list[str]] = []
        self.stdout = stdout

    def __call__(self, argv: list[str], **_: Any) -> Finished:
        self.calls.append(argv)
        return Finished(0, self.stdout, "")


@pytest.fixture
def dpkg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Lay out dpkg's database, with a program beside it that names one package and one that is half there."""
    (tmp_path / "status").write_text(STATUS)
    (tmp_path / "updates").mkdir()
    monkeypatch.setattr(system, "_PACKAGES", str(tmp_path / "status"))
    monkeypatch.setattr(system, "_UNMERGED", str(tmp_path / "updates"))
    program = Asked("asked\t9\tinstalled\nhalf\t2.0\thalf-configured\n")
    monkeypatch.setattr(system, "run", program)
    return program


def test_packages_that_are_all_installed_are_read_from_dpkgs_own_file(dpkg: Asked) -> None:
    assert system.packages_fact({"names": ["last", "base-files"]}) == {
        "last": "1:4.0~rc1-2",
        "base-files": "13.8+deb13u1",
    }
    assert dpkg.calls == []


@pytest.mark.parametrize("name", ["gone", "half", "twice", "absent", "base", "files", "st"])
def test_dpkg_itself_is_asked_where_its_file_does_not_show_a_package_as_installed_once(dpkg: Asked, name: str) -> None:
    assert system.packages_fact({"names": ["last", name]}) == {"asked": "9"}
    assert [call[-2:] for call in dpkg.calls] == [["last", name]]


@pytest.mark.usefixtures("dpkg")
def test_dpkg_itself_is_asked_while_changes_wait_to_be_merged_or_its_file_is_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "updates" / "0001").write_text("Package: last\n")
    assert system.packages_fact({"names": ["last"]}) == {"asked": "9"}
    (tmp_path / "updates" / "0001").unlink()
    (tmp_path / "status").unlink()
    assert system.packages_fact({"names": ["last"]}) == {"asked": "9"}


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Put the directory of host keys elsewhere, with an ssh-keygen that tells one answer."""
    monkeypatch.setattr(system, "_KEYS", str(tmp_path))
    program = Asked("ssh-told by-the-program comment\n")
    monkeypatch.setattr(system, "run", program)
    return program


def openssh(key: Any, encryption: Any = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption or NoEncryption())


def presented(tmp_path: Path, content: bytes, mode: int = 0o600) -> str:
    path = tmp_path / "ssh_host_test_key"
    path.write_bytes(content)
    path.chmod(mode)
    return system.host_keys_fact({})["ssh_host_test_key"]


def test_an_open_ed25519_host_key_shows_its_public_half_without_a_program(keys: Asked, tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "ssh_host_test_key.pub").write_text("ssh-ed25519 AAAA root@host\n")
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert presented(tmp_path, openssh(key)) == public
    assert system.host_keys_fact({})["ssh_host_test_key.pub"] == "ssh-ed25519 AAAA", "what stands beside it is told too"
    assert keys.calls == []


def test_ssh_keygen_has_the_word_for_every_other_key(keys: Asked, tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    others = [
        (openssh(key), 0o640),
        (openssh(key, BestAvailableEncryption(b"a passphrase")), 0o600),
        (openssh(ec.generate_private_key(ec.SECP256R1())), 0o600),
        (b"", 0o600),
        (b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", 0o600),
    ]
    for content, mode in others:
        assert presented(tmp_path, content, mode) == "ssh-told by-the-program"
    assert len(keys.calls) == len(others)


def test_a_public_half_that_was_put_before_another_secret_is_not_believed(keys: Asked, tmp_path: Path) -> None:
    mine, other = (openssh(ed25519.Ed25519PrivateKey.generate()).splitlines() for _ in range(2))
    bodies = [base64.b64decode(b"".join(lines[1:-1])) for lines in (mine, other)]
    end = len(b"openssh-key-v1\0") + 8 + 8 + 4 + 4 + 4 + 51
    for cut in (end, end + 4 + 8 + 51):
        mixed = base64.b64encode(bodies[0][:cut] + bodies[1][cut:])
        assert presented(tmp_path, b"\n".join([mine[0], mixed, mine[-1], b""])) == "ssh-told by-the-program"
    assert len(keys.calls) == 2


@given(st.data())
def test_a_private_key_that_breaks_off_or_was_altered_shows_nothing_or_is_left_to_the_program(
    data: st.DataObject,
) -> None:
    lines = openssh(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))).decode().splitlines()
    body = bytearray(base64.b64decode("".join(lines[1:-1])))
    place = data.draw(st.integers(0, len(body) - 1))
    kept = data.draw(st.integers(0, len(body)))
    body[place] ^= data.draw(st.integers(1, 255))
    altered = base64.b64encode(body[:kept]).decode()
    try:
        told = system.ed25519_public([lines[0], altered, lines[-1]])
    except ValueError:
        return
    public = system.ed25519_public(lines)
    assert told in {"", public}, "never a key that is not there"
