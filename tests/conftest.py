"""For every test: logs are quiet, sockets beyond loopback are shut."""

import logging

import pytest
import structlog
from pytest_socket import socket_allow_hosts


@pytest.fixture(scope="session", autouse=True)
def _quiet_logs() -> None:
    wrapper = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()], logger_factory=structlog.ReturnLoggerFactory(), wrapper_class=wrapper
    )


def pytest_runtest_setup() -> None:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
