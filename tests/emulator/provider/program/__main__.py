"""A network, a droplet behind a firewall on an address, its volume, name and alert."""

import pulumi
import pulumi_digitalocean as do

config = pulumi.Config()
vpc = do.Vpc("net", region="fra1", ip_range="10.91.0.0/24")
key = do.SshKey("key", public_key=config.require("publicKey"))
volume = do.Volume("data", region="fra1", size=config.get_int("sizeGib") or 10, initial_filesystem_type="ext4")
droplet = do.Droplet(
    "web",
    name="site-web",
    region="fra1",
    size="s-1vcpu-1gb",
    image="debian-13-x64",
    ssh_keys=[key.id],
    vpc_uuid=vpc.id,
    volume_ids=[volume.id],
    monitoring=True,
    tags=["staging"],
    user_data=pulumi.Output.secret("#cloud-config\n# canary-user-data\n"),
)
anywhere = ["0.0.0.0/0", "::/0"]
do.Firewall(
    "wall",
    droplet_ids=[droplet.id.apply(int)],
    inbound_rules=[
        do.FirewallInboundRuleArgs(protocol="tcp", port_range=port, source_addresses=anywhere)
        for port in ("22", "80", "443")
    ],
    outbound_rules=[
        do.FirewallOutboundRuleArgs(protocol="tcp", port_range="1-65535", destination_addresses=anywhere),
    ],
)
address = do.ReservedIp("address", region="fra1", droplet_id=droplet.id.apply(int))
domain = do.Domain("zone", name="site.example.com")
record = do.DnsRecord("www", domain=domain.name, type="A", name="www", value=address.ip_address, ttl=300)
do.MonitorAlert(
    "cpu",
    type="v1/insights/droplet/cpu",
    compare="GreaterThan",
    description="CPU above 80 %",
    value=80,
    window="5m",
    entities=[droplet.id],
    alerts=do.MonitorAlertAlertsArgs(emails=["ops@example.com"]),
)
project = do.Project("project", name="site", environment="Staging", purpose="Web Application")
do.ProjectResources("members", project=project.id, resources=[droplet.droplet_urn, volume.volume_urn])
pulumi.export("address", address.ip_address)
pulumi.export("memory", droplet.memory)
pulumi.export("fqdn", record.fqdn)
