import asyncio
from typing import Any

import pytest
from tests.unit.connectors.asking import request_for, with_connection
from tests.unit.connectors.test_http import LOOPBACK, served

from guardship.connectors.http import Http
from guardship.connectors.outbound import OutboundRules
from guardship.connectors.published_connector import AZURE, PublishedConnector
from guardship.connectors.published_operations import Published, PublishedOperation, RestService, shipped
from guardship.connectors.rest import Rest
from guardship.playbooks.connector import CallFailed, ConnectorRequest, Recovery

ECHO = PublishedOperation("echo", "POST", "/things/{thing}", Recovery.ASK, rest_path="/echo?thing={thing}")


def echoed(auth: str, **connection: Any) -> dict[str, Any]:
    async def work(http: Http, base: str) -> Any:
        published = Published("desk", "Desk", (ECHO,), rest=RestService("https://{instance}.invalid", tuple(auth.split())))
        assert published.rest is not None
        request = ConnectorRequest("echo", "POST", "/things/x", {"thing": "a/b c"}, {"q": "1"}, {"X-Own": "2"}, {"n": 1})
        return await Rest(published, published.rest, http).call(request, with_connection(base_url=base, **connection))

    answer = served(work, LOOPBACK)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.body
    return body


def test_a_call_carries_the_token_the_values_once_encoded_and_what_the_action_says() -> None:
    told = echoed("bearer token", token="t0ken")
    assert told["method"] == "POST"
    assert told["headers"]["Authorization"] == "Bearer t0ken"
    assert told["headers"]["X-Own"] == "2"
    assert told["query"] == {"thing": "a/b c", "q": "1"}
    assert told["text"] == '{"n": 1}'


def test_a_key_goes_in_the_header_the_service_names() -> None:
    assert echoed("header X-Key api_key", api_key="k")["headers"]["X-Key"] == "k"


def test_name_and_word_go_as_basic() -> None:
    assert echoed("basic username password", username="u", password="p")["headers"]["Authorization"] == "Basic dTpw"


def test_a_connection_that_lacks_the_key_is_told_which() -> None:
    virustotal = shipped()["virustotal"]
    assert virustotal.rest is not None
    end = Rest(virustotal, virustotal.rest, Http({}, LOOPBACK))
    assert end.missing("get_ip", {}) == "the connection virustotal lacks api_key, by which VirusTotal is reached"
    assert end.missing("get_ip", {"api_key": "k"}) is None


def test_a_name_in_the_base_address_comes_from_the_connection_and_cannot_change_the_host() -> None:
    keyvault = shipped()["keyvault"]
    assert keyvault.rest is not None
    http = Http({}, OutboundRules(allowed_hosts=("vault.azure.net",)))
    connector = PublishedConnector(keyvault, {AZURE: Rest(keyvault, keyvault.rest, http)})
    assert connector.missing("get_secret", {"token": "t"}) == "the connection keyvault lacks vaultName, by which Azure Key Vault is reached"
    with pytest.raises(CallFailed, match="not among those"):
        asyncio.run(connector.call(request_for("keyvault", "get_secret"), with_connection(token="t", vaultName="evil.invalid/")))


def test_a_private_address_stays_shut_to_connectors_too() -> None:
    async def work(http: Http, base: str) -> Any:
        virustotal = shipped()["virustotal"]
        assert virustotal.rest is not None
        return await Rest(virustotal, virustotal.rest, http).call(
            request_for("virustotal", "get_ip"), with_connection(api_key="k", base_url=base)
        )

    with pytest.raises(CallFailed, match="private"):
        served(work, OutboundRules())


def test_an_isolation_by_defender_passes_the_gate_or_is_not_made() -> None:
    wdatp = shipped()["wdatp"]
    assert wdatp.rest is not None
    http = Http({}, LOOPBACK)
    given = {"token": "t"}
    assert "passes the gate" in str(Rest(wdatp, wdatp.rest, http).missing("isolate", given))
    assert Rest(wdatp, wdatp.rest, http).missing("get_machine", given) is None
    assert Rest(wdatp, wdatp.rest, http, {"api.securitycenter.microsoft.com"}).missing("isolate", given) is None
    with pytest.raises(CallFailed, match="passes the gate"):
        asyncio.run(Rest(wdatp, wdatp.rest, http).call(request_for("wdatp", "isolate"), with_connection(token="t")))
