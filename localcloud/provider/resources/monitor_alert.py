"""Alert policies of DigitalOcean's monitoring. The API replaces a policy as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.provider.checks import Failure
from localcloud.provider.resources.base import Created, Resource
from localcloud.provider.states import align

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties


class MonitorAlert(Resource):
    """Who is told when a metric of a droplet passes a value."""

    kind = "digitalocean:index/monitorAlert:MonitorAlert"

    def rules(self, inputs: Properties) -> Iterator[Failure]:
        """Somebody must be told."""
        alerts = inputs.get("alerts")
        if isinstance(alerts, dict) and not alerts.get("emails") and not alerts.get("slacks"):
            yield Failure("alerts", "expected emails, slacks or both")

    def create(self, session: Session, inputs: Properties) -> Created:
        """Create it, or adopt the one that is the same in everything when the answer got lost."""
        body = request(inputs)

        def made() -> dict[str, Any] | None:
            wanted = properties({**body, "uuid": ""})
            for policy in session.pages("monitoring.list_alert_policy", "policies"):
                if properties({**policy, "uuid": ""}) == wanted:
                    return {"policy": policy}
            return None

        policy = session.create("monitoring.create_alert_policy", made, body=body)["policy"]
        return Created(policy["uuid"], self._outputs(policy, self.record(inputs)))

    def observe(self, session: Session, identity: str, known: Properties) -> Properties | None:
        """Read it."""
        answer = session.find("monitoring.get_alert_policy", alert_uuid=identity)
        return None if answer is None else self._outputs(answer["policy"], known)

    def update(self, session: Session, identity: str, state: Properties, inputs: Properties) -> Properties:
        """Replace it."""
        del state
        answer = session.put("monitoring.update_alert_policy", alert_uuid=identity, body=request(inputs))
        return self._outputs(answer["policy"], self.record(inputs))

    def delete(self, session: Session, identity: str, state: Properties) -> None:
        """Delete it."""
        del state
        session.delete("monitoring.delete_alert_policy", alert_uuid=identity)

    def _outputs(self, policy: dict[str, Any], known: Properties) -> Properties:
        return known | align(self.shape, properties(policy), known)


def request(inputs: Properties) -> dict[str, Any]:
    """Write the create or update request."""
    alerts = inputs["alerts"]
    return {
        "type": inputs["type"],
        "description": inputs["description"],
        "compare": inputs["compare"],
        "value": inputs["value"],
        "window": inputs["window"],
        "enabled": inputs.get("enabled", True),
        "entities": list(inputs.get("entities") or []),
        "tags": list(inputs.get("tags") or []),
        "alerts": {"email": list(alerts.get("emails") or []), "slack": list(alerts.get("slacks") or [])},
    }


def properties(policy: dict[str, Any]) -> Properties:
    """Read the API's object."""
    alerts = policy.get("alerts") or {}
    slacks = [{"channel": each["channel"], "url": each["url"]} for each in alerts.get("slack") or []]
    return {
        **{name: policy[name] for name in ("uuid", "type", "description", "compare", "value", "window")},
        "enabled": bool(policy.get("enabled", True)),
        "entities": list(policy.get("entities") or []),
        "tags": [tag for tag in policy.get("tags") or [] if tag],
        "alerts": {"emails": [email for email in alerts.get("email") or [] if email], "slacks": slacks},
    }
