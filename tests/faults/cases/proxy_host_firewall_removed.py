"""The host's own table of the packet filter is gone."""

from faultcase import Case

CASE = Case(
    id="proxy-host-firewall-removed",
    title="the host's nftables table was deleted",
    rows=("F99",),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.shell("nft delete table inet greenroom"),
    broken=lambda lab: (
        "" if "policy drop" in lab.shell("nft list table inet greenroom 2>/dev/null", check=False) else "no table"
    ),
    causes=("FIREWALL_ALTERED",),
)
