"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "candidate",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=False),
        sa.Column("code_bytes", sa.Integer(), nullable=False),
        sa.Column("nodes", sa.Integer(), nullable=False),
        sa.Column("first_seen", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_candidate")),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("evaluator_version", sa.Text(), nullable=False),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("templates", sa.Text(), nullable=False),
        sa.Column("isolated", sa.Boolean(), nullable=False),
        sa.Column("layers", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("updated", sa.Double(), nullable=False),
        sa.Column("batches_done", sa.Integer(), nullable=False),
        sa.Column("control_of", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["control_of"], ["run.id"], name=op.f("fk_run_control_of")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    op.create_table(
        "entry",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("island", sa.Integer(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("candidate", sa.String(length=64), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("m", sa.Integer(), nullable=False),
        sa.Column("duplicate_of", ROW_ID, nullable=True),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=True),
        sa.Column("archived_from", sa.Integer(), nullable=True),
        sa.Column("archived_to", sa.Integer(), nullable=True),
        sa.Column("tuning_gain", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["candidate"], ["candidate.hash"], name=op.f("fk_entry_candidate")),
        sa.ForeignKeyConstraint(["duplicate_of"], ["entry.id"], name=op.f("fk_entry_duplicate_of")),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_entry_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry")),
        sa.UniqueConstraint("run", "k", "kind", name=op.f("uq_entry_run_k_kind")),
    )
    op.create_index(op.f("ix_entry_candidate"), "entry", ["candidate"])
    op.create_index(
        op.f("ix_entry_run_archived_from_archived_to"), "entry", ["run", "archived_from", "archived_to"]
    )
    op.create_index(op.f("ix_entry_run_candidate"), "entry", ["run", "candidate"])
    op.create_index(op.f("ix_entry_run_batch"), "entry", ["run", "batch"])
    op.create_table(
        "evaluation",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("candidate", sa.String(length=64), nullable=False),
        sa.Column("set_digest", sa.Text(), nullable=False),
        sa.Column("set_name", sa.Text(), nullable=False),
        sa.Column("set_size", sa.Integer(), nullable=False),
        sa.Column("evaluator_version", sa.Text(), nullable=False),
        sa.Column("isolated", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("m", sa.Integer(), nullable=False),
        sa.Column("scores", sa.LargeBinary(), nullable=False),
        sa.Column("values", sa.LargeBinary(), nullable=False),
        sa.Column("cpu", sa.LargeBinary(), nullable=False),
        sa.Column("answers_digest", sa.Text(), nullable=False),
        sa.Column("answers", sa.LargeBinary(), nullable=True),
        sa.Column("output", sa.LargeBinary(), nullable=True),
        sa.Column("marginal", sa.Boolean(), nullable=False),
        sa.Column("slow", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["candidate"], ["candidate.hash"], name=op.f("fk_evaluation_candidate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation")),
        sa.UniqueConstraint(
            "candidate",
            "set_digest",
            "evaluator_version",
            "isolated",
            name=op.f("uq_evaluation_candidate_set_digest_evaluator_version_isolated"),
        ),
    )
    op.create_table(
        "event",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("run", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_event_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_run_kind"), "event", ["run", "kind"])
    op.create_table(
        "proposal",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("r", sa.Integer(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("proposer", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("prompt", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=True),
        sa.Column("finish", sa.Text(), nullable=True),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=True),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cost", sa.Double(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_proposal_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
        sa.UniqueConstraint("run", "k", "r", name=op.f("uq_proposal_run_k_r")),
    )
    op.create_index(op.f("ix_proposal_run_batch"), "proposal", ["run", "batch"])
    op.create_table(
        "export",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("entry", ROW_ID, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["entry.id"], name=op.f("fk_export_entry")),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_export_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_export")),
    )
    op.create_index(op.f("ix_export_run"), "export", ["run"])
    op.create_table(
        "look",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("entry", ROW_ID, nullable=False),
        sa.Column("champion", ROW_ID, nullable=False),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.Column("alpha", sa.Double(), nullable=False),
        sa.Column("p_value", sa.Double(), nullable=False),
        sa.Column("effect", sa.Double(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["champion"], ["entry.id"], name=op.f("fk_look_champion")),
        sa.ForeignKeyConstraint(["entry"], ["entry.id"], name=op.f("fk_look_entry")),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_look_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_look")),
        sa.UniqueConstraint("run", "k", name=op.f("uq_look_run_k")),
    )
    op.create_table(
        "parent",
        sa.Column("child", ROW_ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("parent", ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(["child"], ["entry.id"], name=op.f("fk_parent_child")),
        sa.ForeignKeyConstraint(["parent"], ["entry.id"], name=op.f("fk_parent_parent")),
        sa.PrimaryKeyConstraint("child", "position", name=op.f("pk_parent")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_parent_parent_child"), "parent", ["parent", "child"])
    op.create_table(
        "study",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False),
        sa.Column("entry", ROW_ID, nullable=True),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("n_trials", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["entry"], ["entry.id"], name=op.f("fk_study_entry")),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_study_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study")),
        sa.UniqueConstraint("run", "k", name=op.f("uq_study_run_k")),
    )
    op.create_table(
        "promotion",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("entry", ROW_ID, nullable=False),
        sa.Column("look", ROW_ID, nullable=True),
        sa.Column("gate_score", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["entry"], ["entry.id"], name=op.f("fk_promotion_entry")),
        sa.ForeignKeyConstraint(["look"], ["look.id"], name=op.f("fk_promotion_look")),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name=op.f("fk_promotion_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotion")),
        sa.UniqueConstraint("run", "batch", name=op.f("uq_promotion_run_batch")),
    )
    op.create_table(
        "trial",
        sa.Column("study", ROW_ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("m", sa.Integer(), nullable=False),
        sa.Column("scores", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["study"], ["study.id"], name=op.f("fk_trial_study")),
        sa.PrimaryKeyConstraint("study", "number", name=op.f("pk_trial")),
    )


def downgrade() -> None:
    raise NotImplementedError("a ledger is never downgraded: nothing in it is deleted")
