"""The person behind who asks for an approval or starts a job, and the approval that brings a timer forward.

Revision 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_IS_SET = sa.text("approval_id IS NOT NULL")


def upgrade() -> None:
    with op.batch_alter_table("identity_approval", schema=None) as batch_op:
        batch_op.add_column(sa.Column("person", sa.String(length=200), nullable=True))
    with op.batch_alter_table("automation_job", schema=None) as batch_op:
        batch_op.add_column(sa.Column("person", sa.String(length=200), nullable=True))
    with op.batch_alter_table("playbooks_timer", schema=None) as batch_op:
        batch_op.add_column(sa.Column("approval_id", sa.String(length=40), nullable=True))
        batch_op.create_index("ix_playbooks_timer_approval", ["approval_id"], sqlite_where=_IS_SET, postgresql_where=_IS_SET)


def downgrade() -> None:
    with op.batch_alter_table("playbooks_timer", schema=None) as batch_op:
        batch_op.drop_index("ix_playbooks_timer_approval")
        batch_op.drop_column("approval_id")
    with op.batch_alter_table("automation_job", schema=None) as batch_op:
        batch_op.drop_column("person")
    with op.batch_alter_table("identity_approval", schema=None) as batch_op:
        batch_op.drop_column("person")
