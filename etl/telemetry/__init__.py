"""Report runs to monitoring systems. A failure of a report changes nothing about the run.

`run_outcome`   How a run ended: the input of the other modules.
`metrics_file`  Metrics for Prometheus, in a file for the node exporter's textfile collector.
`otlp`          Traces and metrics by OpenTelemetry, to the collector that the standard variables name.
`webhook`       A message to a URL when a run did not succeed.

The last three are imported only when the settings ask for them.
"""

from etl.telemetry.run_outcome import RunOutcome

__all__ = ["RunOutcome"]
