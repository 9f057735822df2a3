"""Errors inside `etl.source`, which refine those of `etl.errors`.

TransientError             A retry may succeed.
    Unreachable            The first request could not connect: host, port or proxy.
    MalformedResponse      A success status with a body of the wrong shape.
        NotApiResponse     Something other than the API answers.
            NotJson        An HTML or plain-text page.
RequestRefused
    NotOffered             Status 404, 405, 410 or 501, no JSON, or models in place of the list.
    LimitRefused           The requested page is too large.
SourceError
    TooLarge               The answer exceeds the size limit.
TokenRefused
    Forbidden              Status 403.
        InvalidPath        No URL can hold the id.
"""

from etl.errors import RequestRefused, SourceError, TokenRefused


class TransientError(Exception):
    """A failure that a retry may resolve; the message says what failed.

    `retry_after` is the pause in seconds that the server asks for. `advice` says what to do if all retries fail.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        advice: str = "check that it is up and reachable, then run again",
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.advice = advice


class Unreachable(TransientError):
    """The first request could not connect: unknown host, closed port or unreachable proxy.

    The message says what to check.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after=0.5)


class MalformedResponse(TransientError):
    """A success status with a body of the wrong shape."""


class NotApiResponse(MalformedResponse):
    """Something other than the API answers: a login page, a proxy, another service."""


class NotJson(NotApiResponse):
    """An HTML or plain-text page, as paths outside the API return."""


class NotOffered(RequestRefused):
    """The control plane does not offer this: status 404, 405, 410 or 501, no JSON, or models instead of the list."""


class Forbidden(TokenRefused):
    """Status 403: the token is valid, but may not read this."""


class InvalidPath(Forbidden):
    """The id contains half a surrogate pair, so no URL can request its records."""


class LimitRefused(RequestRefused):
    """The requested page is too large.

    `named` are the numbers in the answer, perhaps the maximum.
    """

    def __init__(self, message: str, *, status: int, body: str, named: tuple[int, ...]) -> None:
        super().__init__(message, status=status, body=body)
        self.named = named


class TooLarge(SourceError):
    """The answer exceeds the size limit."""
