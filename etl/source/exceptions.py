"""Errors within `etl.source`, below those of `etl.errors` that leave it.

TransientError                another try may succeed
└── MalformedResponse         a success whose body is not what was asked for
    └── NotApiResponse        something other than the API answers
        └── NotJson           a page of HTML or plain text
RequestRefused
├── NotOffered                404, 405, 410, 501, or a page that is not JSON
└── LimitRefused              the page asked for is too large
SourceError
└── TooLarge                  the answer passes the size bound
TokenRefused
└── Forbidden                 403
    └── InvalidPath           no address can hold the id
"""

from etl.errors import RequestRefused, SourceError, TokenRefused


class TransientError(Exception):
    """A failure that another try may not have; the text says what failed.

    `retry_after` is the pause in seconds that the server asks for. `advice` says what to do if every try fails.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        advice: str = "see that it is up and reachable, then run again",
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.advice = advice


class MalformedResponse(TransientError):
    """A success whose body is not what was asked for."""


class NotApiResponse(MalformedResponse):
    """Something other than the API answers: a login page, a proxy, another service."""


class NotJson(NotApiResponse):
    """A page of HTML or plain text, as a path outside the API returns."""


class NotOffered(RequestRefused):
    """404, 405, 410, 501, or a page that is not JSON: the control plane does not offer what was asked for."""


class Forbidden(TokenRefused):
    """403: the token is valid, but must not read this."""


class InvalidPath(Forbidden):
    """An id holds half of a surrogate pair, which no address can: its records cannot be requested."""


class LimitRefused(RequestRefused):
    """The page asked for is too large; `named` are the numbers in the answer, perhaps the largest it allows."""

    def __init__(self, message: str, *, status: int, body: str, named: tuple[int, ...]) -> None:
        super().__init__(message, status=status, body=body)
        self.named = named


class TooLarge(SourceError):
    """The answer passes the size bound."""
