"""The tables of the shop flow."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_access()
    _create_bookings()
    _create_resources()
    _create_delivery()
    _create_outbox()
    _create_keys_of_orders()
    _create_orders()
    _create_timeline()
    _create_money()
    _create_stock()
    _create_shipments()
    _create_plans()
    _create_renewals()
    _create_restaurants()
    _create_riders()
    _create_offers()


def _create_access() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def _create_bookings() -> None:
    op.create_table(
        "bookings",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("leg", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "state IN ('held', 'waiting', 'booked', 'expired', 'released', 'refused')",
            name="bookings_state",
        ),
        sa.PrimaryKeyConstraint("order_id", "leg"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "bookings_waiting",
        "bookings",
        ["merchant", "resource", "number"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "bookings_held",
        "bookings",
        ["until"],
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )


def _create_resources() -> None:
    op.create_table(
        "resources",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("capacity", sa.BigInteger(), nullable=False),
        sa.Column("overbooking", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("booked", sa.BigInteger(), nullable=False),
        sa.Column("waiting", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "capacity >= 0 AND held >= 0 AND booked >= 0 AND waiting >= 0",
            name="resources_not_negative",
        ),
        sa.CheckConstraint("overbooking BETWEEN 0 AND 100", name="resources_overbooking"),
        sa.CheckConstraint(
            "(held + booked) * 100 <= capacity * (100 + overbooking)",
            name="resources_within_limit",
        ),
        sa.PrimaryKeyConstraint("merchant", "name"),
        sqlite_with_rowid=False,
    )


def _create_delivery() -> None:
    op.create_table(
        "calls",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("intended_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("order_id", "step", "attempt"),
        sqlite_with_rowid=False,
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("order_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("outbox_due", "outbox", ["due_at"])
    op.create_index(
        "outbox_held",
        "outbox",
        ["order_id"],
        sqlite_where=sa.text("held"),
        postgresql_where=sa.text("held"),
    )
    op.create_table(
        "turns",
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("group_key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "parked",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("was", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("traceback", sa.Text(), nullable=False),
        sa.Column("parked_at", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_id"),
    )
    op.create_table(
        "request_counts",
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("process"),
        sqlite_with_rowid=False,
    )


def _create_keys_of_orders() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("merchant", "key"),
        sqlite_with_rowid=False,
    )


def _create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("ending", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cancelling", sa.Boolean(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("expected_at", sa.BigInteger(), nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("total >= 0", name="orders_total_not_negative"),
        sa.PrimaryKeyConstraint("id"),
        postgresql_with={"fillfactor": 75},
    )
    op.create_index("orders_by_merchant", "orders", ["merchant", "id"])
    op.create_index(
        "orders_open",
        "orders",
        ["id"],
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_index(
        "orders_by_turn",
        "orders",
        ["group_key", "sequence"],
        sqlite_where=sa.text("sequence > 0"),
        postgresql_where=sa.text("sequence > 0"),
    )


def _create_timeline() -> None:
    op.create_table(
        "timeline",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("timeline_by_order", "timeline", ["order_id"])


def _create_money() -> None:
    op.create_table(
        "payments",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("authorized", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("voided", sa.Boolean(), nullable=False),
        sa.Column("captures", sa.Integer(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("fee BETWEEN 0 AND authorized", name="payments_fee_in_authorized"),
        sa.CheckConstraint("authorized >= 0", name="payments_authorized_not_negative"),
        sa.CheckConstraint(
            "captured BETWEEN 0 AND authorized", name="payments_captured_in_authorized"
        ),
        sa.CheckConstraint("captures = 0 OR NOT voided", name="payments_not_captured_and_voided"),
        sa.CheckConstraint("captures BETWEEN 0 AND 1", name="payments_captured_once"),
        sa.CheckConstraint("refunded BETWEEN 0 AND captured", name="payments_refunded_in_captured"),
        sa.PrimaryKeyConstraint("order_id"),
        sqlite_with_rowid=False,
    )


def _create_stock() -> None:
    op.create_table(
        "reservations",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('reserved', 'released', 'sold')", name="reservations_state"),
        sa.PrimaryKeyConstraint("order_id", "line"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stock",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("sold", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("available + reserved + sold = received", name="stock_adds_up"),
        sa.CheckConstraint(
            "available >= 0 AND reserved >= 0 AND sold >= 0", name="stock_not_negative"
        ),
        sa.PrimaryKeyConstraint("merchant", "sku"),
        sqlite_with_rowid=False,
    )


def _create_shipments() -> None:
    op.create_table(
        "shipments",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("carrier_key", sa.Text(), nullable=False),
        sa.Column("tracking", sa.Text(), nullable=False),
        sa.Column("enquiries", sa.Integer(), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('requested', 'dispatched', 'delivered', 'rejected')", name="shipments_state"
        ),
        sa.PrimaryKeyConstraint("order_id"),
        sqlite_with_rowid=False,
    )


def _create_plans() -> None:
    op.create_table(
        "plans",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("trial_days", sa.Integer(), nullable=False),
        sa.Column("retry_days", sa.Text(), nullable=False),
        sa.Column("grace_days", sa.Integer(), nullable=False),
        sa.Column("afterwards", sa.Text(), nullable=False),
        sa.CheckConstraint("price >= 0 AND months > 0", name="plans_price_and_months"),
        sa.PrimaryKeyConstraint("merchant", "id"),
    )
    op.create_table(
        "subscriptions",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("next_plan", sa.Text(), nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("new_card", sa.Boolean(), nullable=False),
        sa.Column("anchor", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("paid_until", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("past_due_since", sa.BigInteger(), nullable=True),
        sa.Column("cancel_at_end", sa.Boolean(), nullable=False),
        sa.Column("share", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("merchant", "id"),
        postgresql_with={"fillfactor": 75},
    )
    op.create_index(
        "subscriptions_due",
        "subscriptions",
        ["merchant", "due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )


def _create_renewals() -> None:
    op.create_table(
        "renewals",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("period", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'extended', 'ended', 'retracted')", name="renewals_state"
        ),
        sa.PrimaryKeyConstraint("merchant", "subscription", "period"),
        sa.UniqueConstraint("order_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "renewal_controls",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("per_cent", sa.Float(), nullable=False),
        sa.Column("per_second", sa.Float(), nullable=True),
        sa.Column("free_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("merchant"),
    )


def _create_restaurants() -> None:
    op.create_table(
        "restaurants",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("hours", sa.Text(), nullable=False),
        sa.Column("max_preparing", sa.Integer(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("simulated", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("merchant", "id"),
    )
    op.create_table(
        "tickets",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("restaurant", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("ready_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('asked', 'accepted', 'ready', 'collected', 'rejected', 'lapsed', "
            "'withdrawn')",
            name="tickets_state",
        ),
        sa.PrimaryKeyConstraint("order_id"),
    )
    op.create_index(
        "tickets_awaiting",
        "tickets",
        ["asked_at"],
        sqlite_where=sa.text("state IN ('asked', 'accepted')"),
        postgresql_where=sa.text("state IN ('asked', 'accepted')"),
    )
    op.create_index("tickets_by_state", "tickets", ["merchant", "restaurant", "state"])


def _create_riders() -> None:
    op.create_table(
        "fleets",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("merchant"),
    )
    op.create_table(
        "riders",
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("shift_until", sa.BigInteger(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("load", sa.Integer(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("simulated", sa.Text(), nullable=False),
        sa.CheckConstraint("load >= 0 AND load <= capacity", name="riders_load_in_capacity"),
        sa.PrimaryKeyConstraint("merchant", "id"),
    )
    op.create_index("riders_by_place", "riders", ["merchant", "latitude"])


def _create_offers() -> None:
    op.create_table(
        "offers",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("rider", sa.Text(), nullable=False),
        sa.Column("merchant", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("metres", sa.Integer(), nullable=False),
        sa.Column("offered_at", sa.BigInteger(), nullable=False),
        sa.Column("answer_by", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'accepted', 'picked_up', 'delivered', 'declined', 'lapsed', "
            "'lost', 'withdrawn')",
            name="offers_state",
        ),
        sa.PrimaryKeyConstraint("order_id", "rider"),
    )
    op.create_index(
        "offers_one_standing",
        "offers",
        ["order_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('open', 'accepted', 'picked_up', 'delivered')"),
        postgresql_where=sa.text("state IN ('open', 'accepted', 'picked_up', 'delivered')"),
    )
    op.create_index(
        "offers_live",
        "offers",
        ["changed_at"],
        sqlite_where=sa.text("state IN ('open', 'accepted', 'picked_up')"),
        postgresql_where=sa.text("state IN ('open', 'accepted', 'picked_up')"),
    )
    op.create_index("offers_by_rider", "offers", ["merchant", "rider", "state"])


def downgrade() -> None:
    for name in ("offers", "riders", "fleets", "tickets", "restaurants"):
        op.drop_table(name)
    op.drop_table("renewal_controls")
    op.drop_table("renewals")
    op.drop_table("subscriptions")
    op.drop_table("plans")
    op.drop_table("timeline")
    op.drop_table("stock")
    op.drop_table("shipments")
    op.drop_table("reservations")
    op.drop_table("payments")
    op.drop_table("parked")
    op.drop_table("outbox")
    op.drop_table("orders")
    op.drop_table("idempotency_keys")
    op.drop_table("turns")
    op.drop_table("resources")
    op.drop_table("bookings")
    op.drop_table("request_counts")
    op.drop_table("calls")
    op.drop_table("api_keys")
