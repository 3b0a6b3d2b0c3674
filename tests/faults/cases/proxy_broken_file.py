"""Somebody left a Caddyfile that does not parse: the proxy serves on, and would not come back after a restart."""

from faultcase import Case

CASE = Case(
    id="proxy-broken-file",
    title="the Caddyfile on the host does not parse any more",
    rows=("U25",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell("echo '}} by hand' >> /etc/caddy/Caddyfile; systemctl restart caddy || true"),
    broken=lambda lab: "" if lab.https("/health") == 200 else "nobody answers on 443",
    causes=("PROXY_ALTERED",),
    watched=True,
)
