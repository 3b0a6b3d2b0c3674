"""The proxy serves a certificate that has expired."""

from faultcase import Case

SCRIPT = """
set -e
cd /var/lib/caddy && mkdir -p lab && cd lab
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem \
  -subj /CN=staging.tsh-erp.test -addext subjectAltName=DNS:staging.tsh-erp.test \
  -not_before 20260101000000Z -not_after 20260301000000Z 2>/dev/null
chown -R caddy:caddy .
sed 's#tls internal#tls /var/lib/caddy/lab/cert.pem /var/lib/caddy/lab/key.pem#' /etc/caddy/Caddyfile > Caddyfile
caddy reload --config Caddyfile --adapter caddyfile --address unix//var/lib/caddy/admin.sock
"""

CASE = Case(
    id="tls-certificate-expired",
    title="the proxy serves an expired certificate",
    rows=("F95",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(SCRIPT),
    broken=lambda lab: "" if lab.https("/health") == 200 else "the certificate does not verify",
    restore=lambda lab: lab.shell("rm -rf /var/lib/caddy/lab"),
    causes=("CERTIFICATE_EXPIRED", "PROXY_STALE"),
    watched=True,
)
