"""Watchlists as Sentinel's operations name them: by alias, filled from CSV, one item at a time."""

from typing import Any

from sqlalchemy.orm import Session

from guardship.clock import Clock, azure_time
from guardship.connectors.acting import Act, BadInput, Input, answer
from guardship.detection.workspace_address import WorkspaceAddress
from guardship.playbooks.connector import CallContext, ConnectorRequest, ConnectorResponse
from guardship.storage.database import Database
from guardship.workspace import watchlists
from guardship.workspace.watchlists import Watchlist


class WatchlistIn(Input):
    items_search_key: str
    display_name: str = ""
    description: str = ""
    provider: str = "Guardship"
    source: str = ""
    source_type: str = ""
    raw_content: str | None = None
    number_of_lines_to_skip: int = 0


def watchlist_acts(database: Database, address: WorkspaceAddress, clock: Clock) -> dict[str, Act]:
    acts = _Watchlists(database, address, clock)
    return {
        "get_watchlist": acts.get,
        "put_watchlist": acts.put,
        "delete_watchlist": acts.delete,
        "add_watchlist_item": acts.add_item,
    }


class _Watchlists:
    def __init__(self, database: Database, address: WorkspaceAddress, clock: Clock) -> None:
        self._database = database
        self._address = address
        self._clock = clock

    def get(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        with self._database.reading() as session:
            return answer(self._told(session, watchlists.get(session, request.segments["watchlist"])))

    def put(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        given = WatchlistIn.read(request.body)
        rows = None if given.raw_content is None else watchlists.rows_of_csv(given.raw_content, skip=given.number_of_lines_to_skip)
        with self._database.transaction() as session:
            made = watchlists.put(
                session,
                request.segments["watchlist"],
                rows,
                search_key=given.items_search_key,
                by=context.actor,
                at=self._clock.now(),
                display_name=given.display_name,
                description=given.description,
                provider=given.provider,
                source=given.source or given.source_type,
            )
            return answer(self._told(session, made))

    def delete(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        with self._database.transaction() as session:
            watchlists.remove(session, request.segments["watchlist"])
        return ConnectorResponse(204)

    def add_item(self, request: ConnectorRequest, context: CallContext) -> ConnectorResponse:
        if not isinstance(request.body, dict) or not request.body:
            raise BadInput("body: an item is an object, one value a column")
        with self._database.transaction() as session:
            alias = request.segments["watchlist"]
            item = watchlists.add_item(session, alias, request.body, item_id=context.guid, by=context.actor, at=self._clock.now())
            place = f"{self._place(watchlists.get(session, alias))}/WatchlistItems/{item.item_id}"
            properties = {"watchlistItemId": item.item_id, "itemsKeyValue": item.values, "created": azure_time(item.added_at)}
        return answer({"id": place, "name": item.item_id, "properties": properties})

    def _place(self, watchlist: Watchlist) -> str:
        return f"{self._address.arm_id}/providers/Microsoft.SecurityInsights/Watchlists/{watchlist.alias}"

    def _told(self, session: Session, watchlist: Watchlist) -> dict[str, Any]:
        properties = {
            "watchlistId": watchlist.watchlist_id,
            "watchlistAlias": watchlist.alias,
            "displayName": watchlist.display_name,
            "description": watchlist.description,
            "itemsSearchKey": watchlist.search_key,
            "provider": watchlist.provider,
            "source": watchlist.source,
            "numberOfItems": watchlists.item_count(session, watchlist),
            "created": azure_time(watchlist.created_at),
            "updated": azure_time(watchlist.changed_at),
        }
        kind = "Microsoft.SecurityInsights/Watchlists"
        return {"id": self._place(watchlist), "name": watchlist.alias, "type": kind, "properties": properties}
