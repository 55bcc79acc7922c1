import pytest

from guardship.cloud.writes import HiddenWrite, StrangePath, WriteKind, network_write_of

N = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network"


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("PUT", f"{N}/networkInterfaces/n", WriteKind.INTERFACE),
        ("DELETE", f"{N}/networkInterfaces/n", WriteKind.INTERFACE),
        ("PUT", f"{N}/virtualNetworks/v/subnets/s", WriteKind.SUBNET),
        ("DELETE", f"{N}/virtualNetworks/v/subnets/s", WriteKind.SUBNET),
        ("PUT", f"{N}/virtualNetworks/v", WriteKind.NETWORK),
        ("DELETE", f"{N}/virtualNetworks/v", WriteKind.NETWORK),
        ("PUT", f"{N}/networkSecurityGroups/g", WriteKind.GROUP),
        ("DELETE", f"{N}/networkSecurityGroups/g", WriteKind.GROUP),
        ("PUT", f"{N}/networkSecurityGroups/g/securityRules/r", WriteKind.RULE),
        ("DELETE", f"{N}/networkSecurityGroups/g/securityRules/r", WriteKind.RULE),
    ],
)
@pytest.mark.parametrize(
    "disguise",
    [
        lambda path: path,
        str.lower,
        str.upper,
        lambda path: "/" + path,
        lambda path: path.replace("/providers", "//providers"),
        lambda path: f"https://management.azure.com/{path}?api-version=2019-11-01",
        lambda path: path + "/?api-version=2024-05-01",
        lambda path: path.replace("networkI", "network%49").replace("virtualN", "virtual%4e").replace("networkS", "network%53"),
    ],
)
def test_every_network_write_is_seen_in_every_dress(method: str, path: str, kind: WriteKind, disguise: object) -> None:
    assert callable(disguise)
    found = network_write_of(method.lower(), disguise(path), {"properties": {}})
    assert found is not None
    assert found[0] is kind
    assert found[1].key == path.lower()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{N}/networkInterfaces/n"),
        ("POST", f"{N}/networkInterfaces/n/effectiveNetworkSecurityGroups"),
        ("POST", f"{N}/networkWatchers/w/connectivityCheck"),
        ("PUT", f"{N}/publicIPAddresses/p"),
        ("PUT", "/subscriptions/s/resourceGroups/g"),
        ("PUT", "/subscriptions/s/resourceGroups/g/providers/Microsoft.Automation/automationAccounts/a/jobs/j"),
    ],
)
def test_other_requests_are_none_of_the_gates_business(method: str, path: str) -> None:
    assert network_write_of(method, path) is None


def test_a_patch_of_tags_changes_no_packet_and_a_patch_of_properties_might() -> None:
    assert network_write_of("PATCH", f"{N}/networkInterfaces/n", {"tags": {"a": "b"}}) is None
    assert network_write_of("PATCH", f"{N}/networkInterfaces/n", {"properties": {}}) is not None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/$batch"),
        ("POST", "https://management.azure.com/batch?api-version=2020-06-01"),
        ("PUT", "/subscriptions/s/resourcegroups/g/providers/Microsoft.Resources/deployments/d"),
        ("PUT", "/subscriptions/s/resourcegroups/g/providers/Microsoft.Resources/deploymentStacks/d"),
        ("DELETE", "/subscriptions/s/resourceGroups/g"),
    ],
)
def test_requests_that_hide_writes_are_refused(method: str, path: str) -> None:
    with pytest.raises(HiddenWrite):
        network_write_of(method, path)


@pytest.mark.parametrize(
    "path", [f"{N}/x/../networkInterfaces/n", f"{N}%2FnetworkInterfaces/n", f"{N}/network%2549nterfaces/n", f"{N};a/networkInterfaces/n"]
)
def test_a_path_that_reads_in_two_ways_is_refused(path: str) -> None:
    with pytest.raises(StrangePath):
        network_write_of("PUT", path)
