"""Ourselves, as the kernel knows us."""

import subprocess
from ipaddress import ip_address

from guardship.server.connecting import own_addresses


def test_every_address_of_this_host_is_known_but_its_loopbacks() -> None:
    told = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout
    expected = set(told.split())
    found = own_addresses()
    assert expected <= found
    assert not any(ip_address(address).is_loopback for address in found)
