"""``labelsearch dashboard``: the trials of a run in optuna-dashboard."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelsearch.commands.common import one_line_errors, refuse, runs_option, store_option
from labelsearch.commands.completion import run_argument
from labelsearch.commands.opening import find_alone

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer


@click.command()
@run_argument
@click.option(
    "--strategies",
    type=click.IntRange(min=2),
    metavar="N",
    show_default="all",
    help="Show N strategies: the best N/2, the rest drawn at random.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. There is no password: anyone who can reach it sees the run.",
)
@click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 picks a free one.",
)
@click.option("--no-browser", is_flag=True, help="Print the address without opening a browser.")
@runs_option
@store_option
@one_line_errors
def dashboard(
    run: str, strategies: int | None, host: str, port: int, no_browser: bool, runs: Path, store: Path
) -> None:
    """Show the trials of RUN (an id, the start of one, or a folder) in optuna-dashboard until ctrl-C.

    There is one study per label for its network, and one per island of strategies. The studies are copies in memory:
    nothing done in the browser changes the run. Needs an extra: pip install "labelsearch[dashboard]"

    \b
    Example:
      labelsearch dashboard demo
      labelsearch dashboard paper --strategies 2000 --port 0 --no-browser
    """  # fmt: skip
    from importlib.util import find_spec

    if find_spec("optuna_dashboard") is None:
        refuse(ImportError('optuna-dashboard is not installed: pip install "labelsearch[dashboard]"'))
    from optuna_dashboard import wsgi

    from labelsearch.delivery.optuna_studies import studies

    application = _own_pages_only(wsgi(studies(find_alone(run, runs, store), strategies)), host)
    with _server(host, port, application) as server:
        address = f"http://{host}:{server.server_port}/dashboard/"
        if strategies:
            click.echo(f"strategies: at most {strategies:,}, half of them the best, the rest drawn at random")
        click.echo(f"dashboard: {address} (press ctrl-C to stop)")
        if not no_browser:
            click.launch(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo()


def _own_pages_only(application: Any, host: str) -> Any:
    """Refuse requests that pages of other sites send through the browser of whoever looks at the dashboard.

    A site can point a name of its own at this address, so the name in ``Host`` must be ``host``, localhost or an
    address; and it can send forms and scripts here, which then name it in ``Origin``.
    """

    def guarded(environment: dict[str, Any], start: Any) -> Any:
        asked = environment.get("HTTP_HOST", "")
        origin = environment.get("HTTP_ORIGIN", f"http://{asked}")
        if _is_ours(asked, host) and origin == f"http://{asked}":
            return application(environment, start)
        start("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"only for pages of the dashboard itself\n"]

    return guarded


def _is_ours(asked: str, host: str) -> bool:
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    try:
        name = urlsplit(f"http://{asked}").hostname or ""
        return name in (host.lower(), "localhost") or bool(ip_address(name))
    except ValueError:
        return False


def _server(host: str, port: int, application: Any) -> "WSGIServer":
    """A server with one thread per request, so that a large study does not block the page."""
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class Handler(WSGIRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:
            """Requests are not logged."""

    return make_server(host, port, application, Server, Handler)
