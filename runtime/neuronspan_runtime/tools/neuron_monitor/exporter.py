"""`neuron-monitor-prometheus`: reads neuron-monitor's lines on standard input and serves them to Prometheus.

Law: a line that cannot be read is reported and passed over.
"""

import json
import sys

import click
import prometheus_client

from neuronspan_runtime.tools.neuron_monitor import metrics

DEFAULT_PORT = 8000


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True)
def main(*, port: int) -> None:
    """Serve metrics of `neuron-monitor | neuron-monitor-prometheus` on /metrics until the input ends."""
    collector = metrics.Collector()
    prometheus_client.REGISTRY.register(collector)
    server, thread = prometheus_client.start_http_server(port)
    click.echo(f"neuron-monitor-prometheus: serving on port {server.server_port}", err=True)
    for number, line in enumerate(sys.stdin, start=1):
        try:
            collector.update(json.loads(line))
        except (KeyError, TypeError, ValueError) as error:
            click.echo(f"neuron-monitor-prometheus: line {number} is no report: {error!r}", err=True)
    server.shutdown()
    thread.join()
