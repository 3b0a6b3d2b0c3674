"""The link to Zoho, where customers come from: does Zoho take the credentials of this stack: /api/integrations."""

import json
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from fastapi import APIRouter
from pydantic import BaseModel

from erp.access import AppSettings, CurrentManager
from erp.settings import Settings

TIMEOUT_S = 10

router = APIRouter(prefix="/api/integrations", tags=["integrations"])


class ZohoCheck(BaseModel):
    """What Zoho said to the credentials; never what they are."""

    accepted: bool
    detail: str
    organization_id: str


def refresh_access(settings: Settings) -> tuple[bool, str]:
    """Trade the refresh token for an access token, which is thrown away: only the answer's kind is of interest."""
    form = urlencode(
        {
            "grant_type": "refresh_token",
            "client_id": settings.zoho_client_id.get_secret_value(),
            "client_secret": settings.zoho_client_secret.get_secret_value(),
            "refresh_token": settings.zoho_refresh_token.get_secret_value(),
        }
    )
    url = f"{settings.zoho_accounts_url.rstrip('/')}/oauth/v2/token"
    request = Request(url, data=form.encode(), method="POST")  # noqa: S310 the address is the operator's setting
    try:
        with urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310 see above
            answer: dict[str, Any] = json.load(response)
    except HTTPError as error:
        return False, f"HTTP {error.code} {HTTPStatus(error.code).phrase}"
    except (URLError, TimeoutError) as error:
        return False, f"Not reachable: {error}"
    except ValueError:
        return False, "Answer is no JSON"
    # Zoho answers refusals with 200 and an `error` field.
    if "access_token" in answer:
        return True, "Accepted"
    return False, f"Refused: {answer.get('error', 'no reason given')}"


@router.post("/zoho/check")
def check_zoho(_manager: CurrentManager, settings: AppSettings) -> ZohoCheck:
    """Ask Zoho whether it takes the credentials of this stack."""
    accepted, detail = refresh_access(settings)
    organization = settings.zoho_organization_id.get_secret_value()
    return ZohoCheck(accepted=accepted, detail=detail, organization_id=organization)
