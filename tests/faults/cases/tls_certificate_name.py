"""The certificate in the proxy's store has the name the old way alone; its alternative name is another host's.

The proxy takes it for its own by the common name, which no visitor has looked at for years.
"""

from faultcase import Case

HOME = "/var/lib/caddy/.local/share/caddy"
PLACE = f"{HOME}/certificates/local/staging.tsh-erp.test"
SCRIPT = rf"""
set -e
ca={HOME}/pki/authorities/local; work=$(mktemp -d); cd "$work"
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -subj /CN=staging.tsh-erp.test \
  -out req.pem 2>/dev/null
echo 'subjectAltName=DNS:old.tsh-erp.test' > ext
openssl x509 -req -in req.pem -CA $ca/intermediate.crt -CAkey $ca/intermediate.key -extfile ext \
  -not_before 20250101000000Z -not_after 20400201000000Z -out leaf.pem 2>/dev/null
cat leaf.pem $ca/intermediate.crt > {PLACE}/staging.tsh-erp.test.crt
cat key.pem > {PLACE}/staging.tsh-erp.test.key
cd /; rm -r "$work"
systemctl restart caddy
"""

CASE = Case(
    id="tls-certificate-name",
    title="the certificate that the proxy serves is for another name",
    rows=("F95",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(SCRIPT),
    broken=lambda lab: "" if lab.https("/health") == 200 else "the certificate does not verify",
    restore=lambda lab: lab.shell(f"rm -rf {PLACE}*; systemctl reset-failed caddy; systemctl restart caddy"),
    causes=("CERTIFICATE_NAME",),
    watched=True,
)
