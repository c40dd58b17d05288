"""Violations to plant, each with a rule that must name it, and the order that it must name.

`ours` changes our database and `theirs` the provider's and the carrier's; `{shop}` is the id of the
order of that name (see `base`). An order that is gone cannot be named.
"""

from __future__ import annotations

from dataclasses import dataclass

LATE = 7_258_118_400_000  # the year 2200
LONG_AGO = 1_000_000_000_000
AGAIN = (
    "INSERT INTO provider_operations SELECT key || 'b', order_id, operation, {account}, "
    "reference || 'b', {amount}, currency, approved, reason, at FROM provider_operations "
    "WHERE order_id = '{{{order}}}' AND operation = '{operation}'"
)
BELONGINGS = (
    *("outbox", "parked", "calls", "payments", "reservations", "shipments", "tickets", "offers"),
    *("timeline", "bookings"),
)


@dataclass(frozen=True)
class Plant:
    """`names` is the order by its name in the base, or what else must be among the examples."""

    what: str
    rule: str
    names: str
    ours: tuple[str, ...] = ()
    theirs: tuple[str, ...] = ()


def gone(order: str) -> tuple[str, ...]:
    """Delete an order, and all that belongs to it."""
    deletes = (f"DELETE FROM {table} WHERE order_id = '{{{order}}}'" for table in BELONGINGS)
    return (*deletes, f"DELETE FROM orders WHERE id = '{{{order}}}'")


def again(
    order: str, operation: str, account: str = '"authorization"', amount: str = "amount"
) -> str:
    """Let the provider do the same once more."""
    return AGAIN.format(order=order, operation=operation, account=account, amount=amount)


def of(order: str, table: str = "orders", column: str = "order_id") -> str:
    """Write the end of a statement about one order."""
    return f"WHERE {'id' if table == 'orders' else column} = '{{{order}}}'"


