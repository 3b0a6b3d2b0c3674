"""The proxy runs with another configuration than its file says."""

from faultcase import Case

OTHER = """{
	admin unix//var/lib/caddy/admin.sock
	skip_install_trust
}
staging.tsh-erp.test {
	tls internal
	respond "moved" 503
}
"""

CASE = Case(
    id="proxy-stale",
    title="the proxy's running configuration is not its file",
    rows=("U25",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell(
        "cat > /tmp/other && caddy reload --config /tmp/other --adapter caddyfile --address unix//var/lib/caddy/admin.sock; rm /tmp/other",
        stdin=OTHER,
    ),
    broken=lambda lab: "" if lab.https("/health") == 200 else "the proxy answers 503",
    causes=("PROXY_STALE",),
    watched=True,
)
