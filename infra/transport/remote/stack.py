"""A compose project on the host: what it should be, what it is, starting it in order, and taking it away.

The model comes from `docker compose config` once per probe; what it holds in secrets stays here, as a keyed digest of
each service. That digest is also the container's label, so a container tells by itself whether it is the wanted one.
"""

from __future__ import annotations

__all__ = [
    "LABEL",
    "containers_fact",
    "describe",
    "down_act",
    "exec_fact",
    "images_fact",
    "listed_services",
    "model_fact",
    "remove_images_act",
    "service_containers",
    "stack_fact",
]

import hmac
import json
import time

from infra.transport.remote.asking import quoted
from infra.transport.remote.engine import Engine, EngineRefusal
from infra.transport.remote.posture import FLOOR, posture
from infra.transport.remote.processes import command_text, run
from infra.transport.remote.report import ActFailure, Redactor, parse_env
from infra.transport.remote.threads import side_by_side

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from infra.transport.remote.report import Reporter

LABEL = "greenroom.config"
_SERVICE = "com.docker.compose.service"
_GONE = (304, 404, 409)
_TELLING = 8
"""Shorter values stand in texts by chance."""
_SECOND_LOOK_S = 0.5
_AT_ONCE = 8
_EVIDENCE = 1000
"""How much of what a failed command printed is kept, from its end."""


def model_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Return the project's services as compose resolves them; `error` tells why it can't."""
    argv = [*probe["argv"], "config", "--format", "json"]
    finished = run(argv, cwd=probe["cwd"], env=probe.get("env"))
    if finished.exit_status != 0:
        return {"services": {}, "error": finished.stderr.strip()[-2000:] or "no answer", "command": command_text(argv)}
    model = json.loads(finished.stdout)
    key = _read(probe["key_file"])
    services = {name: _service(model, name, body, key) for name, body in sorted(model["services"].items())}
    secrets = _secret_values(probe)
    for name, service in services.items():
        service["reads"] = _reads(model["services"][name], secrets)
    return {"services": services, "error": "", "command": ""}


def stack_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Return model, containers and image ids together: all that a plan for the project needs."""
    fact = model_fact(probe)
    engine = Engine()
    references = sorted({service["image"] for service in fact["services"].values()})
    fact["images"] = _image_ids(engine, references)
    fact["containers"] = service_containers(engine, probe["project"])
    return fact


def containers_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Return the project's containers by service, without starting the compose CLI; `silent` is why nobody can say."""
    containers, silent = _asked(Engine(), probe["project"])
    return {"containers": containers, "silent": silent}


def images_fact(probe: dict[str, Any]) -> dict[str, str | None]:
    """Return the id of each named image, empty where it is missing, None where the engine does not answer."""
    return _image_ids(Engine(), probe["references"])


def down_act(act: dict[str, Any], report: Reporter) -> None:
    """Remove what carries the project's label: containers, networks, volumes. Nothing else is touched."""
    engine = Engine()
    only = {"filters": {"label": [f"com.docker.compose.project={act['project']}"]}}
    listed: list[str] = [each["Id"] for each in engine.get("/containers/json", {"all": "true", **only})]
    report.say(f"stopping {len(listed)} containers")
    side_by_side(lambda container: _discard(engine, container), listed, at_once=_AT_ONCE)
    for network in engine.get("/networks", only):
        _delete(engine, f"/networks/{network['Id']}")
    for volume in engine.get("/volumes", only)["Volumes"] or []:
        _delete(engine, f"/volumes/{volume['Name']}")


def remove_images_act(act: dict[str, Any], report: Reporter) -> None:
    """Remove images by reference; one that is in use or gone stays as it is."""
    del report
    engine = Engine()
    for reference in act["references"]:
        _delete(engine, f"/images/{reference}")


def describe(container: dict[str, Any]) -> dict[str, Any]:
    """Return the few facts of an inspected container that decide anything."""
    state, labels = container["State"], container["Config"].get("Labels") or {}
    return {
        "id": container["Id"],
        "container": container["Name"].lstrip("/"),
        "state": state["Status"],
        "health": (state.get("Health") or {}).get("Status", "none"),
        "exit_code": state["ExitCode"],
        "restarts": container["RestartCount"],
        "image": container["Config"]["Image"],
        "image_id": container["Image"],
        "config": labels.get(LABEL, ""),
        "limits": _limits(container["HostConfig"]),
        "since": _since(state),
    }


def _limits(config: dict[str, Any]) -> dict[str, Any]:
    """Return what `docker update` can change behind the compose file's back; 0 stands for no limit."""
    return {
        "cpus": (config.get("NanoCpus") or 0) / 1e9,
        "memory_bytes": config.get("Memory") or 0,
        "pids": max(0, config.get("PidsLimit") or 0),
        "restart": (config.get("RestartPolicy") or {}).get("Name") or "no",
    }


def _since(state: dict[str, Any]) -> str | None:
    """Return when a container came into its state, to the second; the engine's year 1 stands for never."""
    at = str(state["StartedAt"] if state["Status"] in ("running", "paused") else state["FinishedAt"])
    return None if at.startswith("0001-") else f"{at[:19]}Z"


