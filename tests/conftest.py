"""For every test: logs are quiet, sockets beyond loopback are shut, and every table is known, whichever tests are run."""

import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pytest_socket import socket_allow_hosts
from tests.databases import close_all
from tests.hosts import demand_root

import guardship.migrations.tables  # noqa: F401  # the tables of one package name those of others

_BROWSER = Path(__file__).with_name("browser")


@pytest.fixture(scope="session", autouse=True)
def _quiet_logs() -> None:
    wrapper = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()], logger_factory=structlog.ReturnLoggerFactory(), wrapper_class=wrapper
    )


@pytest.fixture
def as_root() -> None:
    demand_root()


def pytest_configure() -> None:
    """Started in the background, a process inherits that Ctrl-C is ignored, and so would the commands that the tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup() -> None:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    close_all()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """The browser's tests come last, in whatever order: Playwright keeps a loop in this thread, in which no other test could start one."""
    yield
    items.sort(key=lambda item: _BROWSER in item.path.parents)
