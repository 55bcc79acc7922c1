"""The journal's plain statements, with named places; where the two databases differ, a word is filled in once.

The time of leases is the database's own on PostgreSQL, where several processes share it; on SQLite there is one, and its clock is passed in.
"""

from dataclasses import dataclass

from guardship.playbooks.journal_tables import MESSAGE


@dataclass(frozen=True, slots=True)
class Words:
    now: str
    run_ids: str  # rows of the JSON list `:run_ids`
    unlocked: str  # passes over rows that another process is working on
    left: str  # a lease of a process that is gone: `:seat` begins the names of all that ever worked for the one that starts


SQLITE = Words(":now", "SELECT value FROM json_each(:run_ids)", "", "lease_owner IS NOT NULL")
POSTGRES = Words(
    "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
    "SELECT json_array_elements_text(CAST(:run_ids AS json))",
    "FOR UPDATE SKIP LOCKED",
    "lease_owner IS NOT NULL AND :seat <> '' AND starts_with(lease_owner, :seat)",
)

MESSAGE_COLUMNS = [column.name for column in MESSAGE.columns]
_FREED = "UPDATE playbooks_run SET lease_owner=NULL, lease_until=NULL, wake=TRUE WHERE ended_at IS NULL AND"


LEASE_SECONDS = 30
LEASE_MICROS = LEASE_SECONDS * 1_000_000


class Statements:
    def __init__(self, words: Words) -> None:
        now = words.now
        self.find_run = "SELECT run_id, number FROM playbooks_run WHERE playbook_id=:playbook_id AND dedup_key=:dedup_key"
        self.lease = (
            f"UPDATE playbooks_run SET lease_owner=:worker, lease_epoch=lease_epoch+1, lease_until={now}+:span, wake=FALSE "  # noqa: S608  # our own words
            f"WHERE run_id=:run_id AND ended_at IS NULL AND (lease_owner IS NULL OR lease_until < {now}) RETURNING run_id, lease_epoch, version"
        )
        self.renew = (
            f"UPDATE playbooks_run SET lease_until={now}+:span "  # noqa: S608  # our own words
            f"WHERE lease_owner=:worker AND ended_at IS NULL AND run_id IN ({words.run_ids})"
        )
        self.release = (
            "UPDATE playbooks_run SET lease_owner=NULL, lease_until=NULL WHERE run_id=:run_id AND lease_epoch=:epoch "
            "AND NOT EXISTS (SELECT 1 FROM playbooks_message m WHERE m.run_id=playbooks_run.run_id AND m.taken_seq IS NULL) "
            "AND NOT EXISTS (SELECT 1 FROM playbooks_timer t WHERE t.run_id=playbooks_run.run_id AND t.fired_at IS NOT NULL)"
        )
        self.give_back = f"{_FREED} run_id=:run_id AND lease_epoch=:epoch"
        self.free_leftovers = f"{_FREED} {words.left}"
        self.fire = (
            "UPDATE playbooks_timer SET fired_at=:at WHERE (run_id, key) IN (SELECT run_id, key FROM playbooks_timer "  # noqa: S608  # our own words
            f"WHERE fired_at IS NULL AND due_at <= :at ORDER BY due_at LIMIT 200 {words.unlocked}) RETURNING run_id"
        )
        self.fire_answered = "UPDATE playbooks_timer SET fired_at=:at WHERE approval_id=:approval_id AND fired_at IS NULL RETURNING run_id"
        self.insert_message = (
            f"INSERT INTO playbooks_message ({', '.join(MESSAGE_COLUMNS)}) "  # noqa: S608  # our own column names
            f"VALUES ({', '.join(f':{name}' for name in MESSAGE_COLUMNS)}) ON CONFLICT DO NOTHING"
        )
        self.waiting_work = (
            f"SELECT run_id, priority, playbook_id FROM playbooks_run r WHERE ended_at IS NULL AND (lease_until < {now} "  # noqa: S608
            "OR lease_owner IS NULL AND (wake "
            "OR EXISTS (SELECT 1 FROM playbooks_message m WHERE m.run_id=r.run_id AND m.taken_seq IS NULL) "
            "OR EXISTS (SELECT 1 FROM playbooks_timer t WHERE t.run_id=r.run_id AND t.fired_at IS NOT NULL))) "
            "ORDER BY priority DESC, accepted_at"
        )
