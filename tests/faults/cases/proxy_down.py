"""The proxy is down: everything behind it is well, and nobody gets there."""

from faultcase import Case

CASE = Case(
    id="proxy-down",
    title="the proxy was stopped",
    rows=("U25",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell("systemctl stop caddy"),
    broken=lambda lab: "" if lab.https("/health") == 200 else "nobody answers on 443",
    causes=("PROXY_DOWN",),
    watched=True,
    fast=True,
)
