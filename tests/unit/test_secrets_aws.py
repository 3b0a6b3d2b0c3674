"""AWS Secrets Manager, asked by its real client: moto's server on loopback.

Two refusals that moto does not know (an expired token, a key that may not be used) are answered as the service
documents them, by a small server.
"""

from __future__ import annotations

import socket
import time

import pytest
from secretservers import Counting, serving

from infra.errors import ConfigurationError
from infra.secret import Rule, SecretError, gather
from infra.secret.aws import AwsPlace, AwsSource

# boto's vendored requests and moto's Flask warn of themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_aws_gives_keys_and_whole_texts_with_one_call_for_each_secret(aws: Counting) -> None:
    places = {f"KEY_{n}": AwsPlace("tsh-erp/staging", "RESEND_API_KEY") for n in range(20)}
    source = AwsSource({**places, "WHOLE": AwsPlace("plain")})
    found = gather(dict.fromkeys([*places, "WHOLE"], Rule()), dict.fromkeys([*places, "WHOLE"], source))

    assert found["KEY_7"].reveal() == "re_canary_1234567"
    assert found["WHOLE"].reveal() == "a whole text of canary-2"
    assert found["WHOLE"].changed is not None
    assert aws.seen == ["secretsmanager.GetSecretValue"] * 2


AWS_REFUSALS = [
    (AwsPlace("nowhere"), "NOT_FOUND", "aws secretsmanager list-secrets"),
    (AwsPlace("doomed"), "NOT_FOUND", "aws secretsmanager list-secrets"),
    (AwsPlace("bytes"), "NO_TEXT", "--query VersionId"),
    (AwsPlace("plain", "KEY"), "NO_SUCH_KEY", "--secret-id plain"),
    (AwsPlace("tsh-erp/staging", "RESEND"), "NO_SUCH_KEY", "--secret-id tsh-erp/staging"),
    (AwsPlace("tsh-erp/staging", "NUMBER"), "NO_TEXT", "--secret-id tsh-erp/staging"),
]


@pytest.mark.parametrize(("place", "reason", "hint"), AWS_REFUSALS, ids=[str(each[0]) for each in AWS_REFUSALS])
def test_each_refusal_of_aws_has_its_reason(aws: Counting, place: AwsPlace, reason: str, hint: str) -> None:
    del aws
    with pytest.raises(SecretError) as caught:
        AwsSource({"NAME": place}).read("NAME")
    assert (caught.value.name, caught.value.reason) == ("NAME", reason)
    assert hint in caught.value.hint
    assert "canary" not in str(caught.value)


DOCUMENTED = [
    ("ExpiredTokenException", "CREDENTIALS_EXPIRED", "aws sso login"),
    ("AccessDeniedException", "ACCESS_DENIED", "get-secret-value"),
    ("DecryptionFailure", "ACCESS_DENIED", "get-secret-value"),
    ("UnrecognizedClientException", "ACCESS_DENIED", "get-secret-value"),
    ("ThrottlingException", "UNREACHABLE", "get-secret-value"),
]


@pytest.mark.parametrize(("code", "reason", "hint"), DOCUMENTED, ids=[each[0] for each in DOCUMENTED])
@pytest.mark.usefixtures("aws")
def test_refusals_that_moto_does_not_know_are_told_as_documented(
    monkeypatch: pytest.MonkeyPatch, code: str, reason: str, hint: str
) -> None:
    with serving(Counting(answer=(400, {"__type": code, "message": "no"}))) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url)
        with pytest.raises(SecretError) as caught:
            AwsSource({"NAME": AwsPlace("plain")}).read("NAME")
        assert len(server.seen) == (3 if code == "ThrottlingException" else 1), "three tries, and only where it helps"
    assert caught.value.reason == reason
    assert hint in caught.value.hint


@pytest.mark.usefixtures("aws")
def test_aws_that_does_not_answer_is_given_up_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", f"http://127.0.0.1:{port}")
    names = [f"N{number}" for number in range(12)]
    source = AwsSource(dict.fromkeys(names, AwsPlace("plain")))
    began = time.monotonic()
    with pytest.raises(ConfigurationError) as caught:
        gather(dict.fromkeys(names, Rule()), dict.fromkeys(names, source))
    assert [each.key for each in caught.value.problems] == names
    assert all("[UNREACHABLE]" in each.found for each in caught.value.problems)
    assert time.monotonic() - began < 12


@pytest.mark.parametrize(
    ("unset", "reason"), [("AWS_REGION", "NOT_CONFIGURED"), ("AWS_ACCESS_KEY_ID", "NO_CREDENTIALS")]
)
@pytest.mark.usefixtures("aws")
def test_aws_without_region_or_credentials_says_so(monkeypatch: pytest.MonkeyPatch, unset: str, reason: str) -> None:
    monkeypatch.delenv(unset)
    if unset == "AWS_ACCESS_KEY_ID":
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SecretError) as caught:
        AwsSource({"NAME": AwsPlace("plain")}).read("NAME")
    assert caught.value.reason == reason
