"""Certificates of the proxy's own authority that are not as they should be, put where the proxy keeps its own."""

from __future__ import annotations

__all__ = ["DOMAIN", "forged", "given_up"]

DOMAIN = "staging.tsh-erp.test"
_HOME = "/var/lib/caddy/.local/share/caddy"
_PLACE = f"{_HOME}/certificates/local/{DOMAIN}"


def forged(*, subject: str, alternative: str, since: str) -> str:
    """Return the script that makes one for a subject and its alternative name, valid from `since` to February 2040."""
    return rf"""
set -e
ca={_HOME}/pki/authorities/local; work=$(mktemp -d); cd "$work"
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -subj {subject} \
  -out req.pem 2>/dev/null
echo 'subjectAltName={alternative}' > ext
openssl x509 -req -in req.pem -CA $ca/intermediate.crt -CAkey $ca/intermediate.key -extfile ext \
  -not_before {since} -not_after 20400201000000Z -out leaf.pem 2>/dev/null
cat leaf.pem $ca/intermediate.crt > {_PLACE}/{DOMAIN}.crt
cat key.pem > {_PLACE}/{DOMAIN}.key
cd /; rm -r "$work"
systemctl restart caddy
"""


def given_up() -> str:
    """Return the script that has the proxy make itself another one, and leaves nothing of those that were put aside."""
    return f"rm -rf {_PLACE}*; systemctl reset-failed caddy; systemctl restart caddy"
