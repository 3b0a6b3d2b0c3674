"""The proxy's own authority was deleted with its store: it makes another one, which nobody outside has ever trusted."""

from faultcase import Case

STORE, KEPT = "/var/lib/caddy/.local/share/caddy", "/var/lib/caddy/lab-kept"
LOST = f"""
set -e
mv {STORE} {KEPT}
systemctl restart caddy
for _ in $(seq 50); do [ -s {STORE}/certificates/local/staging.tsh-erp.test/staging.tsh-erp.test.crt ] && break || sleep 0.1; done
"""
BACK = f"""
[ -d {KEPT} ] || exit 0
systemctl stop caddy
rm -rf {STORE}
mv {KEPT} {STORE}
systemctl reset-failed caddy; systemctl start caddy
"""

CASE = Case(
    id="tls-authority-lost",
    title="the proxy has made itself another authority",
    rows=("R25", "F95"),
    strikes="run time",
    expected="escalated",
    inject=lambda lab: lab.shell(LOST),
    broken=lambda lab: "" if lab.https("/health") == 200 else "the certificate is of an authority that nobody knows",
    restore=lambda lab: lab.shell(BACK),
    causes=("CERTIFICATE_NAME",),
    role="devops",
    watched=True,
)
