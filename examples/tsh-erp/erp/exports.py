"""CSV files of lists, kept in the upload directory until they are fetched: who may see the rows may fetch the file."""

import csv
import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, HTTPException, status
from fastapi.responses import FileResponse
from pydantic import BaseModel

from erp.access import AppSettings, CurrentUser, forbidden, not_found

NAME = re.compile(r"(?:transfers|commissions)-(?P<owner>\d+|all)-[0-9a-f]{12}\.csv")
PREFIX = "/api/bff/salesperson/exports"

router = APIRouter(prefix=PREFIX, tags=["exports"])


class Export(BaseModel):
    """Where an export can be fetched, and what is in it."""

    filename: str
    format: str = "csv"
    rows: int
    size_bytes: int
    sha256: str
    url: str


def _cell(value: Any) -> Any:
    # A spreadsheet would run a text that starts like a formula.
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def write(directory: Path, kind: str, owner: int | None, columns: Sequence[str], rows: Iterable[object]) -> Export:
    """Write the attributes named by `columns` of each row into a new file; 503 when the directory takes none."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([_cell(getattr(row, column)) for column in columns])
        count += 1
    content = text.getvalue().encode()
    name = f"{kind}-{'all' if owner is None else owner}-{uuid4().hex[:12]}.csv"
    try:
        (directory / "exports").mkdir(exist_ok=True)
        (directory / "exports" / name).write_bytes(content)
    except OSError as error:
        detail = f"The upload directory takes no files: {error.strerror}"
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, detail) from error
    return Export(
        filename=name,
        rows=count,
        size_bytes=len(content),
        sha256=sha256(content).hexdigest(),
        url=f"{PREFIX}/{name}",
    )


@router.get("/{name}")
def fetch(name: str, user: CurrentUser, settings: AppSettings) -> FileResponse:
    """Fetch an export: one's own, and for managers any."""
    match = NAME.fullmatch(name)
    if match is None:
        raise not_found("Export")
    if not user.is_manager and match["owner"] != str(user.id):
        raise forbidden("You may fetch only your own exports")
    path = settings.upload_directory / "exports" / name
    if not path.is_file():
        raise not_found("Export")
    return FileResponse(path, media_type="text/csv", filename=name)
