"""A certificate that is valid only years from now lies in the proxy's store, as one that a wrong clock has made."""

from bed import DOMAIN
from faultcase import Case
from forging import forged, given_up

EARLY = forged(DOMAIN, subject="/", alternative=f"critical,DNS:{DOMAIN}", since="20400101000000Z")

CASE = Case(
    id="tls-certificate-early",
    title="the certificate that the proxy serves is not valid yet",
    rows=("F95",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(EARLY),
    broken=lambda lab: "" if lab.https("/health") == 200 else "the certificate does not verify",
    restore=lambda lab: lab.shell(given_up(DOMAIN)),
    causes=("CERTIFICATE_EARLY",),
    watched=True,
)
