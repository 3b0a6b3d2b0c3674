"""Somebody edited the proxy's file and had it read anew: the public name leads nowhere."""

from faultcase import Case

CASE = Case(
    id="proxy-altered",
    title="the Caddyfile was edited by hand and reloaded",
    rows=("R25", "U25"),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(
        "sed -i 's/127.0.0.1:8002/127.0.0.1:9999/' /etc/caddy/Caddyfile && systemctl reload caddy"
    ),
    broken=lambda lab: "" if lab.https("/health") == 200 else "the public name leads nowhere",
    causes=("PROXY_ALTERED",),
    watched=True,
)
