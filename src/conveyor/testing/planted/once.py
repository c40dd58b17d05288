"""The faults that the system once had, each of which some planted bugs bring back."""

from __future__ import annotations

ONCE = {
    "A1": "a new key, or a no, while a copy of the token is still calling",
    "A2": "after a restore, the keys are not the same",
    "A3": "who is to turn back calls out",
    "A4": "one message to the intake becomes two orders",
    "A5": "a clock, or a date, charges period after period",
    "B1": "what is decided on is read before its lock",
    "C1": "an outage counts as the orders' fault",
    "C2": "a loop ends, or a group fails, where one request did",
    "C3": "orders of a flow that is not installed hide the others",
    "C4": "what a wrong clock stored stands for good",
    "C5": "a refund that is declined is asked for without end",
    "C6": "what gathers for a group fails for all of it",
    "E1": "a call has no deadline",
    "E2": "what a step has begun is not undone",
    "E3": "what is asked again is not what was asked",
    "E5": "a meal that was eaten ends as refused",
}
_BROUGHT_BACK_BY = {
    "A1": "new_key_authorize new_key_capture new_key_ship new_key_charge new_key_travel "
    "anybody_ends_it stale_answers no_leases no_grant",
    "A2": "keys_by_history keys_by_history_charge",
    "A3": "marked_calls marked_calls_food cancel_forgets cancel_while_calling "
    "cancel_while_calling_charge",
    "A4": "intake_keyless redriven_is_new",
    "A5": "years_ahead two_in_a_run",
    "B1": "seats_read_early card_read_early",
    "C1": "counts_outages",
    "C2": "bury_raises poller_ends loop_ends",
    "C3": "blind_reconciler",
    "C4": "clock_steps clock_steps_food nothing_recalled",
    "C5": "refund_loops refund_loops_charge",
    "C6": "bare_gather bare_gather_travel",
    "E1": "no_deadline",
    "E2": "effect_left effect_left_travel",
    "E3": "payload_changes",
    "E5": "eaten_is_refused",
}
STANDS_FOR = {name: fault for fault, names in _BROUGHT_BACK_BY.items() for name in names.split()}
"""The fault that a planted bug brings back, by the bug's name; those not named were never there."""
