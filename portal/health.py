"""Whether this process can do its work, for load balancers and monitoring."""

from flask import Blueprint
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portal.context import current

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> tuple[str, int, dict[str, str]]:
    """200 "ok" when the database answers, else 503."""
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    try:
        with current().database.read() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return "the database does not answer\n", 503, plain
    return "ok\n", 200, plain
