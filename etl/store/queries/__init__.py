"""What other commands read, one module for each of them."""

from etl.store.queries import demo, explore, export, report

__all__ = ["demo", "explore", "export", "report"]
