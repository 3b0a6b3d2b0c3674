"""What clients are told when something beneath a handler fails; the log has the rest."""

import logging

from fastapi import FastAPI, Request, status
from fastapi.responses import JSONResponse
from psycopg.errors import UndefinedTable
from redis import RedisError
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError

log = logging.getLogger(__name__)


def _answer(code: int, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, code)


def _unavailable(request: Request, error: Exception, what: str) -> JSONResponse:
    log.error("%s %s: %s: %s", request.method, request.url.path, what, str(error).splitlines()[0])
    return _answer(status.HTTP_503_SERVICE_UNAVAILABLE, what)


def _no_database(request: Request, error: Exception) -> JSONResponse:
    return _unavailable(request, error, "The database can't be reached")


def _no_redis(request: Request, error: Exception) -> JSONResponse:
    return _unavailable(request, error, "The session store can't be reached")


def _bad_statement(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, ProgrammingError) and isinstance(error.orig, UndefinedTable):
        return _unavailable(request, error, "The database has no schema yet; see /ready")
    raise error


def _does_not_fit(_request: Request, _error: Exception) -> JSONResponse:
    return _answer(status.HTTP_422_UNPROCESSABLE_CONTENT, "A value does not fit its column")


def _conflict(_request: Request, _error: Exception) -> JSONResponse:
    return _answer(status.HTTP_409_CONFLICT, "Refers to something that is not there, or is there already")


def register(app: FastAPI) -> None:
    """Teach the application these answers."""
    app.add_exception_handler(OperationalError, _no_database)
    app.add_exception_handler(RedisError, _no_redis)
    app.add_exception_handler(ProgrammingError, _bad_statement)
    app.add_exception_handler(DataError, _does_not_fit)
    app.add_exception_handler(IntegrityError, _conflict)
