"""The API of a control plane: find its prefix, read list pages and single records."""

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx

from etl.errors import NotAControlPlane, RequestRefused, SourceError, SourceUnavailable
from etl.setting_names import name_of
from etl.settings import Settings
from etl.source.completeness.page import Page
from etl.source.exceptions import (
    Forbidden,
    LimitRefused,
    MalformedResponse,
    NotApiResponse,
    NotJson,
    NotOffered,
    TooLarge,
)
from etl.source.fetch_pool import FetchPool
from etl.source.responses import parse_envelope, redactor
from etl.source.retry import Retry
from etl.source.throttle import Throttle
from etl.source.transport import Transport

PREFIXES = ("/api/ml/v1", "/api/svc/v1")
"""The documented prefix, and the prefix of control planes from version 0.157 on."""

# In a URL, dots name folders, and a lone surrogate cannot be encoded.
_NOT_IN_A_PATH = re.compile("\\.{1,2}|.*[\ud800-\udfff].*", re.DOTALL)

_log = logging.getLogger(__name__)

T = TypeVar("T")


def fits_in_path(record_id: str) -> bool:
    """Whether a URL can name the single record with this id."""
    return not _NOT_IN_A_PATH.fullmatch(record_id)


class Client:
    """Client for one control plane and one token; thread-safe. Call `discover` first."""

    def __init__(
        self,
        settings: Settings,
        token: str | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        """Raise ConfigError if the address, token, CA file or proxy cannot be used."""
        self.prefix = "/" + settings.api_prefix.strip("/") if settings.api_prefix else ""
        self._candidates = (self.prefix,) if self.prefix else PREFIXES
        self._secret = settings.token() if token is None else token
        self._host = settings.base_url()
        throttle = throttle or Throttle(settings.concurrency, settings.requests_per_second)
        self._transport = Transport(settings, self._secret, throttle, transport)
        self._retry = Retry(settings, throttle)
        self._worker = FetchPool(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.close()
        self._transport.close()

    def stop(self) -> None:
        """Send no further retries, and log none: the run has ended."""
        self._retry.stop()

    @property
    def requests(self) -> int:
        """Requests sent so far, including retries."""
        return self._transport.requests

    @property
    def retries(self) -> int:
        """Requests sent so far that were retries."""
        return self._retry.retries

    @property
    def bytes_received(self) -> int:
        """Bytes of response bodies as transferred, before any decompression."""
        return self._transport.bytes_received

    def redact(self, text: str) -> str:
        """The text without the token, in any encoding: messages may quote records that contain it."""
        return redactor(self._secret)(text)

    def discover(self) -> str:
        """Find the prefix where the API answers; remember and return it.

        Raises TokenRefused, NotAControlPlane, or SourceError if the control plane gives no valid answer.
        """
        forbidden: Forbidden | None = None
        for prefix in self._candidates:
            try:
                self._with_retry(partial(self._probe, f"{prefix}/models"))
            except NotAControlPlane:
                continue
            except SourceUnavailable as error:
                if not isinstance(error.__cause__, MalformedResponse):
                    raise
            except Forbidden as refusal:
                forbidden = forbidden or refusal
            else:
                self.prefix = prefix
                _log.info("the API of %s is at %s", self._host, prefix)
                return prefix
        raise forbidden or NotAControlPlane(
            f"{self._host} does not answer like a control plane below {' or '.join(self._candidates)}: "
            f"it may be a login page or another service; check {name_of('host')}, and {name_of('api_prefix')}."
        )

    def list_page(
        self, endpoint: str, filters: Sequence[tuple[str, str]], offset: int, limit: int, *, patient: bool = True
    ) -> Page:
        """Return one page of a list.

        Raises NotOffered for 404, 405, 410 and 501, and if a list of anything else contains models. A body that is not
        JSON raises it too: after all retries, or at once unless `patient`.
        """
        params = (*filters, ("offset", str(offset)), ("limit", str(limit)))
        content = self._get(f"{self.prefix}/{endpoint}", params, patient=patient)
        if endpoint != "models" and content["data"] and all(map(_is_model, content["data"])):
            raise NotOffered(f"{self.prefix}/{endpoint} answered with models.", status=HTTPStatus.OK)
        paging = content.get("pagination")
        paging = paging if isinstance(paging, dict) else {}
        return Page(
            offset=offset,
            asked=limit,
            records=content["data"],
            total=_whole(paging.get("total"), 0),
            limit=_whole(paging.get("limit"), 1),
        )

    def first_page(self, endpoint: str, filters: Sequence[tuple[str, str]], limit: int) -> Page:
        """Return the first page of a list, in a thread that signals do not interrupt. Raises as `list_page` does."""
        return self._worker.submit(partial(self.list_page, endpoint, filters, 0, limit)).result()

    def probe(self, endpoint: str, filters: Sequence[tuple[str, str]] = ()) -> None:
        """Request one record of a list that the control plane may not offer.

        Raises NotOffered or Forbidden if the list cannot be read, RequestRefused if this form of the request is not
        accepted.
        """
        # A server that rejects the limit, or whose record exceeds the size limit, does offer the list.
        with suppress(LimitRefused, TooLarge):
            self._worker.submit(partial(self.list_page, endpoint, filters, 0, 1, patient=False)).result()

    def get(self, endpoint: str, record_id: str) -> dict[str, Any] | None:
        """Return the record with this id, or None if the control plane has none."""
        path = f"{self.prefix}/{endpoint}/{quote(record_id, safe='')}"
        try:
            content = self._with_retry(partial(self._get_record, path))
        except RequestRefused as refusal:
            if refusal.status in {404, 410}:
                return None
            raise
        record: dict[str, Any] = content["data"]
        return record

    def _with_retry(self, request: Callable[[], T]) -> T:
        """Call with retries, in a thread that signals do not interrupt."""
        return self._worker.submit(partial(self._retry.call, request)).result()

    def _get_record(self, path: str) -> dict[str, Any]:
        """Return the envelope of one record.

        A malformed body raises SourceError without a retry: it is often an HTML page for a path outside the API.
        """
        try:
            return parse_envelope(self._transport.get(path), dict, self._secret)
        except MalformedResponse as error:
            raise SourceError(f"{error}: it offers no single records.") from error

    def _get(self, path: str, params: Sequence[tuple[str, str]], *, patient: bool) -> dict[str, Any]:
        def request() -> dict[str, Any]:
            try:
                return parse_envelope(self._transport.get(path, params), list, self._secret)
            except NotJson as error:
                if patient:
                    raise
                raise _not_offered(error) from error

        try:
            return self._retry.call(request)
        except SourceUnavailable as error:
            if isinstance(error.__cause__, NotJson):
                raise _not_offered(error.__cause__) from error
            raise

    def _probe(self, path: str) -> None:
        """Request one model. A wrong path answers 404 or, often, an HTML page: both are final."""
        try:
            parse_envelope(self._transport.get(path, (("offset", "0"), ("limit", "1"))), list, self._secret)
        except NotApiResponse as error:
            raise NotAControlPlane(str(error)) from error
        except NotOffered as refusal:
            raise NotAControlPlane(str(refusal)) from refusal


def _is_model(record: Any) -> bool:
    return isinstance(record, dict) and "latest_version" in record


def _not_offered(error: NotJson) -> NotOffered:
    return NotOffered(f"{error}.", status=HTTPStatus.OK)


def _whole(value: Any, least: int) -> int | None:
    """The value if it is an integer of at least `least`; servers also send other values."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= least else None
