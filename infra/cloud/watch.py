"""Who is told when the droplet is short of something."""

from __future__ import annotations

__all__ = ["Alerts"]

from typing import TYPE_CHECKING

import pulumi

from infra.cloud import sdk as digitalocean

if TYPE_CHECKING:
    from infra.cloud.naming import Names
    from infra.settings import Settings

WINDOW = "5m"


class Alerts(pulumi.ComponentResource):
    """CPU, memory and disk alerts by mail."""

    def __init__(
        self, names: Names, settings: Settings, droplet: digitalocean.Droplet, opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__("greenroom:cloud:Alerts", "alerts", None, opts)
        limits = {
            "cpu": ("cpu", settings.alerts.cpu_percent),
            "memory": ("memory_utilization_percent", settings.alerts.memory_percent),
            "disk": ("disk_utilization_percent", settings.alerts.disk_percent),
        }
        for what, (metric, percent) in limits.items():
            digitalocean.MonitorAlert(
                what,
                type=f"v1/insights/droplet/{metric}",
                compare="GreaterThan",
                value=percent,
                window=WINDOW,
                enabled=True,
                entities=[droplet.id],
                alerts=digitalocean.MonitorAlertAlertsArgs(emails=list(settings.alerts.email)),
                description=f"{names.prefix}: {what} above {percent} %",
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
