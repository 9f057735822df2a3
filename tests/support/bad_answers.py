"""Bad responses of a simulated control plane, and the expected result of a run."""

from dataclasses import dataclass

AS_BEFORE = "as before"
NEW = "the new state"
PARTIAL_STATE = "the part of the new state that was read, nothing deleted"


@dataclass(frozen=True)
class BadAnswer:
    """Faults of the simulator, and the expected end of the run and content of the database.

    `requests` is the maximum number of requests; `timeout` is in seconds for each request.
    """

    name: str
    duration: str
    faults: tuple[str, ...]
    does: str
    exit_code: int
    holds: str
    requests: int
    timeout: float


def _always(name: str, fault: str, does: str, ends: tuple[int, str, int], timeout: float = 10.0) -> BadAnswer:
    return BadAnswer(name, "always", (fault,), does, *ends, timeout)


def _transient(name: str, *faults: str, does: str = "retries", requests: int = 20, timeout: float = 10.0) -> BadAnswer:
    return BadAnswer(name, "transient", faults, does, 0, NEW, requests, timeout)


_GIVES_UP = "retries, then gives up"

BAD_ANSWERS = (
    _always("429, Retry-After in seconds", "rate_limit:0.2", _GIVES_UP, (1, AS_BEFORE, 3)),
    _always("429 without Retry-After", "rate_limit:none", _GIVES_UP, (1, AS_BEFORE, 3)),
    _always("500", "flaky_500", _GIVES_UP, (1, AS_BEFORE, 3)),
    _always("503 for versions", "flaky_500:503,endpoint=model-versions", _GIVES_UP, (1, AS_BEFORE, 20)),
    _always("connection reset", "reset", _GIVES_UP, (1, AS_BEFORE, 3)),
    _always("reset inside the body", "reset_inside,endpoint=ml-repos", _GIVES_UP, (1, AS_BEFORE, 4)),
    _always("body cut short", "truncated_body,endpoint=ml-repos", _GIVES_UP, (1, AS_BEFORE, 4)),
    _always("truncated JSON", "bad_json,endpoint=ml-repos", _GIVES_UP, (1, AS_BEFORE, 4)),
    _always("later than the timeout", "slow:2,endpoint=ml-repos", _GIVES_UP, (1, AS_BEFORE, 4), timeout=0.5),
    _always("body that stalls", "stall,endpoint=ml-repos", _GIVES_UP, (1, AS_BEFORE, 4), timeout=0.5),
    _always("body that drips", "drip,endpoint=ml-repos", _GIVES_UP, (1, AS_BEFORE, 4), timeout=0.3),
    _always("endless interim answers", "endless:interim,endpoint=ml-repos", _GIVES_UP, (1, AS_BEFORE, 4), timeout=0.3),
    _always("endless chunk size", "endless:chunk,endpoint=ml-repos", _GIVES_UP, (1, AS_BEFORE, 4), timeout=0.3),
    _always("gzip that breaks", "broken_gzip,endpoint=ml-repos", _GIVES_UP, (1, AS_BEFORE, 4)),
    _always("JSON 10,000 levels deep", "deep_body,endpoint=ml-repos", _GIVES_UP, (1, AS_BEFORE, 4)),
    _always("body of 1 GB", "huge_body,endpoint=ml-repos", "requests smaller pages, then gives up", (1, AS_BEFORE, 4)),
    _always("gzip of 1 GB", "gzip_bomb,endpoint=ml-repos", "requests smaller pages, then gives up", (1, AS_BEFORE, 4)),
    _always("HTML page with 200", "html_page", "stops: not a control plane", (2, AS_BEFORE, 2)),
    _always("HTML page for models", "html_page,endpoint=models", "stops: not a control plane", (2, AS_BEFORE, 2)),
    _always("redirect to another host", "redirect", "stops, sends no token there", (2, AS_BEFORE, 1)),
    _always("redirect of ML repos", "redirect,endpoint=ml-repos", "stops, sends no token there", (2, AS_BEFORE, 2)),
    _always("token expires midway", "expired_token_after:3", "stops: give a valid token", (2, AS_BEFORE, 7)),
    _always("models forbidden", "forbid:models", "stops: grant the permission", (2, AS_BEFORE, 2)),
    _always("ML repos forbidden", "forbid:ml-repos", "continues without the list", (3, PARTIAL_STATE, 20)),
    _always("versions forbidden", "forbid:model-versions", "copies latest versions only", (3, PARTIAL_STATE, 20)),
    _always("versions of the tenant forbidden", "forbid_unfiltered", "reads each ML repo separately", (0, NEW, 25)),
    _always("valid JSON, declared as HTML", "wrong_type:text/html", "reads it", (0, NEW, 16)),
    _always("pages longer than requested", "long_pages", "reads them", (0, NEW, 16)),
    _always("record 10,000 levels deep", "deep_record,endpoint=models", "rejects it, stores the rest", (3, NEW, 16)),
    _always("`total` missing", "no_total", "reads twice, and both agree", (0, NEW, 60)),
    _always("`total` zero", "total_is:0", "reads twice, and both agree", (0, NEW, 60)),
    _always("`total` negative", "total_is:-1", "reads twice, and both agree", (0, NEW, 60)),
    _always("`total` a string", 'total_is:"12"', "reads twice, and both agree", (0, NEW, 60)),
    _always("`total` one too small", "wrong_total:-1", "reads twice, and both agree", (0, NEW, 60)),
    _always("`total` one too large", "wrong_total:1", "reads twice, and both agree", (0, NEW, 60)),
    _always("`total` far too large", "wrong_total:1000000", "reads twice, and both agree", (0, NEW, 200)),
    _always("empty pages after the first", "empty_page,endpoint=models", "reports it", (3, PARTIAL_STATE, 60)),
    _always("the same page forever", "same_page,endpoint=models", "reports it", (3, PARTIAL_STATE, 60)),
    _transient("429, Retry-After in seconds", "rate_limit:0.2,every=4,times=2", does="waits, retries"),
    _transient("429, Retry-After as a date", "rate_limit:date,every=4,times=1", does="waits, retries"),
    _transient("429 without Retry-After", "rate_limit:none,every=4,times=2"),
    _transient("500, 502", "flaky_500:500,every=4,times=1", "flaky_500:502,every=6,times=1"),
    _transient("503, 504", "flaky_500:503,every=4,times=1", "flaky_500:504,every=6,times=1"),
    _transient("connection reset", "reset,every=4,times=2"),
    _transient("reset inside the body", "reset_inside,every=4,times=2"),
    _transient("body cut short", "truncated_body,every=4,times=2"),
    _transient("truncated JSON", "bad_json,every=4,times=2"),
    _transient("later than the timeout", "slow:2,every=4,times=1", timeout=0.5),
    _transient("body that stalls", "stall,every=4,times=1", timeout=0.5),
    _transient("gzip that breaks", "broken_gzip,every=4,times=2"),
    _transient("JSON 10,000 levels deep", "deep_body,every=4,times=2"),
    _transient("HTML page with 200", "html_page,every=4,times=2"),
    _transient("body of 1 GB", "huge_body,every=4,times=1", does="requests smaller pages", requests=80),
    _transient("an empty page", "empty_page,endpoint=models,every=3,times=1", does="reads again", requests=30),
    _transient("the same page again", "same_page,endpoint=models,every=3,times=1", does="reads again", requests=30),
    _transient("`total` one too large", "wrong_total:1,every=4,times=1", does="reads again", requests=30),
)
