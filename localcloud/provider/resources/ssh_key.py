"""SSH keys. Key material is unique in an account; only the name can change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.provider.resources.base import Created, Resource

if TYPE_CHECKING:
    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties


class SshKey(Resource):
    """A public key that new droplets trust."""

    kind = "digitalocean:index/sshKey:SshKey"

    def is_same(self, name: str, have: Any, want: Any, wanted: Properties) -> bool:
        """Compare keys without the white space around them."""
        if name == "publicKey" and isinstance(have, str) and isinstance(want, str):
            return have.strip() == want.strip()
        return super().is_same(name, have, want, wanted)

    def create(self, session: Session, inputs: Properties) -> Created:
        """Register it, or adopt the same key material when the answer got lost."""
        body = {"name": inputs["name"], "public_key": inputs["publicKey"]}

        def made() -> dict[str, Any] | None:
            wanted = body["public_key"].split()[:2]
            keys = session.pages("ssh_keys.list", "ssh_keys")
            return next(({"ssh_key": key} for key in keys if key["public_key"].split()[:2] == wanted), None)

        key = session.create("ssh_keys.create", made, body=body)["ssh_key"]
        return Created(str(key["id"]), self.record(inputs) | properties(key))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read it."""
        answer = session.find("ssh_keys.get", ssh_key_identifier=identity)
        return None if answer is None else known | properties(answer["ssh_key"])

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Rename it."""
        del state
        body = {"name": inputs["name"]}
        key = session.put("ssh_keys.update", ssh_key_identifier=identity, body=body)["ssh_key"]
        return self.record(inputs) | properties(key)

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Remove it."""
        del state
        session.delete("ssh_keys.delete", ssh_key_identifier=identity)


def properties(key: dict[str, Any]) -> Properties:
    """Read the API's object."""
    return {"name": key["name"], "publicKey": key["public_key"], "fingerprint": key["fingerprint"]}
