"""Every package that has tables, imported so that the registry knows them all."""

import guardship.automation.assets
import guardship.automation.jobs
import guardship.automation.runbooks
import guardship.cloud.accounts
import guardship.containment.isolations
import guardship.detection.alerts
import guardship.detection.incidents
import guardship.detection.rules
import guardship.identity.approvals
import guardship.identity.audit
import guardship.identity.sessions
import guardship.identity.tokens
import guardship.identity.users
import guardship.playbooks.automation_rules
import guardship.playbooks.batches
import guardship.playbooks.connections
import guardship.playbooks.journal_tables
import guardship.playbooks.library
import guardship.playbooks.standing
import guardship.storage.blobs
import guardship.storage.outbox
import guardship.workspace.ingest_tokens
import guardship.workspace.saved_searches
import guardship.workspace.watchlists  # noqa: F401
from guardship.storage.schema import METADATA as METADATA
