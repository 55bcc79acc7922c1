"""Names on their way to addresses, for the calls of playbooks."""

import asyncio
import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from guardship.connectors.outbound import OutboundRules


class CheckedResolver(AbstractResolver):
    """Names resolve only to addresses that may be called."""

    def __init__(self, rules: OutboundRules) -> None:
        self._rules = rules

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=socket.AF_UNSPEC)
        results: list[ResolveResult] = []
        for kind, _, proto, _, address in found:
            if self._rules.refuse_address(str(address[0])) is None:
                results.append(
                    {
                        "hostname": host,
                        "host": str(address[0]),
                        "port": port,
                        "family": kind,
                        "proto": proto,
                        "flags": socket.AI_NUMERICHOST,
                    }
                )
        if not results:
            raise OSError(f"{host} resolves to addresses that playbooks may not call")
        return results

    async def close(self) -> None:
        return None
