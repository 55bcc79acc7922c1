"""The lab's ARM as any client meets it: sign-in, discovery, errors, lists, pages; over TLS, in the simulated plane."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.lab.laboratory import Laboratory

VERSION = {"api-version": "2024-11-01"}


class AnyClient:
    """Speaks HTTP and nothing of ours."""

    def __init__(self, lab: Laboratory) -> None:
        self.lab = lab
        self.http = httpx.Client(base_url=lab.ready["arm_url"], verify=lab.endpoint().trust(), trust_env=False)
        self.http.headers["Authorization"] = f"Bearer {self.token()}"

    def token(self) -> str:
        ready = self.lab.ready
        form = {"grant_type": "client_credentials", "client_id": ready["client_id"], "client_secret": ready["client_secret"]}
        answer = self.http.post(f"/{ready['tenant_id']}/oauth2/v2.0/token", data=form).json()
        assert answer["token_type"] == "Bearer"
        return str(answer["access_token"])

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.http.get(path, params=VERSION | query)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp("lab"), simulated=True) as lab:
        yield lab


@pytest.fixture
def client(lab: Laboratory) -> Iterator[AnyClient]:
    lab.reset()
    client = AnyClient(lab)
    yield client
    client.http.close()


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_a_wrong_secret_gets_no_token(client: AnyClient) -> None:
    form = {"grant_type": "client_credentials", "client_id": client.lab.ready["client_id"], "client_secret": "guess"}
    response = client.http.post(f"/{client.lab.ready['tenant_id']}/oauth2/token", data=form)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("header", ["", "Bearer made-up", "Basic eDp5"])
def test_a_request_without_our_token_is_challenged(client: AnyClient, header: str) -> None:
    response = client.http.get("/subscriptions", params=VERSION, headers={"Authorization": header})
    assert code_of(response) == (401, "AuthenticationFailed")
    assert response.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_a_request_without_a_version_is_refused(client: AnyClient) -> None:
    assert code_of(client.http.get("/subscriptions")) == (400, "MissingApiVersionParameter")


def test_ids_are_found_without_case_and_answered_as_created(client: AnyClient) -> None:
    path = client.lab.machine("web-1")
    strange = f"{client.lab.ready['arm_url']}/{path.replace('resourceGroups', 'resourcegroups').upper()}"
    assert client.get(strange).json()["id"] == path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/subscriptions/00000000-0000-0000-0000-000000000000", (404, "SubscriptionNotFound")),
        ("{network}/networkInterfaces/none", (404, "ResourceNotFound")),
        ("/nothing", (404, "NotFound")),
        ("{network}/../x", (404, "ResourceNotFound")),
    ],
)
def test_what_is_not_there_is_an_arm_error(client: AnyClient, path: str, expected: tuple[int, str]) -> None:
    assert code_of(client.get(path.format(network=client.lab.network))) == expected


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"properties": 1}', b'{"properties": {"ipConfigurations": "x"}}'])
def test_a_body_that_is_none_is_refused_and_changes_nothing(client: AnyClient, content: bytes) -> None:
    path = f"{client.lab.network}/networkInterfaces/web-1-nic"
    before = client.get(path).json()
    response = client.http.put(path, params=VERSION, content=content)
    assert response.status_code == 400
    assert client.get(path).json() == before


def test_lists_hold_what_belongs_there(client: AnyClient) -> None:
    names = [body["name"] for body in client.get(f"{client.lab.subscription}/providers/Microsoft.Compute/virtualMachines").json()["value"]]
    assert names == ["jump-1", "web-1", "web-2", "db-1"]
    rules = client.get(f"{client.lab.network}/networkSecurityGroups/front-nsg/securityRules").json()["value"]
    assert [rule["name"] for rule in rules] == ["allow-http", "allow-ssh", "allow-echo"]
    condition = "name eq 'web-1' and resourceType eq 'Microsoft.Compute/virtualMachines'"
    found = client.get(f"{client.lab.subscription}/resources", **{"$filter": condition}).json()["value"]
    assert [body["id"] for body in found] == [client.lab.machine("web-1")]


def test_a_new_rule_is_201_and_a_changed_one_200_and_it_can_be_deleted(client: AnyClient) -> None:
    path = f"{client.lab.network}/networkSecurityGroups/front-nsg/securityRules/deny-x"
    properties = {"priority": 300, "direction": "Inbound", "access": "Deny", "protocol": "*", "sourceAddressPrefix": "*"}
    body = {"properties": {**properties, "destinationAddressPrefix": "*", "destinationPortRange": "*"}}
    first = client.http.put(path, params=VERSION, json=body)
    assert first.status_code == 201
    assert first.json()["properties"]["provisioningState"] == "Updating"
    assert client.get(first.headers["Azure-AsyncOperation"].replace(client.lab.ready["arm_url"], "")).json()["status"] == "Succeeded"
    assert client.http.put(path, params=VERSION, json=body).status_code == 200
    assert client.http.delete(path, params=VERSION).status_code == 202
    assert client.get(path).status_code == 404


def test_if_none_match_protects_what_is_there(client: AnyClient) -> None:
    path = f"{client.lab.network}/publicIPAddresses/p"
    first = client.http.put(path, params=VERSION, json={"location": "westeurope"}, headers={"If-None-Match": "*"})
    assert first.status_code == 201
    assert client.http.put(path, params=VERSION, json={}, headers={"If-None-Match": "*"}).status_code == 412


def test_a_group_in_use_is_not_deleted(client: AnyClient) -> None:
    assert code_of(client.http.delete(f"{client.lab.network}/networkSecurityGroups/front-nsg", params=VERSION)) == (400, "ResourceInUse")


def test_the_effective_groups_of_an_interface_name_where_they_stand(client: AnyClient) -> None:
    path = f"{client.lab.network}/networkInterfaces/db-1-nic/effectiveNetworkSecurityGroups"
    (found,) = client.http.post(path, params=VERSION).json()["value"]
    assert found["networkSecurityGroup"]["id"].endswith("/data-nsg")
    assert found["association"]["subnet"]["id"].endswith("/subnets/data")
    assert len(found["effectiveSecurityRules"]) == 9


def test_a_public_client_can_discover_this_cloud(client: AnyClient) -> None:
    tenant = client.lab.ready["tenant_id"]
    discovered: dict[str, Any] = client.http.get(f"/{tenant}/v2.0/.well-known/openid-configuration").json()
    assert discovered["token_endpoint"] == f"{client.lab.ready['arm_url']}/{tenant}/oauth2/v2.0/token"
    (endpoints,) = client.http.get("/metadata/endpoints", params={"api-version": "2020-06-01"}).json()
    assert endpoints["resourceManager"] == client.lab.ready["arm_url"]


def test_many_requests_share_one_connection(client: AnyClient) -> None:
    for _ in range(5):
        assert client.get("/subscriptions").status_code == 200


def test_an_unknown_order_and_an_unreadable_one_are_told(lab: Laboratory) -> None:
    for line in (b'{"do": "dance"}', b"not json"):
        mark = lab.mark()
        assert lab.process.stdin
        lab.process.stdin.write(line + b"\n")
        lab.process.stdin.flush()
        assert lab.wait_for("error", after=mark)["what"] == "unknown order"


def test_a_configuration_that_cannot_be_read_ends_the_lab_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="configuration cannot be read"):
        Laboratory(tmp_path, mode="strange")
