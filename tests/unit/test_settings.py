"""Bad settings: each is named with its file and line, its key, what is there and what was expected, all at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infra.commands.references import names_in, substitute
from infra.errors import ConfigurationError
from infra.settings import load_config, load_file
from infra.settings.catalogue import catalogue
from infra.settings.document import read_document

ROOT = Path(__file__).parents[2]
GOOD = (ROOT / "Pulumi.local.yaml").read_text()


def refuse(tmp_path: Path, text: str | bytes) -> ConfigurationError:
    path = tmp_path / "Pulumi.local.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError) as caught:
        load_file(path, root=ROOT)
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize("stack", ["local", "staging"])
def test_the_committed_stacks_are_good(stack: str) -> None:
    settings = load_file(ROOT / f"Pulumi.{stack}.yaml", root=ROOT)
    assert settings.workload.project == "tsh_erp_staging"


def test_staging_protects_what_holds_data_and_local_does_not() -> None:
    assert load_file(ROOT / "Pulumi.staging.yaml", root=ROOT).protect is True
    assert load_file(ROOT / "Pulumi.local.yaml", root=ROOT).protect is False


SETTINGS = [
    ("region: fra1", "region: fra9", "droplet.region", "did you mean fra1"),
    ("size: s-2vcpu-4gb", "size: s-2vcpu-5gb", "droplet.size", "did you mean s-2vcpu-4gb"),
    ("image: debian-13-x64", "image: debian-14-x64", "droplet.image", "debian-1"),
    ("    sizeGib: 5", "    sizeGb: 5", "volume.sizeGb", "did you mean sizeGib"),
    ("    sizeGib: 5", "    sizeGib: 0", "volume.sizeGib", "from 1"),
    ("    sizeGib: 5", "    sizeGib: 1.5", "volume.sizeGib", "whole number"),
    ("    sizeGib: 5", '    sizeGib: "5"', "volume.sizeGib", "whole number"),
    ("    sizeGib: 5", "    sizeGib: 1e3", "volume.sizeGib", 'quoted: "1e3"'),
    ("    sizeGib: 5", "    sizeGib: 99999999999999999999", "volume.sizeGib", "quoted"),
    ("    sizeGib: 5", "    sizeGib: 0o22", "volume.sizeGib", "quoted"),
    ("protect: false", "protect: no", "protect", 'quoted: "no"'),
    ("protect: false", "protect: maybe", "protect", "true or false"),
    ("domain: staging.tsh-erp.test", "domain: staging", "domain", "domain name"),
    ("domain: staging.tsh-erp.test", "domain: Staging.tsh-erp.test", "domain", "lower-case"),
    ("domain: staging.tsh-erp.test", "domain: st\u0430ging.tsh-erp.test", "domain", "ASCII"),
    ("domain: staging.tsh-erp.test", "domain: staging.tsh-erp.test.", "domain", "domain name"),
    ("domain: staging.tsh-erp.test", "domain: -a.tsh-erp.test", "domain", "domain name"),
    ("domain: staging.tsh-erp.test", "domain: 10.0.0.1", "domain", "domain name"),
    ("domain: staging.tsh-erp.test", "domain: a..tsh-erp.test", "domain", "domain name"),
    ("domain: staging.tsh-erp.test", "domain: elsewhere.example.org", "(settings)", "inside dns.zone"),
    ("adminEmail: admin@tsh-erp.test", "adminEmail: admin", "adminEmail", "mail address"),
    ("email: [admin@tsh-erp.test]", "email: []", "alerts.email", "at least 1"),
    ("email: [admin@tsh-erp.test]", "email: admin@tsh-erp.test", "alerts.email", "a list"),
    ("cidr: 10.20.0.0/24", "cidr: 10.20.0.1/24", "network.cidr", "without host bits"),
    ("cidr: 10.20.0.0/24", "cidr: 8.8.8.0/24", "network.cidr", "private"),
    ("cidr: 10.20.0.0/24", "cidr: 10.0.0.0/8", "network.cidr", "/16 to /28"),
    ("cidr: 10.20.0.0/24", 'cidr: "::1/128"', "network.cidr", "IPv4"),
    ("user: khaleel", "user: root", "host.user", "user name"),
    ("user: khaleel", "user: Khaleel", "host.user", "user name"),
    ("directory: /home/khaleel/tsh-erp", "directory: /etc", "host.directory", "below /home/khaleel/"),
    ("directory: /home/khaleel/tsh-erp", "directory: /home/khaleel/../root", "host.directory", "below"),
    ("directory: /home/khaleel/tsh-erp", "directory: /home/khaleel", "host.directory", "below"),
    ("directory: /home/khaleel/tsh-erp", "directory: ~/tsh-erp", "host.directory", "below"),
    ("directory: /home/khaleel/tsh-erp", "directory: $HOME/tsh", "host.directory", "below"),
    ("directory: /home/khaleel/tsh-erp", "directory: /home/khaleel/a b", "host.directory", "below"),
    ("http://git.greenroom.test/tsh-erp.git", "file:///tmp/x.git", "workload.repository", "https, ssh or http"),
    ("http://git.greenroom.test/tsh-erp.git", "ext::sh -c id", "workload.repository", "https, ssh or http"),
    ("http://git.greenroom.test/tsh-erp.git", "--upload-pack=id", "workload.repository", "https, ssh or http"),
    ("http://git.greenroom.test/tsh-erp.git", "https://u:p@example.org/x.git", "workload.repository", "credentials"),
    (
        "http://git.greenroom.test/tsh-erp.git",
        "git@example.org:-oProxyCommand=id",
        "workload.repository",
        "git address",
    ),
    ("http://git.greenroom.test/tsh-erp.git", "https://example.org/a/../b.git", "workload.repository", "git address"),
    ("branch: develop", "branch: -x", "workload.branch", "branch name"),
    ("branch: develop", "branch: a..b", "workload.branch", "branch name"),
    ("branch: develop", "branch: develop.lock", "workload.branch", "branch name"),
    ("branch: develop", "branch: develop\n    commit: ABC", "workload.commit", "40 lower-case hex"),
    ("composeFile: docker", "composeFile: ../docker", "workload.composeFile", "below the directory"),
    ("envFile: .env", "envFile: /etc/.env", "workload.envFile", "below the directory"),
    ("project: tsh_erp_staging", "project: TSH", "workload.project", "compose project"),
    ("images: build", "images: maybe", "workload.images", "'build' or 'pull'"),
    ("port: 8002", "port: 3001", "workload.routes", "each port once: 3001"),
    ("port: 8002", "port: 443", "workload.routes", "the proxy has it"),
    ("port: 8002", "port: 65536", "workload.routes.1.port", "up to 65535"),
    ("port: 8002", "port: -1", "workload.routes.1.port", "from 1"),
    ("port: 8002", 'port: "8002"', "workload.routes.1.port", "whole number"),
    ("path: /*,", "path: /tds-admin*,", "workload.routes", "each path once"),
    ("path: /*,", "path: '*',", "workload.routes.1.path", "/*"),
    ("health: [/health", "health: ['http://169.254.169.254/'", "workload.health.0", "path such as /health"),
    ("path: logs/staging, owner", "path: ../logs, owner", "workload.directories.0.path", "below"),
    ("source: generated, length: 64", "source: generated, length: 8", "secrets.SECRET_KEY.length", "from 24"),
    (
        "SECRET_KEY: {source: generated, length: 64}",
        "SECRET_KEY: {source: safe}",
        "secrets.SECRET_KEY.source",
        "config",
    ),
    ("{source: generated, length: 64}", "{source: vault}", "secrets.SECRET_KEY", "a path such as"),
    ("{source: generated, length: 64}", "{source: vault, path: nowhere}", "secrets.SECRET_KEY.path", "text like"),
    ("{source: generated, length: 64}", "{source: aws, path: a/b}", "secrets.SECRET_KEY", "an id with source aws"),
    ("{source: generated, length: 64}", "{source: config, key: A}", "secrets.SECRET_KEY", "aws or vault only"),
    ("{source: generated, length: 64}", "{source: config, length: 64}", "secrets.SECRET_KEY", "generated only"),
    ("{source: generated, length: 64}", "{source: config, generation: 2}", "secrets.SECRET_KEY", "generated only"),
    ("{source: generated, length: 64}", "{source: generated, pattern: a}", "secrets.SECRET_KEY", "no pattern"),
    ("{source: generated, length: 64}", "{source: config, pattern: '('}", "secrets.SECRET_KEY.pattern", "expression"),
    ("{source: generated, length: 64}", "{source: config, alphabet: x}", "secrets.SECRET_KEY.alphabet", "'hex'"),
    ("ENVIRONMENT: staging", "ENVIRONMENT: <CHANGE_ME_ENVIRONMENT>", "environment.ENVIRONMENT", "the value itself"),
    (
        "{source: generated, length: 64}",
        '{source: generated, database: {service: db, role: "{{ SECRET_KEY }}", name: x}}',
        "secrets.SECRET_KEY.database.role",
        "of environment",
    ),
    (
        'role: "{{ POSTGRES_USER }}", name: "{{ POSTGRES_DB }}"}\n    directories',
        'role: "{{ SECRET_KEY }}", name: x}\n    directories',
        "workload.migrations.version.role",
        "of environment",
    ),
    (
        'name: "{{ POSTGRES_DB }}"}\n    directories',
        'name: x, table: "a; b"}\n    directories',
        "workload.migrations.version.table",
        "text like",
    ),
    ("    POSTGRES_DB: tsh", "    postgres-db: tsh", "environment", "DATABASE_URL"),
    ("ENVIRONMENT: staging", 'ENVIRONMENT: "{% x %}"', "environment.ENVIRONMENT", "{{ NAME | url }} only"),
    ("ENVIRONMENT: staging", 'ENVIRONMENT: "{{ self.__class__ }}"', "environment.ENVIRONMENT", "only"),
    ("ENVIRONMENT: staging", 'ENVIRONMENT: "{{ NOBODY }}"', "environment.ENVIRONMENT", "a name under secrets"),
    ("ENVIRONMENT: staging", 'ENVIRONMENT: "{{ DATABASE_URL }}"', "environment.ENVIRONMENT", "a name under secrets"),
    ("ENVIRONMENT: staging", 'ENVIRONMENT: ["x", "{{ NOBODY }}"]', "environment.ENVIRONMENT", "a name under secrets"),
    ("ENVIRONMENT: staging", 'ENVIRONMENT: "a\\0b"', "environment.ENVIRONMENT", "a variable can hold"),
    (
        "ENVIRONMENT: staging",
        'ENVIRONMENT: "{{ LOG_LEVEL }}-{{ SECRET_KEY }}-{{ RELEASE_TAG }}"',
        "environment.ENVIRONMENT",
        "a variable for each",
    ),
    (
        'name: "{{ POSTGRES_DB }}"}\n    directories',
        'name: "{{ RELEASE_TAG }}"}\n    directories',
        "workload.migrations.version.name",
        "of environment",
    ),
    ("    LOG_LEVEL: INFO", "    SECRET_KEY: x", "(settings)", "either in environment or in secrets"),
    ("greenroom:cloud: local", "greenroom:cloud: aws", "cloud", "'digitalocean' or 'local'"),
    ("image: debian-13-x64", "image: debian-13-x64\n    reservedIp: 1.2.3.4", "(settings)", "reservedIp"),
    ("image: debian-13-x64", "image: debian-13-x64\n    reservedIp: example", "droplet.reservedIp", "IPv4"),
    ("acceptance: examples", "acceptance: nowhere", "acceptance", "a file in the repository"),
    ("tsh-erp: examples/tsh-erp", "tsh-erp: examples/none", "localCloud.publish.tsh-erp", "a directory"),
    ("greenroom:volume:", "greenroom:volumes:", "volumes", "did you mean volume"),
    ("greenroom:volume:", "greenrom:volume:", "greenrom:volume", "did you mean greenroom"),
    ("config:", "confg:", "confg", "did you mean config"),
    ("waivers:", "waivers:\n    - {check: docker-1, reason: too short}", "waivers.0.reason", "12 characters"),
    ("waivers:", "waivers:\n    - {check: docker-1, reason: long enough now}", "waivers.0.until", "a value"),
    ("waivers:", "waivers:\n    - {check: cis-1, reason: long enough now}", "waivers.0.check", "docker|debian"),
    (
        "waivers:",
        'waivers:\n    - {check: docker-1, reason: long enough now, until: "2027-02-30"}',
        "waivers.0.until",
        "a day such as",
    ),
    (
        "waivers:",
        "waivers:\n    - {check: docker-1, reason: long enough now, until: 2027-02-28}",
        "waivers.0.until",
        'quoted: "2027-02-28"',
    ),
    (
        "waivers:",
        'waivers:\n    - {check: docker-2.9, reason: long enough now, until: "2027-02-28"}',
        "waivers",
        "each check once: docker-2.9",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"), SETTINGS, ids=[f"{key}={new[:24]}" for _, new, key, _ in SETTINGS]
)
def test_a_bad_setting_is_named_with_what_was_expected(
    tmp_path: Path, old: str, new: str, key: str, expected: str
) -> None:
    assert old in GOOD
    error = refuse(tmp_path, GOOD.replace(old, new, 1))
    matching = [each for each in error.problems if each.key.removeprefix("config.greenroom:").endswith(key)]
    assert matching, str(error)
    assert any(expected in each.expected for each in matching), str(error)
    assert all(each.where.startswith("Pulumi.local.yaml") for each in error.problems)


def test_a_problem_points_to_its_line(tmp_path: Path) -> None:
    error = refuse(tmp_path, GOOD.replace("region: fra1", "region: fra9"))
    line = next(number for number, text in enumerate(GOOD.splitlines(), 1) if "region: fra1" in text)
    assert error.problems[0].where == f"Pulumi.local.yaml:{line}"


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("fra1", "fra9").replace("port: 8002", "port: 0").replace("cidr: 10.20", "cidr: 11.20")
    assert len(refuse(tmp_path, text.replace("protect: false", "protect: on")).problems) == 4


SHAPES = [
    (b"", "no settings"),
    (b"# only a comment\n", "no settings"),
    (b"\xef\xbb\xbfconfig: {}\n", "a byte order mark"),
    (b"config:\n\ta: 1\n", "token"),
    (b"config: \x00\n", "NUL"),
    (b"config: \xff\n", "no UTF-8"),
    (b"a: &a [1]\nconfig: *a\n", "an alias"),
    (b"config:\n  greenroom:domain: a\n  greenroom:domain: b\n", "twice"),
    (b"config: {}\n---\nconfig: {}\n", "second document"),
    (b"config: !!python/object:os.system {}\n", "the tag tag:yaml.org,2002:python/object"),
    (b"config:\n  greenroom:domain: !!python/name:os.system x\n", "the tag"),
    (b"- a\n- b\n", "no map at the top"),
    (b"config: text\n", "no settings"),
    (b"config:\n  <<: {greenroom:domain: x}\n", "no plain name"),
    (b"config:\n  ? [a]\n  : b\n", "no plain name"),
    (b"config: [\n", "expected"),
    (b"x" * 2_000_000, "bytes"),
    (b"config:\n" + b"".join(b"  greenroom:k%d: 1\n" % n for n in range(10_000)), "too much"),
    (b"config: " + b"{a: " * 1_000 + b"1" + b"}" * 1_000, "too much"),
    (b"config: " + b"[" * 30 + b"]" * 30, "too much"),
]


@pytest.mark.parametrize(("content", "found"), SHAPES, ids=[found for _, found in SHAPES])
def test_a_file_of_a_bad_shape_is_refused_in_words(tmp_path: Path, content: bytes, found: str) -> None:
    error = refuse(tmp_path, content)
    assert any(found in problem.found for problem in error.problems), str(error)[:400]


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Pulumi\.nowhere\.yaml"):
        load_file(tmp_path / "Pulumi.nowhere.yaml", root=ROOT)


def test_a_secret_in_plain_text_is_refused_without_showing_it(tmp_path: Path) -> None:
    text = GOOD.replace("RESEND_API_KEY: {source: generated}", "RESEND_API_KEY: {source: config}")
    error = refuse(tmp_path, text + "  greenroom:RESEND_API_KEY: plain-canary-value\n")
    assert "plain-canary-value" not in str(error)
    assert "greenroom secrets set RESEND_API_KEY" in str(error)


def test_a_secret_that_nobody_declared_is_refused(tmp_path: Path) -> None:
    error = refuse(tmp_path, GOOD + "  greenroom:OTHER_KEY:\n    secure: v1:abc:def\n")
    assert [problem.key for problem in error.problems] == ["OTHER_KEY"]


def as_engine_config(text: str) -> dict[str, str]:
    values: dict[str, Any] = yaml.safe_load(text)["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def test_the_program_sees_the_same_settings_as_the_command_line() -> None:
    from_engine = load_config(as_engine_config(GOOD), stack="local", root=ROOT)
    assert from_engine == load_file(ROOT / "Pulumi.local.yaml", root=ROOT)


def test_the_program_s_errors_point_into_the_file_too() -> None:
    config = as_engine_config(GOOD.replace("region: fra1", "region: fra9"))
    with pytest.raises(ConfigurationError, match=r"Pulumi\.local\.yaml:\d+: droplet\.region: 'fra9'"):
        load_config(config, stack="local", root=ROOT)


def test_the_catalogue_has_what_the_stacks_name() -> None:
    assert {"fra1", "nyc3"} <= set(catalogue().regions)
    assert catalogue().sizes["s-2vcpu-4gb"].memory_mib == 4096


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_raise(content: bytes) -> None:
    read_document("x.yaml", content)


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_substituted_value_is_never_a_template_again(value: str, around: str) -> None:
    text = "{{ NAME }}"
    assert substitute(text, {"NAME": value}) == value
    assert names_in(around.replace("{", "")) == []
