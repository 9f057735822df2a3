"""The HTTP client of the control plane, and the proof that a list was read completely.

`exceptions`         Errors inside this package.
`responses`          Parse status and body into the JSON envelope, or raise one of our errors.
`throttle`           Limits for all workers: pauses, requests at the same time, requests per second.
`deadline`           A time limit for a whole exchange.
`size_limits`        Limits on the size of an answer, and the memory of its JSON.
`transport`          One GET through httpx, limited in time and size.
`unreachable`        Explain why no connection could be made.
`retry`              Retry transient failures, and pause all workers between tries.
`client`             The API: prefix, list pages, single records. Tests pass it an httpx transport.
`list_availability`  Which lists the control plane offers this token.
`completeness`       Pure: which page to request next, and whether the pages prove a complete sweep.
`fetch_pool`         Daemon threads that fetch pages ahead and that signals do not interrupt.
`listing`            Read a list: pages in order, fetched in parallel, in several sweeps if needed.
"""

from etl.source.client import Client, fits_in_path
from etl.source.completeness.page import Page
from etl.source.exceptions import Forbidden, NotOffered
from etl.source.list_availability import Refusal, explain_refusal, is_withheld, refusal_of_versions
from etl.source.listing import Listing, ListingRead, ListingReader

__all__ = [
    "Client",
    "Forbidden",
    "Listing",
    "ListingRead",
    "ListingReader",
    "NotOffered",
    "Page",
    "Refusal",
    "explain_refusal",
    "fits_in_path",
    "is_withheld",
    "refusal_of_versions",
]
