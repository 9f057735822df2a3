"""Pure: whether the pages of a list prove that no record was missed.

page        one page, as received
sweep       one pass over a list: which page to ask for next, and the proof
gap_repair  how a sweep is completed where the list moved between two pages
sort_order  by what a list is sorted, judged by its pages
id_set      the ids of a sweep, eight bytes each
"""

from etl.source.completeness.page import Page
from etl.source.completeness.sweep import Sweep, proof

__all__ = ["Page", "Sweep", "proof"]
