"""The model that a request was meant for, and its temperature."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("proposal", sa.Column("arm", sa.Text(), nullable=True))
    op.add_column("proposal", sa.Column("temperature", sa.Double(), nullable=True))
