"""AWS Secrets Manager, by boto3: region, credentials and endpoint come from that client's usual environment.

One `GetSecretValue` for each secret id. Loaded by stacks that use it only: boto3 takes as long to import as the SDK.
"""

from __future__ import annotations

__all__ = ["AwsPlace", "AwsSource"]

import json
import os
import shlex
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from infra.secret.shelf import Bundle, Refusal
from infra.secret.shelved import ShelvedSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.secret.sources import Reason

CONNECT_S, READ_S, ATTEMPTS = 3, 5, 3
WHOLE = ""
"""The key under which a bundle holds the secret's whole text."""

_CODES: dict[str, tuple[Reason, str]] = {
    "ResourceNotFoundException": ("NOT_FOUND", "there is no secret {id}"),
    "InvalidRequestException": ("NOT_FOUND", "the secret {id} has no current value, or is marked for deletion"),
    "AccessDeniedException": ("ACCESS_DENIED", "the caller may not read {id}"),
    "DecryptionFailure": ("ACCESS_DENIED", "the caller may not use the key that encrypts {id}"),
    "UnrecognizedClientException": ("ACCESS_DENIED", "AWS does not know the credentials"),
    "InvalidClientTokenId": ("ACCESS_DENIED", "AWS does not know the credentials"),
    "InvalidSignatureException": ("ACCESS_DENIED", "AWS refuses the signature: wrong secret key, or a wrong clock"),
    "ExpiredTokenException": ("CREDENTIALS_EXPIRED", "the session's token has expired"),
    "ExpiredToken": ("CREDENTIALS_EXPIRED", "the session's token has expired"),
}


@dataclass(frozen=True)
class AwsPlace:
    """Where one secret is: the id of an AWS secret, and a key in it or nothing for the whole text."""

    id: str
    key: str | None = None


class AwsSource(ShelvedSource[AwsPlace]):
    """The secrets of one stack that lie in AWS Secrets Manager."""

    @property
    def where(self) -> str:
        """Name the source."""
        return "AWS Secrets Manager"

    def advice(self, name: str) -> str:
        """Name the command that puts a new value there, read from a file that only its owner sees."""
        place = self._places[name]
        what = f"   # its key {place.key}" if place.key else ""
        return f"aws secretsmanager put-secret-value --secret-id {shlex.quote(place.id)} --secret-string file://…{what}"

    @cached_property
    def _client(self) -> Any:
        import boto3  # noqa: PLC0415 (see the module docstring)
        from botocore.config import Config  # noqa: PLC0415

        retries = {"mode": "standard", "total_max_attempts": ATTEMPTS}
        config = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries=retries)
        region = os.environ.get("AWS_REGION")  # boto3 reads AWS_DEFAULT_REGION alone; the other SDKs and CI this one
        return cast("Any", boto3).session.Session(region_name=region).client("secretsmanager", config=config)

    def _bundle_of(self, place: AwsPlace) -> str:
        return place.id

    def _fetch(self, bundle: str) -> Bundle:
        from botocore import exceptions  # noqa: PLC0415

        try:
            answer = self._client.get_secret_value(SecretId=bundle)
        except exceptions.ClientError as error:
            raise _refused(bundle, error.response) from error
        except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
            raise Refusal("NO_CREDENTIALS", "no AWS credentials in the environment", "aws configure sso") from error
        except (exceptions.TokenRetrievalError, exceptions.SSOError) as error:
            raise Refusal("CREDENTIALS_EXPIRED", "the single sign-on has expired", "aws sso login") from error
        except exceptions.NoRegionError as error:
            raise Refusal("NOT_CONFIGURED", "no AWS region is set", "export AWS_REGION=eu-central-1") from error
        except exceptions.BotoCoreError as error:
            why = f"no answer from AWS after {ATTEMPTS} tries ({type(error).__name__})"
            raise Refusal("UNREACHABLE", why, _try(bundle)) from error
        return _bundle(bundle, answer)

    def _pick(self, bundle: Bundle, place: AwsPlace) -> str:
        value = bundle.texts.get(place.key or WHOLE)
        if value is None:
            keys = ", ".join(sorted(key for key in bundle.texts if key)) or "none: it is no JSON object"
            raise Refusal("NO_SUCH_KEY", f"{place.id} has no key {place.key}; it has {keys}", _try(place.id))
        if not isinstance(value, str):
            raise Refusal("NO_TEXT", f"the key {place.key} of {place.id} is no text", _try(place.id))
        return value


def _refused(place: str, response: Any) -> Refusal:
    code = str(response["Error"]["Code"])
    reason, words = _CODES.get(code, ("UNREACHABLE", f"AWS answered {code}"))
    hints = {"NOT_FOUND": "aws secretsmanager list-secrets", "CREDENTIALS_EXPIRED": "aws sso login"}
    return Refusal(reason, words.format(id=place), hints.get(reason, _try(place)))


def _try(place: str) -> str:
    """Give the command that asks the same of AWS and prints no value."""
    return f"aws secretsmanager get-secret-value --secret-id {shlex.quote(place)} --query VersionId"


def _bundle(place: str, answer: Mapping[str, Any]) -> Bundle:
    text = answer.get("SecretString")
    if text is None:
        raise Refusal("NO_TEXT", f"{place} holds bytes, not text", _try(place))
    try:
        parsed: Any = json.loads(text)
    except ValueError:
        parsed = None
    keys = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    return Bundle({**keys, WHOLE: text}, answer.get("CreatedDate"))
