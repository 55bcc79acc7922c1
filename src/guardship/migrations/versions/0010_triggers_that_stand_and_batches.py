"""Triggers that start a playbook by themselves, and the messages of batches.

Revision 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

from guardship.storage.schema import Json, Moment

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "playbooks_trigger",
        sa.Column("playbook_id", sa.String(40), nullable=False),
        sa.Column("trigger_name", sa.String(200), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("switched_at", Moment(), nullable=False),
        sa.Column("switched_by", sa.String(120), nullable=False),
        sa.Column("recurrence", Json(), nullable=True),
        sa.Column("anchor_at", Moment(), nullable=True),
        sa.Column("due_at", Moment(), nullable=True),
        sa.Column("cursor", Json(), nullable=True),
        sa.Column("last_fired_at", Moment(), nullable=True),
        sa.Column("missed_count", sa.Integer(), nullable=False),
        sa.Column("missed_at", Moment(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("playbook_id", "trigger_name", name=op.f("pk_playbooks_trigger")),
    )
    op.create_index(op.f("ix_playbooks_trigger_due_at"), "playbooks_trigger", ["due_at"])
    op.create_table(
        "playbooks_batch_item",
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("playbook_id", sa.String(40), nullable=False),
        sa.Column("trigger_name", sa.String(200), nullable=False),
        sa.Column("batch_name", sa.String(200), nullable=False),
        sa.Column("partition_name", sa.String(200), nullable=False),
        sa.Column("message_key", sa.String(80), nullable=False),
        sa.Column("message_id", sa.String(200), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("release_id", sa.String(40), nullable=True),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("sent_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_playbooks_batch_item")),
        sa.UniqueConstraint("message_key", name=op.f("uq_playbooks_batch_item_message_key")),
    )
    place = ["playbook_id", "trigger_name", "batch_name", "partition_name"]
    op.create_index("ix_playbooks_batch_item_place", "playbooks_batch_item", place)
    op.create_index(op.f("ix_playbooks_batch_item_release_id"), "playbooks_batch_item", ["release_id"])


def downgrade() -> None:
    op.drop_table("playbooks_batch_item")
    op.drop_table("playbooks_trigger")
