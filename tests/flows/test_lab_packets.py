"""The lab's promise: what its groups say is what packets do, in both tracking modes."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.hosts import cannot
from tests.unit.lab.laboratory import Laboratory

from guardship.cloud.arm import Actor, ActorKind
from guardship.cloud.azure.compute import AzureProvider
from guardship.cloud.azure.connectivity import Connectivity

ACTOR = Actor(ActorKind.USER, "tester")
QUICK = 0.35


@pytest.fixture(scope="module", params=["cutting", "azure"])
def any_lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(tmp_path_factory.mktemp(f"lab-{request.param}"), mode=request.param) as lab:
        if lab.ready["data_plane"] != "packets":
            cannot("this host refuses namespaces")
        yield lab


@pytest.fixture
def lab(any_lab: Laboratory) -> Laboratory:
    any_lab.reset()
    return any_lab


class Company:
    """A reset lab with what the tests do to it."""

    def __init__(self, lab: Laboratory) -> None:
        self.lab = lab
        self.arm = lab.client()
        self.provider = AzureProvider(self.arm)
        self.connectivity = Connectivity(self.arm)
        self.targets = self.connectivity.probe_targets()
        assert self.targets

    def isolate(self, name: str) -> None:
        for interface in self.provider.interfaces_of(self.provider.machine(name)):
            self.provider.assign_group(interface, str(self.lab.ready["isolated_group"]), actor=ACTOR)

    def reaches(self, source: str, destination: str, port: int, protocol: str = "Tcp") -> bool:
        source_id = source if source.startswith("/") else self.lab.machine(source)
        return self.connectivity.check(source_id, destination, port, protocol, seconds=QUICK).reachable

    def put_rules(self, group: str, *rules: dict[str, object], subnet: str | None = None) -> str:
        """A group of these rules, also put on a subnet."""
        group_id = f"{self.lab.network}/networkSecurityGroups/{group}"
        body = {"id": group_id, "location": "westeurope", "properties": {"securityRules": list(rules)}}
        self.arm.put(body, actor=ACTOR)
        if subnet:
            path = f"{self.lab.network}/virtualNetworks/company-vnet/subnets/{subnet}"
            held = self.arm.get(path)
            held["properties"]["networkSecurityGroup"] = {"id": group_id}
            self.arm.put(held, actor=ACTOR)
        return group_id

    def assign(self, name: str, group_id: str | None) -> None:
        interface = self.provider.interfaces_of(self.provider.machine(name))[0]
        self.provider.assign_group(interface, group_id, actor=ACTOR)


@pytest.fixture
def company(lab: Laboratory) -> Company:
    return Company(lab)


def rule(name: str, priority: int, direction: str, access: str, **given: object) -> dict[str, object]:
    properties = {
        "priority": priority,
        "direction": direction,
        "access": access,
        "protocol": "*",
        "sourceAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "*",
    } | given
    return {"name": name, "properties": properties}


def test_an_isolated_machine_reaches_nobody_and_is_reached_by_nobody(company: Company) -> None:
    targets, web = company.targets, company.lab.address("web-1")
    assert targets
    probes = [
        ("web-1", targets.tcp.address, targets.tcp.port, "Tcp"),
        ("web-1", targets.udp.address, targets.udp.port, "Udp"),
        ("web-1", targets.dns.address, targets.dns.port, "Dns"),
        ("web-1", "169.254.169.254", 80, "Http"),
        ("web-1", company.lab.address("db-1"), 5432, "Tcp"),
        (targets.inbound_from, web, 80, "Tcp"),
        (targets.inbound_from, web, 9007, "Udp"),
        ("jump-1", web, 22, "Tcp"),
    ]
    if targets.tcp6:
        probes += [
            ("web-1", targets.tcp6.address, targets.tcp6.port, "Tcp"),
            (targets.inbound_from, company.lab.address("web-1", 6), 80, "Tcp"),
        ]
    with ThreadPoolExecutor(len(probes)) as pool:
        assert all(pool.map(lambda probe: company.reaches(*probe), probes))
        company.isolate("web-1")
        assert not any(pool.map(lambda probe: company.reaches(*probe), probes))


def test_a_neighbour_of_the_isolated_machine_goes_on(company: Company) -> None:
    company.isolate("web-1")
    assert company.targets
    assert company.reaches(company.targets.inbound_from, company.lab.address("web-2"), 80)
    assert company.reaches("web-2", "169.254.169.254", 80, "Http")


def test_the_interface_after_a_release_is_the_one_before(company: Company) -> None:
    before = company.provider.interfaces_of(company.provider.machine("web-1"))[0]
    company.isolate("web-1")
    isolated = company.provider.interface(str(before.resource_id))
    company.arm.put(before.body, etag=isolated.etag, actor=ACTOR)
    after = company.provider.interface(str(before.resource_id))
    without_etag = {name: value for name, value in before.body.items() if name != "etag"}
    assert {name: value for name, value in after.body.items() if name != "etag"} == without_etag
    assert company.targets
    assert company.reaches(company.targets.inbound_from, company.lab.address("web-1"), 80)


def test_a_live_session_dies_in_cutting_mode_and_survives_as_on_azure(company: Company) -> None:
    company.lab.attack()
    machine = company.provider.machine("web-1")
    flows = company.connectivity.live_flows(machine)
    assert [flow.is_live for flow in flows or () if flow.remote_address == company.lab.ready["attacker"]] == [True]
    mark = company.lab.mark()
    company.isolate("web-1")
    flows = company.connectivity.live_flows(machine)
    hostile = [flow for flow in flows or () if flow.remote_address == company.lab.ready["attacker"]]
    if company.lab.ready["mode"] == "cutting":
        assert not any(flow.is_live for flow in hostile)
        last = company.lab.wait_for("last_packet", after=mark)
        assert last["put_to_last_packet_ms"] < 50
    else:
        assert [flow.is_live for flow in hostile] == [True]
        time.sleep(1.2)
        assert not [event for event in company.lab.events[mark:] if event["event"] == "last_packet"]


def test_a_restart_ends_the_sessions_that_azure_keeps(company: Company) -> None:
    company.lab.attack()
    machine = company.provider.machine("web-1")
    company.connectivity.end_sessions(machine, actor=ACTOR)
    assert not [flow for flow in company.connectivity.live_flows(machine) or () if flow.is_live and flow.local_port == 22]


def test_both_the_subnet_group_and_the_interface_group_must_allow(company: Company) -> None:
    database = company.lab.address("db-1")
    assert company.reaches("web-1", database, 5432)
    closed = company.put_rules("closed", rule("deny", 100, "Inbound", "Deny"))
    opened = company.put_rules("opened", rule("allow", 100, "Inbound", "Allow"))
    company.assign("db-1", closed)
    assert not company.reaches("web-1", database, 5432)
    company.assign("db-1", opened)
    assert company.reaches("web-1", database, 5432)
    company.put_rules("shut", rule("deny", 100, "Inbound", "Deny"), subnet="data")
    assert not company.reaches("web-1", database, 5432)


def test_the_lower_priority_number_decides(company: Company) -> None:
    group = company.put_rules("order", rule("allow", 100, "Inbound", "Allow", protocol="Tcp"), rule("deny", 110, "Inbound", "Deny"))
    company.assign("web-2", group)
    assert company.reaches("jump-1", company.lab.address("web-2"), 80)
    company.put_rules("order", rule("allow", 120, "Inbound", "Allow", protocol="Tcp"), rule("deny", 110, "Inbound", "Deny"))
    assert not company.reaches("jump-1", company.lab.address("web-2"), 80)


def test_ports_and_protocols_are_told_apart(company: Company) -> None:
    given = {"protocol": "Tcp", "destinationPortRange": None, "destinationPortRanges": ["20-22", "9007"]}
    group = company.put_rules("ports", rule("allow", 100, "Inbound", "Allow", **given), rule("deny", 110, "Inbound", "Deny"))
    company.assign("web-2", group)
    web = company.lab.address("web-2")
    assert company.reaches("jump-1", web, 22)
    assert not company.reaches("jump-1", web, 80)
    assert not company.reaches("jump-1", web, 9007, "Udp")


def test_a_deny_all_without_the_metadata_tag_leaves_the_metadata_service_open(company: Company) -> None:
    group = company.put_rules("naive", rule("in", 100, "Inbound", "Deny"), rule("out", 100, "Outbound", "Deny"))
    company.assign("web-1", group)
    assert company.targets
    assert not company.reaches("web-1", company.targets.tcp.address, 80)
    assert company.reaches("web-1", "169.254.169.254", 80, "Http")


def test_an_application_group_stands_for_its_members_addresses(company: Company) -> None:
    asg = f"{company.lab.network}/applicationSecurityGroups/web-tier"
    company.arm.put({"id": asg, "location": "westeurope", "properties": {}}, actor=ACTOR)
    only = {"sourceAddressPrefix": None, "sourceApplicationSecurityGroups": [{"id": asg}]}
    group = company.put_rules("asg", rule("allow", 100, "Inbound", "Allow", **only), rule("deny", 110, "Inbound", "Deny"))
    company.assign("web-2", group)
    assert not company.reaches("web-1", company.lab.address("web-2"), 80)
    interface = company.provider.interfaces_of(company.provider.machine("web-1"))[0]
    body = interface.body
    body["properties"]["ipConfigurations"][0]["properties"]["applicationSecurityGroups"] = [{"id": asg}]
    company.arm.put(body, actor=ACTOR, etag=interface.etag)
    assert company.reaches("web-1", company.lab.address("web-2"), 80)
    assert not company.reaches("jump-1", company.lab.address("web-2"), 80)


def test_a_machine_moved_to_another_subnet_gets_an_address_there_and_stands_under_its_group(company: Company) -> None:
    network = company.arm.get(f"{company.lab.network}/virtualNetworks/company-vnet")
    network["properties"]["addressSpace"]["addressPrefixes"].append("100.64.0.0/24")
    company.arm.put(network, actor=ACTOR)
    group = company.put_rules("isolate-subnet", rule("in", 100, "Inbound", "Deny"), rule("out", 100, "Outbound", "Deny"))
    subnet = f"{company.lab.network}/virtualNetworks/company-vnet/subnets/ISOLATE"
    company.arm.put({"id": subnet, "properties": {"addressPrefix": "100.64.0.0/25", "networkSecurityGroup": {"id": group}}}, actor=ACTOR)
    interface = company.provider.interfaces_of(company.provider.machine("web-2"))[0]
    moved = {"id": interface.body["id"], "location": "westeurope"}
    moved["properties"] = {"ipConfigurations": [{"name": "ipconfig1", "properties": {"subnet": {"id": subnet}}}]}
    answer = company.arm.put(moved, actor=ACTOR)
    address = answer["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"]
    assert address.startswith("100.64.0.")
    assert answer["properties"]["virtualMachine"]["id"] == company.lab.machine("web-2")
    assert company.targets
    assert not company.reaches("web-2", company.targets.tcp.address, 80)
    company.put_rules("isolate-subnet", rule("in", 100, "Inbound", "Allow"), rule("out", 100, "Outbound", "Allow"))
    assert company.reaches("web-2", company.targets.tcp.address, 80)
    assert company.reaches("jump-1", address, 80)
