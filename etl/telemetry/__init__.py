"""Report runs to monitoring systems. A failed report does not affect the run.

`run_outcome`   How a run ended: the input of the other modules.
`metrics_file`  Metrics for Prometheus, in a file for the node exporter's textfile collector.
`otlp`          Traces and metrics through OpenTelemetry, to the collector in the OTEL_* variables.
`webhook`       A message to a URL when a run did not succeed.

The last three are imported only when settings or OTEL_* variables ask for them.
"""

from etl.telemetry.run_outcome import RunOutcome

__all__ = ["RunOutcome"]
