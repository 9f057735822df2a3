"""The control plane, seen from here: all that speaks HTTP, and the proof that a listing was read whole.

wire     httpx, and nothing else that knows of it: one GET, bounded in time and size
answer   status and body become the parsed envelope, or one of our errors
pace     how fast all workers together ask: when, how many requests at once, how many a second
retry    the one function that tries again, and has all workers wait meanwhile
client   the API: prefix, listings, single records
ids      which records were seen, in eight bytes each
paging   pure: which page to ask for next, and whether what came proves a complete sweep
pool     daemon threads that fetch, ahead and out of the reach of signals
reading  several sweeps of one listing, pages in order, fetched ahead in parallel
"""

from etl.source.client import Client
from etl.source.completeness.page import Page
from etl.source.exceptions import Forbidden, NotOffered
from etl.source.listing import Listing, ListingRead, ListingReader
from etl.source.offered import Refusal, is_withheld, refusal_of_versions, why

__all__ = [
    "Client",
    "Forbidden",
    "Listing",
    "ListingRead",
    "ListingReader",
    "NotOffered",
    "Page",
    "Refusal",
    "is_withheld",
    "refusal_of_versions",
    "why",
]
