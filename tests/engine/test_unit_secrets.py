from __future__ import annotations

import base64

import pytest

from localcloud.engine.errors import PassphraseError, StateError
from localcloud.engine.secrets import Salt, SecretsManager, derive_key

# Computed with another implementation of the same primitives.
KNOWN_KEY = "8992cb0e042659b823b1007af61affc1715dd06c4a22556148ffc430c9027440"
KNOWN_CIPHERTEXT = "v1:AAECAwQFBgcICQoL:Ntv0K6w8VPUTSebtQymyHYfhtr+D"
KNOWN_SALT = "v1:AAECAwQFBgc=:v1:AAECAwQFBgcICQoL:Lsv0Mq4P43OA9/CWlvPiZJXoK3BhFA=="


def fixed(count: int) -> bytes:
    return bytes(range(count))


class TestThePassphraseManager:
    def test_known_answer_of_the_key(self) -> None:
        assert derive_key("correct horse", b"12345678").hex() == KNOWN_KEY

    def test_known_answer_of_a_ciphertext(self) -> None:
        manager = SecretsManager("correct horse", None, random=fixed)
        assert manager.encrypt("hello") == KNOWN_CIPHERTEXT
        assert manager.salt == KNOWN_SALT

    def test_what_was_encrypted_is_read_under_the_salt_string(self) -> None:
        writer = SecretsManager("p", None)
        ciphertext = writer.encrypt("käse €")
        reader = SecretsManager("p", Salt.parse(writer.salt))
        reader.verify()
        assert reader.decrypt(ciphertext) == "käse €"
        assert ciphertext != writer.encrypt("käse €")

    def test_an_empty_passphrase_is_a_passphrase(self) -> None:
        manager = SecretsManager("", None)
        assert manager.decrypt(manager.encrypt("")) == ""

    def test_a_wrong_passphrase_is_noticed(self) -> None:
        salt = SecretsManager("right", None).salt
        with pytest.raises(PassphraseError, match="not the one"):
            SecretsManager("wrong", Salt.parse(salt)).verify()

    @pytest.mark.parametrize("text", ["", "v1:", "v1:AAAA", "v2:AAAAAAAAAAA=:v1:a:b", "v1:!!:v1:a:b"])
    def test_a_malformed_salt_is_refused(self, text: str) -> None:
        with pytest.raises(StateError, match="salt"):
            Salt.parse(text)

    @pytest.mark.parametrize("text", ["", "plain", "v1:a", "v1:AAAA:BBBB:CCCC"])
    def test_what_is_no_ciphertext_is_refused_without_being_named(self, text: str) -> None:
        manager = SecretsManager("p", None)
        with pytest.raises((StateError, PassphraseError)) as caught:
            manager.decrypt(text)
        assert not text or text not in str(caught.value)

    def test_a_tampered_ciphertext_is_refused(self) -> None:
        manager = SecretsManager("p", None)
        version, nonce, sealed = manager.encrypt("hello").split(":")
        raw = bytearray(base64.b64decode(sealed))
        raw[0] ^= 1
        with pytest.raises(PassphraseError):
            manager.decrypt(f"{version}:{nonce}:{base64.b64encode(raw).decode()}")
