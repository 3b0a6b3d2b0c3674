"""Certificates of the proxy's own authority that are not as they should be, put where the proxy keeps its own."""

from __future__ import annotations

__all__ = ["forged", "given_up", "place_of"]

_HOME = "/var/lib/caddy/.local/share/caddy"


def place_of(domain: str) -> str:
    """Return where the proxy keeps a name's certificate of its own authority."""
    return f"{_HOME}/certificates/local/{domain}"


def forged(domain: str, *, subject: str, alternative: str, since: str) -> str:
    """Return the script that makes one for a subject and its alternative name, valid from `since` to February 2040."""
    return rf"""
set -e
ca={_HOME}/pki/authorities/local; work=$(mktemp -d); cd "$work"
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -subj {subject} \
  -out req.pem 2>/dev/null
echo 'subjectAltName={alternative}' > ext
openssl x509 -req -in req.pem -CA $ca/intermediate.crt -CAkey $ca/intermediate.key -extfile ext \
  -not_before {since} -not_after 20400201000000Z -out leaf.pem 2>/dev/null
cat leaf.pem $ca/intermediate.crt > {place_of(domain)}/{domain}.crt
cat key.pem > {place_of(domain)}/{domain}.key
cd /; rm -r "$work"
systemctl restart caddy
"""


def given_up(domain: str) -> str:
    """Return the script that has the proxy make itself another one, and leaves nothing of those that were put aside."""
    return f"rm -rf {place_of(domain)}*; systemctl reset-failed caddy; systemctl restart caddy"
