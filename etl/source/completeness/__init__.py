"""Pure: decide whether the pages of a list prove that no record was missed.

`page`        One page, as received.
`sweep`       One pass over a list: which page to request next, and the proof.
`gap_repair`  How to complete a sweep where the list changed between two pages.
`sort_order`  The sort order of a list, inferred from its pages.
`id_set`      The ids of a sweep, eight bytes each.
"""

from etl.source.completeness.page import Page
from etl.source.completeness.sweep import Sweep, proof

__all__ = ["Page", "Sweep", "proof"]
