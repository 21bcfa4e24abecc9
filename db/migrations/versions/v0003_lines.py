"""Lines executed on the screen split, beside an evaluation."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("evaluation", sa.Column("lines", sa.Integer(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("a ledger is never downgraded: nothing in it is deleted")
