"""Plain HTTP on loopback alone; TLS by our own authority everywhere else."""

import socket
import ssl
from pathlib import Path

import httpx
import pytest
from tests.running import RunningServer

from guardship.server.doorways import PortTaken, open_doorways
from guardship.settings import Settings


def test_elsewhere_than_on_loopback_the_server_speaks_tls(tmp_path: Path) -> None:
    with RunningServer(tmp_path / "home", listen_host="0.0.0.0") as server:
        facts = server.local_facts
        assert facts["url"].startswith("https://")
        trust = ssl.create_default_context(cafile=facts["ca_file"])
        answer = httpx.get(f"{facts['url']}/api/v1/session", verify=trust, trust_env=False)
        assert answer.status_code == 401
        assert "strict-transport-security" in answer.headers
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{facts['url']}/api/v1/session", trust_env=False)
        assert server.ready["url"].startswith("https://")


def test_a_port_that_is_taken_is_named_with_the_setting(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)) as caught:
            open_doorways(Settings(home=tmp_path, listen_port=port), tmp_path)
    assert "GUARDSHIP_LISTEN_PORT" in str(caught.value)


def test_an_order_over_the_pipe_that_breaks_is_answered_and_the_next_is_heard(server: RunningServer) -> None:
    assert server.ask({"do": "connect_lab", "lab": {}}, "failed")["why"]
    assert server.ask({"do": "prepare_lab"}, "lab_prepared")["tokens"]
