"""What is decided before anything is done to the machine: packet filter, configuration, recipes, surroundings."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.machines import DropletPolicy, MachineSpec, NetworkPlan, PublicAddress, Rule, container, recipes
from localcloud.machines.firewall import Bridge, apply_script, remove_script
from localcloud.machines.names import Names
from localcloud.machines.surroundings import Surroundings, observe

BRIDGE = Bridge("gr0123456789ab", "10.9.0.1")
ADDRESS = PublicAddress("127.0.10.5", 5, "10.9.0.5")
SPEC = MachineSpec(
    5,
    "web",
    "image:1",
    8,
    512,
    "#cloud-config\n",
    ("ssh-ed25519 AAAA",),
    "vpc",
    "10.9.0.0/24",
    "10.9.0.5",
    "127.0.10.5",
)


def rules(plan: NetworkPlan, **changes: object) -> list[str]:
    options = {"bridges": [BRIDGE], "private": {5: "10.9.0.5"}, "services": {80: 17080, 5000: 41000}} | changes
    script = apply_script("cloud1", plan, **options)  # type: ignore[arg-type]
    return [line.removeprefix("-A GR-cloud1-") for line in script.splitlines() if line.startswith("-A ")]


def test_a_public_address_leads_to_its_droplet_on_every_port() -> None:
    found = rules(NetworkPlan((ADDRESS,)))
    assert "PUBLIC -d 127.0.10.5 -j DNAT --to-destination 10.9.0.5" in found
    assert "RETURN -o gr0123456789ab -s 127.0.0.0/8 -j MASQUERADE" in found


def test_services_are_reached_at_the_gateway_and_nothing_else_of_the_machine() -> None:
    found = rules(NetworkPlan())
    assert "SERVICES -i gr0123456789ab -d 10.9.0.1 -p tcp --dport 80 -j DNAT --to-destination 127.0.0.1:17080" in found
    machine = [line for line in found if line.startswith("MACHINE ")]
    assert machine[-1] == "MACHINE -i gr0123456789ab -j DROP"


@pytest.mark.parametrize(
    ("inbound", "expected"),
    [
        (None, []),
        ((), ["-j DROP"]),
        ((Rule("tcp", 22, 22),), ["-s 0.0.0.0/0 -p tcp --dport 22:22 -j RETURN", "-j DROP"]),
        ((Rule("udp", 1, 65535),), ["-s 0.0.0.0/0 -p udp -j RETURN", "-j DROP"]),
        ((Rule("icmp", 0, 0, ("10.0.0.0/8",)),), ["-s 10.0.0.0/8 -p icmp -j RETURN", "-j DROP"]),
        ((Rule("tcp", 80, 90, ("::/0", "1.2.3.4")),), ["-s 1.2.3.4/32 -p tcp --dport 80:90 -j RETURN", "-j DROP"]),
    ],
)
def test_a_policy_lets_through_what_it_names(inbound: tuple[Rule, ...] | None, expected: list[str]) -> None:
    found = rules(NetworkPlan((ADDRESS,), (DropletPolicy(5, inbound),)))
    assert [
        line.removeprefix("CLOUD -d 10.9.0.5 ") for line in found if " 10.9.0.5 " in line and "CLOUD" in line
    ] == expected


def test_addresses_of_the_cloud_that_lead_nowhere_are_refused() -> None:
    found = rules(NetworkPlan((PublicAddress("127.3.10.5", 5, "10.9.0.5"),)))
    assert [line for line in found if "REJECT" in line] == [
        f"CLOUD -d 127.3.{kind}.0/24 -j REJECT --reject-with icmp-host-unreachable" for kind in (10, 20)
    ]


def test_a_policy_for_a_droplet_that_is_not_there_yet_waits() -> None:
    assert rules(NetworkPlan((), (DropletPolicy(9, ()),)), private={}) == rules(NetworkPlan(), private={})


@given(text=st.text())
def test_no_text_gets_into_the_script_that_is_not_an_address(text: str) -> None:
    for plan in (
        NetworkPlan((PublicAddress(text, 1, "10.9.0.5"),)),
        NetworkPlan((PublicAddress("127.0.10.5", 1, text),)),
        NetworkPlan((ADDRESS,), (DropletPolicy(5, (Rule("tcp", 1, 2, (text,)),)),)),
        NetworkPlan((ADDRESS,), (DropletPolicy(5, (Rule(text, 1, 2),)),)),
    ):
        try:
            script = apply_script("c", plan, bridges=[], private={}, services={})
        except ValueError:
            continue
        assert set(script) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 \n-.:/*[],_<>'|&$#=!;"
        )


def test_the_scripts_are_valid_shell() -> None:
    plan = NetworkPlan((ADDRESS,), (DropletPolicy(5, (Rule("tcp", 22, 22),)),))
    for script in (apply_script("c", plan, bridges=[BRIDGE], private={}, services={80: 1}), remove_script("c")):
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("label", ["a51fda7c0b86", "x"])
def test_names_fit_where_they_go(label: str) -> None:
    names = Names(label)
    assert len(names.bridge("5a4981aa-9653-4bd1-bef5-d6bff52042e4")) <= 15
    script = apply_script(label, NetworkPlan(), bridges=[], private={}, services={})
    assert all(len(line.split()[0]) <= 29 for line in script.splitlines() if line.startswith(":"))


def test_a_droplet_never_gets_more_processors_than_there_are() -> None:
    place = container.Place(("CHOWN",), processors=2, resolvers=("10.0.0.53",), gateway="10.9.0.1")
    config, host = container.configuration(SPEC, Names("c"), place)
    assert host["cpu_quota"] == 2 * host["cpu_period"]
    assert host["mem_limit"] == host["memswap_limit"] == 512 * 1024 * 1024
    assert config["environment"]["GREENROOM_RESOLVERS"] == "10.0.0.53"
    assert "SYS_MODULE" not in host["cap_add"]


def test_the_seed_is_for_root_alone_and_no_part_of_the_configuration() -> None:
    place = container.Place((), 2, (), "10.9.0.1")
    spec = MachineSpec(**{**SPEC.__dict__, "user_data": "#cloud-config\n# private-thing\n"})
    assert "private-thing" not in repr(container.configuration(spec, Names("c"), place))
    with tarfile.open(fileobj=io.BytesIO(container.seed_archive(container.seed(spec)))) as archive:
        modes = {entry.name.rsplit("/", 1)[-1]: entry.mode for entry in archive}
    assert modes == {"nocloud": 0o700, "meta-data": 0o600, "user-data": 0o600, "vendor-data": 0o600}


def image(reference: str) -> recipes.Image:
    return next(image for image in recipes.IMAGES if image.reference == reference)


def test_a_new_authority_rebuilds_every_image_and_a_recipe_only_those_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Surroundings()
    before = {image.reference: recipes.digest(image, plain) for image in recipes.IMAGES}
    trusting = Surroundings(authorities=("-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----",))
    assert all(recipes.digest(image, trusting) != before[image.reference] for image in recipes.IMAGES)

    copy = tmp_path / "recipes"
    subprocess.run(["cp", "-r", recipes.HERE, copy], check=True)
    (copy / "python" / "Dockerfile").write_text("FROM scratch\n")
    monkeypatch.setattr(recipes, "HERE", copy)
    changed = {image.reference for image in recipes.IMAGES if recipes.digest(image, plain) != before[image.reference]}
    assert changed == {"greenroom/python:3.11-slim", "greenroom/node:20-slim", "greenroom/node:20-alpine"}


def test_the_recipes_carry_nothing_that_is_private_to_a_machine() -> None:
    for folder in {image.folder for image in recipes.IMAGES}:
        for _, content in recipes.files(folder, Surroundings()).values():
            assert b"PRIVATE KEY" not in content


def test_credentials_in_addresses_stay_out_of_images(tmp_path: Path) -> None:
    environ = {
        "HOME": str(tmp_path),
        "PIP_INDEX_URL": "https://user:secret@packages.example/simple",
        "NPM_CONFIG_REGISTRY": "https://npm.example/",
        "https_proxy": "http://proxy.example:3128",
    }
    found = observe(environ)
    assert "secret" not in repr(found)
    assert found.environment["NPM_CONFIG_REGISTRY"] == "https://npm.example/"
    assert ".greenroom.test" in found.environment["no_proxy"]


def test_a_package_index_of_pips_own_configuration_is_found(tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text("[global]\nindex-url = https://mirror.example/simple\n")
    assert observe({"HOME": str(tmp_path)}).environment["PIP_INDEX_URL"] == "https://mirror.example/simple"


def test_only_authorities_beyond_the_distributions_are_taken_over(tmp_path: Path) -> None:
    shipped = sorted(Path("/usr/share/ca-certificates/mozilla").glob("*.crt"))
    if not shipped:
        pytest.skip("needs the distribution's ca-certificates")
    own = "-----BEGIN CERTIFICATE-----\nT1dO\n-----END CERTIFICATE-----"
    bundle = tmp_path / "bundle.crt"
    bundle.write_text(shipped[0].read_text() + own + "\n")
    found = observe({"SSL_CERT_FILE": str(bundle), "HOME": str(tmp_path)})
    assert own in found.authorities
    assert shipped[0].read_text().strip() not in found.authorities
    assert found.environment["PIP_CERT"] == "/etc/ssl/certs/ca-certificates.crt"
