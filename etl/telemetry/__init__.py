"""What a run tells to those who watch over it. Whatever becomes of the telling, it changes nothing about the run.

report        how a run ended, in the form that all of them tell
metrics_file  metrics for Prometheus, in a file that the node exporter's textfile collector reads
otlp          traces and metrics by OpenTelemetry, to the collector that the standard variables name
webhook       a message to an address when a run did not go well

Each is imported only where it is asked for.
"""

from etl.telemetry.run_outcome import RunOutcome

__all__ = ["RunOutcome"]