def exec_fact(probe: dict[str, Any]) -> dict[str, Any]:
    """Run a command inside a service's running container; exit status -1, with the reason, when it has none.

    One that fails is asked once more: an engine that is busy refuses an exec now and then, and a database a connection.
    What a failure printed is evidence, and goes out with the values of `redact`'s variables masked.
    """
    fact = _exec(probe)
    if fact["exit_status"] != 0:
        time.sleep(_SECOND_LOOK_S)
        fact = _exec(probe)
    if fact["exit_status"] != 0:
        redactor = Redactor.of_env_file(probe["redact"]["path"], probe["redact"]["names"])
        fact["stderr"] = redactor.clean((fact["stdout"] + fact["stderr"]).strip())[-_EVIDENCE:]
        fact["stdout"] = ""
    return fact


def _exec(probe: dict[str, Any]) -> dict[str, Any]:
    container = _container_of(probe)
    if container["state"] != "running":
        return {"exit_status": -1, "stdout": "", "stderr": f"service {probe['service']} is {container['state']}"}
    finished = run(["docker", "exec", *probe["options"], container["id"], *probe["argv"]])
    return {"exit_status": finished.exit_status, "stdout": finished.stdout, "stderr": finished.stderr}


def _container_of(probe: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a service's container, and why there is none to ask."""
    try:
        found = _by_service(Engine().containers(probe["project"]))
    except EngineRefusal as refusal:
        return {"state": f"not to be asked: {refusal}"}
    return found.get(probe["service"], {"state": "without a container"})


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            return stream.read().strip()
    except OSError:
        return b""


def _service(model: dict[str, Any], name: str, body: dict[str, Any], key: bytes) -> dict[str, Any]:
    canonical = json.dumps([FLOOR, body], sort_keys=True, separators=(",", ":")).encode()
    depends = body.get("depends_on") or {}
    health = body.get("healthcheck") or {}
    return {
        "image": body.get("image") or f"{model['name']}-{name}",
        "build": "build" in body,
        "config": hmac.new(key, canonical, "sha256").hexdigest()[:32],
        "depends": {each: how.get("condition", "service_started") for each, how in depends.items()},
        "health": bool(health.get("test")) and not health.get("disable"),
        "posture": posture(body, model),
    }


def _secret_values(probe: dict[str, Any]) -> dict[str, str]:
    """Read the values of the declared secrets from the env file; they stay in this process."""
    values = dict(parse_env(_read(probe.get("env_file", "")).decode(errors="replace")))
    return {name: values[name] for name in probe.get("secrets", []) if name in values}


def _reads(body: dict[str, Any], secrets: dict[str, str]) -> list[str]:
    """Name the secrets that a resolved service gets: by name in its environment, or inside any of its texts."""
    texts = [text.replace("$$", "$") for text in _texts(body)]
    environment = body.get("environment") or {}

    def is_read(name: str, value: str) -> bool:
        if name in environment:
            return True
        forms = {value, quoted(value)}
        return len(value) >= _TELLING and any(form in text for text in texts for form in forms)

    return sorted(name for name, value in secrets.items() if is_read(name, value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def service_containers(engine: Engine, project: str) -> dict[str, Any]:
    """Return the facts of a project's containers by service; nothing where the engine does not run."""
    return _asked(engine, project)[0]


def listed_services(engine: Engine, project: str) -> dict[str, dict[str, str]]:
    """Return id, state, image and configuration of each service's container, by one question to the engine.

    Nothing where the engine does not run.
    """
    try:
        listed = sorted(engine.listed(project), key=lambda each: each["Created"])
    except EngineRefusal as refusal:
        if refusal.status == 0:
            return {}
        raise
    return {
        each["Labels"].get(_SERVICE, each["Id"]): {
            "id": each["Id"],
            "state": each["State"],
            "image_id": each["ImageID"],
            "config": each["Labels"].get(LABEL, ""),
        }
        for each in listed
    }


def _asked(engine: Engine, project: str) -> tuple[dict[str, Any], str]:
    """Return the containers by service, and what kept the engine from answering."""
    try:
        return _by_service(engine.containers(project)), ""
    except EngineRefusal as refusal:
        if refusal.status == 0:
            return {}, str(refusal)
        raise


def _by_service(found: list[dict[str, Any]]) -> dict[str, Any]:
    services: dict[str, Any] = {}
    for container in sorted(found, key=lambda each: each["Created"]):
        labels = container["Config"].get("Labels") or {}
        services[labels.get(_SERVICE, container["Name"])] = describe(container)
    return services


def _image_ids(engine: Engine, references: list[str]) -> dict[str, str | None]:
    try:
        return {reference: engine.image_id(reference) for reference in references}
    except EngineRefusal as refusal:
        if refusal.status == 0:
            return dict.fromkeys(references)
        raise


def _discard(engine: Engine, container: str) -> None:
    try:
        engine.call("POST", f"/containers/{container}/stop", {"t": "10"})
    except EngineRefusal as refusal:
        if refusal.status not in _GONE:
            raise
    _delete(engine, f"/containers/{container}", {"force": "true", "v": "true"})


def _delete(engine: Engine, path: str, query: dict[str, Any] | None = None) -> None:
    try:
        engine.call("DELETE", path, query)
    except EngineRefusal as refusal:
        if refusal.status not in _GONE:
            raise ActFailure("REMOVE_FAILED", f"DELETE {path}", refusal.status, str(refusal)) from refusal