EXISTING = (
    Plant("an order with a key is gone", "answered_exists", "declined", gone("declined")),
    Plant("a paid order is gone", "books_equal_provider", "keyless", gone("keyless")),
    Plant(
        "an unpaid order is gone, and its key",
        "nobody_vanished",
        "declined",
        (*gone("declined"), "DELETE FROM idempotency_keys WHERE key = 'k3'"),
        (f"DELETE FROM provider_operations {of('declined', 'p')}",),
    ),
    Plant(
        "completed without a shipment",
        "completed_is_delivered",
        "shop",
        (f"DELETE FROM shipments {of('shop', 's')}",),
    ),
    Plant(
        "the carrier never had a parcel",
        "completed_has_arrived",
        "shop",
        theirs=(f"DELETE FROM carrier_parcels {of('shop', 'c')}",),
    ),
    Plant(
        "the carrier's parcel is lost",
        "completed_has_arrived",
        "shop",
        theirs=(f"UPDATE carrier_parcels SET arrives_at = NULL {of('shop', 'c')}",),
    ),
    Plant(
        "a parcel of an order that was refused",
        "undone_ships_nothing",
        "rejected",
        theirs=(
            (
                "INSERT INTO carrier_parcels SELECT 'x/ship/1', '{rejected}', 'SIMX', taken_at, "
                "arrives_at, tell_at, tries, told_at FROM carrier_parcels LIMIT 1"
            ),
        ),
    ),
    Plant(
        "completed while it awaits the delivery",
        "completed_is_delivered",
        "awaiting",
        (f"UPDATE orders SET status = 'completed', settled_at = 1, position = 5 {of('awaiting')}",),
    ),
    Plant(
        "no timeline",
        "versions_by_one",
        "shop",
        (f"DELETE FROM timeline {of('shop', 't')}",),
    ),
    Plant(
        "an undeclared status",
        "status_declared",
        "shop",
        (f"UPDATE orders SET status = 'lost' {of('shop')}",),
    ),
)
KEYS = (
    Plant(
        "a second key for one order",
        "one_key_one_order",
        "shop",
        (
            (
                "INSERT INTO idempotency_keys SELECT merchant, 'k1b', fingerprint, order_id, "
                "placed_at FROM idempotency_keys WHERE key = 'k1'"
            ),
        ),
    ),
    Plant(
        "the fingerprint of another body",
        "key_of_this_order",
        "shop",
        ("UPDATE idempotency_keys SET fingerprint = '00' WHERE key = 'k1'",),
    ),
    Plant(
        "a key that is lost",
        "key_of_this_order",
        "shop",
        ("DELETE FROM idempotency_keys WHERE key = 'k1'",),
    ),
    Plant(
        "a key of another order",
        "key_of_this_order",
        "shop",
        ("UPDATE idempotency_keys SET order_id = '{keyless}' WHERE key = 'k1'",),
    ),
    Plant(
        "a body that was changed",
        "key_of_this_order",
        "shop",
        (f"UPDATE orders SET body = replace(body, 'CD', 'DVD') {of('shop')}",),
    ),
)
MONEY = (
    Plant(
        "authorized twice",
        "books_equal_provider",
        "shop",
        theirs=(again("shop", "authorize", "reference || 'b'"),),
    ),
    Plant("captured twice", "books_equal_provider", "shop", theirs=(again("shop", "capture"),)),
    Plant(
        "two captures recorded",
        "captured_within_authorized",
        "shop",
        (f"UPDATE payments SET captures = 2 {of('shop', 'p')}",),
    ),
    Plant(
        "captured more than authorized, on both sides",
        "captured_within_authorized",
        "shop",
        (f"UPDATE payments SET authorized = 1 {of('shop', 'p')}",),
        (
            (
                f"UPDATE provider_operations SET amount = 1 {of('shop', 'p')} "
                "AND operation = 'authorize'"
            ),
        ),
    ),
    Plant(
        "a total that was lowered",
        "total_as_ordered",
        "shop",
        (f"UPDATE orders SET total = total - 1 {of('shop')}",),
    ),
    Plant(
        "charged too much everywhere",
        "total_as_ordered",
        "shop",
        (
            f"UPDATE orders SET total = total + 1 {of('shop')}",
            (
                f"UPDATE payments SET authorized = authorized + 1, captured = captured + 1 "
                f"{of('shop', 'p')}"
            ),
        ),
        (f"UPDATE provider_operations SET amount = amount + 1 {of('shop', 'p')}",),
    ),
    Plant(
        "a fee of an order that was refused",
        "fee_by_policy",
        "rejected",
        (f"UPDATE payments SET fee = 1, refunded = refunded - 1 {of('rejected', 'p')}",),
        (
            (
                f"UPDATE provider_operations SET amount = amount - 1 {of('rejected', 'p')} "
                "AND operation = 'refund'"
            ),
        ),
    ),
    Plant(
        "a fee that was forgiven",
        "fee_by_policy",
        "fee",
        (
            (
                "UPDATE payments SET fee = 0, captured = 0, captures = 0, voided = TRUE "
                f"{of('fee', 'p')}"
            ),
        ),
        (
            (
                f"UPDATE provider_operations SET operation = 'void' {of('fee', 'p')} "
                "AND operation = 'capture'"
            ),
        ),
    ),
    Plant(
        "a refund that the provider does not know",
        "books_equal_provider",
        "rejected",
        theirs=(f"DELETE FROM provider_operations {of('rejected', 'p')} AND operation = 'refund'",),
    ),
    Plant(
        "a refund of a completed order, on both sides",
        "completed_is_paid",
        "shop",
        (f"UPDATE payments SET refunded = 1 {of('shop', 'p')}",),
        (
            again("shop", "capture", amount="1").replace(
                "order_id, operation,", "order_id, 'refund',"
            ),
        ),
    ),
    Plant(
        "books that differ behind an open call",
        "no_call_in_doubt",
        "shop",
        (
            (
                "INSERT INTO calls (order_id, step, attempt, state, intended_at, "
                "may_run_until, taken, request) "
                "VALUES ('{shop}', 'shipping.ship', 9, 'unknown', 1, 1, 1, '')"
            ),
            f"UPDATE payments SET captured = captured - 1 {of('shop', 'p')}",
        ),
    ),
    Plant(
        "captured twice behind a call that is open for years",
        "books_equal_provider",
        "awaiting",
        (
            (
                "INSERT INTO calls (order_id, step, attempt, state, intended_at, "
                "may_run_until, taken, request) "
                "VALUES ('{awaiting}', 'payments.capture', 9, 'unknown', 1, 1, 1, '')"
            ),
        ),
        (again("awaiting", "capture"),),
    ),
    Plant(
        "a call of a step that is over",
        "call_of_its_step",
        "awaiting",
        (
            (
                "INSERT INTO calls (order_id, step, attempt, state, intended_at, "
                "may_run_until, taken, request) "
                "VALUES ('{awaiting}', 'payments.capture', 9, 'unknown', 1, 1, 1, '')"
            ),
        ),
    ),
    Plant(
        "an authorization that was left open",
        "undone_owes_nothing",
        "rejected",
        (f"UPDATE payments SET captured = 0, captures = 0, refunded = 0 {of('rejected', 'p')}",),
    ),
    Plant(
        "another currency",
        "captured_within_authorized",
        "shop",
        (f"UPDATE payments SET currency = 'EUR' {of('shop', 'p')}",),
    ),
    Plant(
        "completed without a payment",
        "completed_is_paid",
        "shop",
        (f"DELETE FROM payments {of('shop', 'p')}",),
        (f"DELETE FROM provider_operations {of('shop', 'p')}",),
    ),
)
GOODS = (
    Plant("sold more", "stock_adds_up", "default/CD", ("UPDATE stock SET sold = sold + 1",)),
    Plant("no such stock", "what_it_needs_is_there", "shop", ("DELETE FROM stock",)),
    Plant(
        "sold, and available again",
        "goods_as_ordered",
        "shop",
        (
            f"UPDATE reservations SET state = 'released' {of('shop', 'r')}",
            "UPDATE stock SET sold = sold - 2, available = available + 2",
        ),
    ),
    Plant(
        "one sold where two were ordered",
        "goods_as_ordered",
        "shop",
        (
            f"UPDATE reservations SET quantity = 1 {of('shop', 'r')}",
            "UPDATE stock SET sold = sold - 1, available = available + 1",
        ),
    ),
    Plant(
        "nothing sold",
        "goods_as_ordered",
        "shop",
        (
            f"DELETE FROM reservations {of('shop', 'r')}",
            "UPDATE stock SET sold = sold - 2, available = available + 2",
        ),
    ),
    Plant(
        "nothing sold while it is on its way",
        "goods_as_ordered",
        "awaiting",
        (
            f"DELETE FROM reservations {of('awaiting', 'r')}",
            "UPDATE stock SET sold = sold - 1, available = available + 1",
        ),
    ),
    Plant(
        "stock still held for an order that was refused",
        "no_reservation_stranded",
        "rejected",
        (f"UPDATE reservations SET state = 'reserved' {of('rejected', 'r')}",),
    ),
    Plant("no such flight", "what_it_needs_is_there", "journey", ("DELETE FROM resources",)),
    Plant(
        "a journey without a seat",
        "journey_as_ordered",
        "journey",
        (
            f"DELETE FROM bookings {of('journey', 'b')}",
            "UPDATE resources SET booked = 0, asked = 2",
        ),
    ),
    Plant(
        "one waits less",
        "seats_add_up",
        "default/flight/F1/2030-01-01",
        ("UPDATE resources SET waiting = waiting - 1",),
    ),
    Plant(
        "a seat of a journey that is not booked",
        "bookings_follow_orders",
        "journey",
        (f"UPDATE bookings SET state = 'held' {of('journey', 'b')}",),
    ),
    Plant(
        "a cancelled journey that still waits for a seat",
        "bookings_follow_orders",
        "waits",
        (
            (
                "UPDATE orders SET status = 'cancelled', ending = 'cancelled', settled_at = 1 "
                f"{of('waits')}"
            ),
        ),
    ),
    Plant(
        "no such rider",
        "what_it_needs_is_there",
        "meal",
        (
            f"UPDATE offers SET state = 'accepted' {of('meal', 'o')}",
            "DELETE FROM riders",
        ),
    ),
    Plant("a rider's load", "rider_load", "r1", ("UPDATE riders SET load = 1 WHERE id = 'r1'",)),
    Plant(
        "no such kitchen",
        "what_it_needs_is_there",
        "meal",
        (
            f"UPDATE tickets SET state = 'ready' {of('meal', 't')}",
            "DELETE FROM restaurants",
        ),
    ),
)
TOKENS = (
    Plant(
        "an order that awaits an answer, of a month that was detached",
        "detached_have_ended",
        "awaiting",
        (f"INSERT INTO detached_months SELECT id, id, id || '0', 1 FROM orders {of('awaiting')}",),
    ),
    Plant(
        "no token, and expected in the year 2200",
        "nothing_out_of_reach",
        "awaiting",
        (
            f"DELETE FROM outbox {of('awaiting', 'o')}",
            f"UPDATE orders SET status = 'processing', expected_at = {LATE} {of('awaiting')}",
        ),
    ),
    Plant(
        "a token that is due in the year 2200",
        "nothing_out_of_reach",
        "awaiting",
        (
            f"UPDATE outbox SET due_at = {LATE} {of('awaiting', 'o')}",
            f"UPDATE orders SET status = 'processing', expected_at = {LATE} {of('awaiting')}",
        ),
    ),
    Plant(
        "a deadline in the year 2200",
        "nothing_out_of_reach",
        "awaiting",
        (
            f"UPDATE outbox SET due_at = {LATE} {of('awaiting', 'o')}",
            f"UPDATE orders SET expected_at = {LATE} {of('awaiting')}",
        ),
    ),
    Plant(
        "a token of another step",
        "token_of_its_step",
        "awaiting",
        (
            (
                "UPDATE outbox SET queue = 'orders', step = 'orders.complete', due_at = 1 "
                f"{of('awaiting', 'o')}"
            ),
        ),
    ),
    Plant(
        "no token, and overdue for years",
        "overdue_has_a_token",
        "awaiting",
        (
            f"DELETE FROM outbox {of('awaiting', 'o')}",
            f"UPDATE orders SET status = 'processing', expected_at = {LONG_AGO} {of('awaiting')}",
        ),
    ),
    Plant(
        "a token of an order at its end",
        "settled_owes_no_token",
        "shop",
        ("INSERT INTO outbox SELECT '{shop}', 7, 'orders', 'orders.end', '', 1, 0, FALSE, ''",),
    ),
    Plant(
        "an old token",
        "token_is_current",
        "awaiting",
        (f"UPDATE outbox SET version = version - 1 {of('awaiting', 'o')}",),
    ),
    Plant(
        "parked, and completed",
        "parked_has_cause",
        "shop",
        (
            (
                "INSERT INTO parked SELECT '{shop}', was, queue, group_key, step, cause, attempts, "
                "traceback, parked_at, sequence FROM parked LIMIT 1"
            ),
        ),
    ),
    Plant(
        "parked without a cause",
        "parked_has_cause",
        "parked",
        (f"DELETE FROM parked {of('parked', 'p')}",),
    ),
)
STORIES = (
    Plant(
        "a version was skipped",
        "versions_by_one",
        "shop",
        (f"UPDATE orders SET version = version + 1 {of('shop')}",),
    ),
    Plant(
        "a version was skipped on the way",
        "versions_by_one",
        "awaiting",
        (
            f"UPDATE orders SET version = version + 1 {of('awaiting')}",
            f"UPDATE outbox SET version = version + 1 {of('awaiting', 'o')}",
        ),
    ),
    Plant(
        "a step was skipped",
        "along_the_slip",
        "awaiting",
        (f"UPDATE orders SET position = position + 1 {of('awaiting')}",),
    ),
    Plant(
        "money kept of an order of an unknown flow",
        "undone_owes_nothing",
        "shop",
        (
            (
                "UPDATE orders SET flow = 'ghost@9', status = 'cancelled', ending = 'cancelled' "
                f"{of('shop')}"
            ),
            f"UPDATE timeline SET event = 'cancelled' {of('shop', 't')} AND event = 'completed'",
        ),
    ),
    Plant(
        "who came later has the seat",
        "nobody_overtook",
        "waits_too",
        (
            f"UPDATE bookings SET state = 'booked' {of('waits_too', 'b')}",
            "UPDATE resources SET booked = 2, waiting = 1, capacity = 2",
        ),
    ),
    Plant(
        "taken out of turn",
        "bookings_in_turn",
        "waits",
        (f"UPDATE bookings SET turn = 99 {of('journey', 'b')}",),
    ),
    Plant(
        "a turn that was never given",
        "turns_are_given",
        "waits",
        (f"UPDATE orders SET sequence = 999, group_key = 'bookings/x' {of('waits')}",),
    ),
    Plant(
        "a compensation that ran twice",
        "compensated_once",
        "rejected",
        (
            (
                "INSERT INTO timeline (order_id, version, at, event, step, attempt, detail) "
                "SELECT order_id, version, at, event, step, attempt, detail FROM timeline "
                f"{of('rejected', 't')} AND step = 'payments.refund' AND event = 'done'"
            ),
        ),
    ),
    Plant(
        "a compensation that is missing",
        "compensated_whole",
        "rejected",
        (f"DELETE FROM timeline {of('rejected', 't')} AND step = 'inventory.release'",),
    ),
    Plant(
        "compensations in the wrong order",
        "compensated_in_reverse",
        "rejected",
        (
            (
                "UPDATE timeline SET version = CASE step WHEN 'inventory.release' THEN 5 "
                "ELSE 6 END "
                f"{of('rejected', 't')} AND step IN ('inventory.release', 'payments.refund') "
                "AND event = 'done'"
            ),
        ),
    ),
    Plant(
        "it ended twice",
        "ended_once",
        "shop",
        (
            (
                "INSERT INTO timeline (order_id, version, at, event, step, attempt, detail) "
                "SELECT order_id, version, at, event, step, attempt, detail FROM timeline "
                f"{of('shop', 't')} AND event = 'completed'"
            ),
        ),
    ),
)
MERCHANTS = (
    Plant(
        "another merchant's order",
        "key_of_its_merchant",
        "shop",
        (f"UPDATE orders SET merchant = 'evil' {of('shop')}",),
    ),
    Plant(
        "another merchant's meal",
        "of_one_merchant",
        "meal",
        (
            "DELETE FROM idempotency_keys WHERE key = 'f1'",
            f"UPDATE orders SET merchant = 'evil' {of('meal')}",
        ),
    ),
    Plant(
        "another merchant's seat",
        "of_one_merchant",
        "journey",
        (
            "DELETE FROM idempotency_keys WHERE key = 't1'",
            f"UPDATE orders SET merchant = 'evil' {of('journey')}",
        ),
    ),
    Plant(
        "another merchant's renewal",
        "of_one_merchant",
        "",
        (
            "DELETE FROM idempotency_keys WHERE key LIKE 'renewal/%'",
            "UPDATE orders SET merchant = 'evil' WHERE flow = 'renewal@1'",
        ),
    ),
)
OTHERS = (
    Plant(
        "a subscription that is due in the year 2200",
        "renewal_in_reach",
        "s1",
        (f"UPDATE subscriptions SET due_at = {LATE} WHERE id = 's1'",),
    ),
    Plant(
        "a subscription that nobody will renew",
        "no_subscription_forgotten",
        "s1",
        ("UPDATE subscriptions SET due_at = NULL WHERE id = 's1'",),
    ),
    Plant(
        "no such subscription",
        "what_it_needs_is_there",
        "",
        ("DELETE FROM subscriptions",),
    ),
    Plant(
        "a period that was not charged",
        "extended_iff_charged",
        "",
        (
            (
                "DELETE FROM payments WHERE order_id IN "
                "(SELECT order_id FROM renewals WHERE subscription = 's1')"
            ),
        ),
        (
            (
                "DELETE FROM provider_operations WHERE order_id IN (SELECT DISTINCT order_id "
                "FROM provider_operations WHERE operation = 'charge' AND approved)"
            ),
        ),
    ),
    Plant(
        "paid until another day",
        "paid_until_agrees",
        "s1",
        ("UPDATE subscriptions SET paid_until = paid_until + 86400000 WHERE id = 's1'",),
    ),
    Plant(
        "two riders",
        "one_rider_an_order",
        "meal",
        (
            "DROP INDEX offers_one_standing",
            (
                "INSERT INTO offers SELECT order_id, 'r9', merchant, 9, 'delivered', metres, "
                f"offered_at, answer_by, changed_at FROM offers {of('meal', 'o')} LIMIT 1"
            ),
        ),
    ),
    Plant(
        "a meal that was brought, and undone by nobody",
        "written_off_by_somebody",
        "fee",
        (
            (
                "INSERT INTO timeline (order_id, version, at, event, step, attempt, detail) SELECT "
                f"id, version, updated_at, 'done', 'riders.deliver', 1, '' FROM orders {of('fee')}"
            ),
        ),
    ),
    Plant(
        "a meal that nobody brought",
        "meal_delivered",
        "meal",
        (f"UPDATE offers SET state = 'declined' {of('meal', 'o')}",),
    ),
    Plant(
        "a kitchen that still prepares",
        "meal_cleared",
        "fee",
        (f"UPDATE tickets SET state = 'ready' {of('fee', 't')}",),
    ),
    Plant(
        "what belongs to no order",
        "belongs_to_an_order",
        "",
        (
            (
                "INSERT INTO parked SELECT 'nobody', was, queue, group_key, step, cause, attempts, "
                "traceback, parked_at, sequence FROM parked LIMIT 1"
            ),
        ),
    ),
)
FURTHER = (
    Plant(
        "awaits what was never dispatched",
        "completed_is_delivered",
        "awaiting",
        ("DELETE FROM shipments WHERE order_id = '{awaiting}'",),
    ),
    Plant(
        "another parcel than the carrier's",
        "completed_has_arrived",
        "shop",
        ("UPDATE shipments SET tracking = 'X' WHERE order_id = '{shop}'",),
    ),
    Plant(
        "another customer than was said",
        "total_as_ordered",
        "keyless",
        ("UPDATE orders SET customer = '2' WHERE id = '{keyless}'",),
    ),
    Plant(
        "another currency than was said",
        "total_as_ordered",
        "keyless",
        ("UPDATE orders SET currency = 'EUR' WHERE id = '{keyless}'",),
    ),
    Plant(
        "more seats than the leg wants",
        "journey_as_ordered",
        "journey",
        (
            "UPDATE bookings SET quantity = 2 WHERE order_id = '{journey}'",
            "UPDATE resources SET booked = 2, capacity = 2",
        ),
    ),
    Plant(
        "waits for another flight than was ordered",
        "journey_as_ordered",
        "waits",
        ("UPDATE bookings SET resource = 'flight/F2/2030-01-01' WHERE order_id = '{waits}'",),
    ),
    Plant(
        "a token that was never sent",
        "overdue_has_a_token",
        "awaiting",
        (f"UPDATE outbox SET due_at = {LONG_AGO} WHERE order_id = '{{awaiting}}'",),
    ),
    Plant(
        "parked at another step",
        "parked_at_its_step",
        "parked",
        ("UPDATE parked SET step = 'orders.complete' WHERE order_id = '{parked}'",),
    ),
    Plant("a plan that is gone", "plan_exists", "s1", ("DELETE FROM plans",)),
    Plant(
        "two orders deleted whole, one after the other",
        "nobody_vanished",
        "declined",
        (
            *gone("rejected"),
            *gone("declined"),
            "DELETE FROM idempotency_keys WHERE key IN ('k2', 'k3')",
        ),
    ),
)
REFUNDS = (
    Plant(
        "refunded, and its money was kept",
        "refunded_is_given_back",
        "refunded",
        (f"UPDATE payments SET refunded = 0 {of('refunded', 'p')}",),
        (f"DELETE FROM provider_operations {of('refunded', 'p')} AND operation = 'refund'",),
    ),
    Plant(
        "refunded, and its goods are available again",
        "goods_as_ordered",
        "refunded",
        (
            f"UPDATE reservations SET state = 'released' {of('refunded', 'r')}",
            "UPDATE stock SET sold = sold - 2, available = available + 2",
        ),
    ),
    Plant(
        "refunded, and no parcel ever arrived",
        "completed_has_arrived",
        "refunded",
        theirs=(f"DELETE FROM carrier_parcels {of('refunded', 'c')}",),
    ),
    Plant(
        "refunded, and nobody asked for it",
        "refunded_by_somebody",
        "refunded",
        (f"DELETE FROM timeline {of('refunded', 't')} AND event = 'refund_asked'",),
    ),
    Plant(
        "refunded, and more was undone than its money",
        "refunded_alone",
        "refunded",
        (
            (
                f"UPDATE timeline SET step = 'inventory.release' {of('refunded', 't')} "
                "AND step = 'payments.refund'"
            ),
        ),
    ),
    Plant(
        "completed, and its money went back as by a refund",
        "completed_is_paid",
        "refunded",
        (
            (
                "UPDATE orders SET status = 'completed', ending = '', position = 5, reason = '' "
                f"{of('refunded')}"
            ),
        ),
    ),
)

PLANTS = (
    *FURTHER,
    *EXISTING,
    *KEYS,
    *MONEY,
    *GOODS,
    *TOKENS,
    *STORIES,
    *MERCHANTS,
    *OTHERS,
    *REFUNDS,
)
