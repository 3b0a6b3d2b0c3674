"""The droplet was switched off in the cloud's panel."""

from faultcase import Case

CASE = Case(
    id="provision-droplet-off",
    title="the droplet was switched off",
    rows=(),
    strikes="run time",
    expected="healed",
    inject=lambda lab: lab.act(type="power_off"),
    broken=lambda lab: "" if lab.droplet["status"] == "active" else "the droplet is off",
    restore=lambda lab: lab.act(type="power_on") if lab.droplet["status"] == "off" else None,
    disturbs=frozenset({"neighbour's process", "neighbour's start"}),
    causes=("DROPLET_OFF",),
    watched=True,
)
