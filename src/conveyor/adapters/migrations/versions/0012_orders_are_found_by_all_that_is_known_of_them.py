"""Orders are found by flow, e-mail, reason, how and when they ended, and by their items."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

FLOW = {
    "sqlite": "substr(flow, 1, instr(flow, '@') - 1)",
    "postgresql": "split_part(flow, '@', 1)",
}
EMAIL = {
    "sqlite": "lower(json_extract(body, '$.customer.email'))",
    "postgresql": "lower(CAST(body AS json) #>> '{customer,email}')",
}
SKUS = {
    "sqlite": """
        INSERT INTO order_skus (sku, order_id)
        SELECT DISTINCT json_extract(item.value, '$.sku'), orders.id
        FROM orders, json_each(orders.body, '$.items') AS item
        ORDER BY 1, 2
    """,
    "postgresql": """
        INSERT INTO order_skus (sku, order_id)
        SELECT DISTINCT item ->> 'sku', orders.id
        FROM orders, json_array_elements(CAST(orders.body AS json) -> 'items') AS item
        ORDER BY 1, 2
    """,
}


NAMED = sa.text("reference != ''")


def upgrade() -> None:
    # Whoever sees all merchants has them in order, too; of one merchant's name there are few more.
    _names("id")
    dialect = op.get_context().dialect.name
    email = EMAIL[dialect]
    op.execute(f"CREATE INDEX orders_by_flow ON orders ({FLOW[dialect]}, id)")
    op.execute(f"CREATE INDEX orders_by_email ON orders ({email}, id) WHERE {email} IS NOT NULL")
    op.execute("CREATE INDEX orders_by_reason ON orders (reason, id, ending) WHERE reason != ''")
    op.execute("CREATE INDEX orders_undone ON orders (ending, id) WHERE ending != ''")
    op.execute(
        "CREATE INDEX orders_undoing ON orders (id) WHERE settled_at IS NULL AND ending != ''"
    )
    op.execute(
        "CREATE INDEX orders_by_settling ON orders (settled_at) WHERE settled_at IS NOT NULL"
    )
    op.create_table(
        "order_skus",
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sku", "order_id"),
        sqlite_with_rowid=False,
    )
    op.execute(SKUS[dialect])


def _names(*columns: str) -> None:
    op.drop_index("orders_by_reference", "orders")
    op.drop_index("orders_by_customer", "orders")
    op.create_index("orders_by_customer", "orders", ["customer", *columns])
    op.create_index(
        "orders_by_reference",
        "orders",
        ["reference", *columns],
        sqlite_where=NAMED,
        postgresql_where=NAMED,
    )


def downgrade() -> None:
    _names("merchant", "id")
    op.drop_table("order_skus")
    for name in ("by_settling", "undoing", "undone", "by_reason", "by_email", "by_flow"):
        op.execute(f"DROP INDEX orders_{name}")
