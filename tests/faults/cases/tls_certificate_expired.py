"""The proxy's own certificate has expired: its folder belongs to another, as after a restore, so none was put there.

Its authority gives it one for a few seconds; when that ends, the proxy runs with its file's configuration again.
"""

from faultcase import Case

STORE = "/var/lib/caddy/.local/share/caddy/certificates/local"
SCRIPT = f"""
set -e
place={STORE}/staging.tsh-erp.test
caddy adapt --config /etc/caddy/Caddyfile 2>/dev/null > /run/lab-short.json
sed -i 's/{{"module":"internal"}}/{{"module":"internal","lifetime":15000000000}}/' /run/lab-short.json
rm -r $place
caddy reload --config /run/lab-short.json --force 2>/dev/null
for _ in $(seq 50); do [ -s $place/staging.tsh-erp.test.json ] && break || sleep 0.1; done
chown -R root:caddy $place; chmod 0440 $place/*; chmod 0550 $place
caddy reload --config /etc/caddy/Caddyfile --force 2>/dev/null
for _ in $(seq 60); do openssl x509 -checkend 0 -noout -in $place/staging.tsh-erp.test.crt || break; sleep 0.5; done
rm /run/lab-short.json
"""
BACK = f"""
rm -rf {STORE}/*.former-* /run/lab-short.json
chown -R caddy:caddy {STORE}; chmod -R u+rwX {STORE}
systemctl restart caddy
"""

CASE = Case(
    id="tls-certificate-expired",
    title="the proxy's own certificate has expired, and it can't put a new one in its place",
    rows=("F95",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(SCRIPT),
    broken=lambda lab: "" if lab.https("/health") == 200 else "the certificate does not verify",
    restore=lambda lab: lab.shell(BACK),
    causes=("CERTIFICATE_EXPIRED",),
    watched=True,
)
