"""Get one ML repo without reading the list of all ML repos."""

from etl.errors import RequestRefused
from etl.records import Record, identity
from etl.source import Client, Forbidden, is_withheld

_LIMIT = 20
"""More ML repos than have the same name, even if the control plane compares only a part of it."""


def find_ml_repo(client: Client, ml_repo: str, name: str) -> Record | None:
    """Return the ML repo with this id and name, from one request; None if the list must be read.

    The API documents no request by id. The filter finds nothing if the ML repo was renamed, or if it is not applied.
    """
    try:
        page = client.first_page("ml-repos", (("name", name),), _LIMIT)
    except (Forbidden, RequestRefused) as refusal:
        if not is_withheld(refusal):
            raise
        return None
    of_id = (each for each in page.records if isinstance(each, dict) and identity(each.get("id")) == ml_repo)
    return next(of_id, None)
