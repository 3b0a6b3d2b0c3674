"""The certificate in the proxy's store has the name the old way alone; its alternative name is another host's.

The proxy takes it for its own by the common name, which no visitor has looked at for years.
"""

from bed import DOMAIN
from faultcase import Case
from forging import forged, given_up

OTHER = forged(DOMAIN, subject=f"/CN={DOMAIN}", alternative="DNS:old.tsh-erp.test", since="20250101000000Z")

CASE = Case(
    id="tls-certificate-name",
    title="the certificate that the proxy serves is for another name",
    rows=("F95",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(OTHER),
    broken=lambda lab: "" if lab.https("/health") == 200 else "the certificate does not verify",
    restore=lambda lab: lab.shell(given_up(DOMAIN)),
    causes=("CERTIFICATE_NAME",),
    watched=True,
)
