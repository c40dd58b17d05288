"""Commands that open the data directory themselves, because no server runs."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.driver import bodies, say, say_apart, write_lines

from conveyor.core.order_status import TERMINAL

COMMANDS = (
    *("up", "serve", "work", "migrate", "queues", "keys", "demo", "replay", "audit"),
    *("place", "orders", "stock", "explain", "dead-letters", "intake"),
)
PLAIN = {"orderId": "ORD123", "userId": "U456", "items": ["Item1", "Item2"], "total": 100}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def order(data: Path) -> str:
    """The id of an order that is placed, and stays as it is: nothing runs."""
    placed = say("place", "-", "--data", data, "--json", stdin=json.dumps(bodies(1)[0]))
    identity: str = placed.json()["id"]
    return identity


def test_help_teaches_every_command() -> None:
    said = say("--help")

    assert said.code == 0
    for command in ("up", "demo", "replay", "audit", "explain", "dead-letters", "keys", "work"):
        assert command in said.out
    assert "Exit codes" in said.out


@pytest.mark.parametrize(
    "command",
    COMMANDS,
)
def test_each_command_has_help(command: str) -> None:
    assert say(command, "--help").code == 0


def test_stock_is_set_and_listed(data: Path) -> None:
    level = say("stock", "set", "CD", 7, "--data", data, "--json").json()

    assert level == {"sku": "CD", "received": 7, "available": 7, "reserved": 0, "sold": 0}
    assert say("stock", "list", "--data", data, "--json").json() == [level]
    assert "CD" in say("stock", "list", "--data", data).out


def test_stock_is_imported_from_a_file(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "stock.csv"
    file.write_text("sku,quantity\nCD,7\nLP/12,3\n")

    assert say("stock", "import", file, "--data", data, "--json").json() == {"skus": 2}
    levels = say("stock", "list", "--data", data, "--json").json()
    assert {level["sku"]: level["available"] for level in levels} == {"CD": 7, "LP/12": 3}


def test_a_bad_line_of_a_stock_file_is_named(data: Path) -> None:
    said = say("stock", "import", "-", "--data", data, stdin="CD,7\nLP,many\n")

    assert said.code == 1
    assert "line 2: quantity is 'many'" in said.err


def test_stock_of_one_merchant_is_not_that_of_another(data: Path) -> None:
    say("stock", "set", "CD", 7, "--data", data, "--merchant", "ours")

    assert say("stock", "list", "--data", data, "--merchant", "ours", "--json").json()
    assert say("stock", "list", "--data", data, "--json").json() == []


def test_an_order_is_placed_listed_and_shown(data: Path, order: str) -> None:
    listed = say("orders", "list", "--data", data, "--json").json()
    shown = say("orders", "show", order, "--data", data, "--json").json()

    assert [each["id"] for each in listed] == [order]
    assert shown["status"] == "processing"
    assert shown["step"] == "payments.authorize"
    assert shown["items"] == [{"sku": "CD", "quantity": 1, "unit_price": None}]
    assert "cdnow-1" in say("orders", "list", "--data", data).out
    assert order in say("orders", "show", order, "--data", data).out


def test_a_key_places_one_order_however_often(data: Path) -> None:
    body = json.dumps(bodies(1)[0])

    first = say("place", "-", "--key", "k1", "--data", data, stdin=body)
    again = say("place", "-", "--key", "k1", "--data", data, stdin=body)

    assert first.out == again.out
    assert len(say("orders", "list", "--data", data, "--json").json()) == 1


def test_an_empty_key_is_not_taken_for_none(data: Path) -> None:
    """As of a script whose variable is not set: sent twice, it would be two orders."""
    said = say("place", "-", "--key", "", "--data", data, stdin=json.dumps(bodies(1)[0]))

    assert said.code == 2
    assert "--key: is empty" in said.err
    assert not data.exists()


def test_an_order_that_cannot_be_is_refused_and_the_field_named(data: Path) -> None:
    said = say("place", "-", "--data", data, stdin=json.dumps(bodies(1)[0] | {"total": -1}))

    assert said.code == 1
    assert "total" in said.err


def test_lists_go_on_from_page_to_page(data: Path) -> None:
    rows = "".join(f"SKU{number:04},1\n" for number in range(250))
    say("stock", "import", "-", "--data", data, stdin=rows)

    levels = say("stock", "list", "--limit", 230, "--data", data, "--json").json()

    assert [level["sku"] for level in levels] == [f"SKU{number:04}" for number in range(230)]


def test_a_list_that_is_cut_off_says_so(data: Path) -> None:
    rows = "".join(f"SKU{number:04},1\n" for number in range(4))
    say("stock", "import", "-", "--data", data, stdin=rows)

    cut = say("stock", "list", "--limit", 3, "--data", data)
    whole = say("stock", "list", "--limit", 5, "--data", data)

    assert "SKU0003" not in cut.out
    assert cut.err == "No more than 3 are shown: --limit says how many.\n"
    assert whole.err == ""


def test_an_order_is_cancelled_once_and_says_what_happens(data: Path, order: str) -> None:
    answer = say("orders", "cancel", order, "--data", data, "--json").json()

    again = say("orders", "cancel", order, "--data", data).out

    assert answer == {"outcome": "nothing_to_return", "status": "cancelled", "steps": []}
    assert say("orders", "show", order, "--data", data, "--json").json()["status"] == "cancelled"
    assert again.strip() == "It is cancelled: no money has moved."


def test_the_story_of_an_order_is_told(data: Path, order: str) -> None:
    told = say("explain", order, "--data", data).out
    story = say("explain", order, "--data", data, "--json").json()

    assert order in told
    assert "payments.authorize" in told
    assert story["sentences"][0] in told


def test_watching_an_order_ends_with_it(data: Path, order: str) -> None:
    say("orders", "cancel", order, "--data", data)

    watched = say("orders", "watch", order, "--data", data, "--json")

    assert json.loads(watched.out)["status"] == "cancelled"


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_watching_ends_with_the_order_however_it_ends(data: Path, order: str, status: str) -> None:
    with closing(sqlite3.connect(data / "conveyor.db")) as db, db:
        db.execute("UPDATE orders SET status = ?, settled_at = updated_at", (status,))

    # Apart: what goes on for ever could not be ended here.
    watched = say_apart("orders", "watch", order, "--data", data)

    assert watched.code == 0
    assert status in watched.out


@pytest.mark.parametrize("command", [("orders", "show"), ("orders", "cancel"), ("explain",)])
def test_an_order_that_does_not_exist_is_said_so(data: Path, command: tuple[str, ...]) -> None:
    say("stock", "set", "CD", 1, "--data", data)

    said = say(*command, "01JZZZZZZZZZZZZZZZZZZZZZZZ", "--data", data)

    assert said.code == 1
    assert said.err == "Error: There is no such order.\n"


@pytest.mark.parametrize("order", ["", "..", "../stock", "a/b", "?limit=1"])
@pytest.mark.parametrize(
    "command",
    [
        *(("orders", "show"), ("orders", "cancel"), ("orders", "watch"), ("explain",)),
        *(("dead-letters", "show"), ("dead-letters", "redrive")),
    ],
)
def test_what_can_be_no_id_is_no_other_path(
    data: Path, command: tuple[str, ...], order: str
) -> None:
    say("stock", "set", "CD", 1, "--data", data)

    said = say(*command, order, "--data", data)

    assert said.code == (1 if order else 2)
    assert (f"the id or the reference {order!r}" if order else "'' is no id") in said.err


@pytest.mark.parametrize("key", ["", "..", "../stock", "a/b", "?limit=1"])
def test_what_can_be_no_key_is_no_other_path(key: str) -> None:
    said = say("keys", "revoke", key)

    assert said.code == 2
    assert f"{key!r} is no id" in said.err


def test_keys_are_made_listed_and_revoked(data: Path) -> None:
    made = say("keys", "create", "--scopes", "place,read", "--data", data, "--json").json()
    theirs = say("keys", "create", "--merchant", "b", "--data", data)
    revoked = say("keys", "revoke", made["id"], "--data", data)
    listed = say("keys", "list", "--data", data, "--json").json()

    assert made["key"].startswith("cvy_")
    assert made["scopes"] == ["place", "read"]
    assert theirs.out.startswith("cvy_")
    assert revoked.code == 0
    assert [key["merchant"] for key in listed] == ["default", "b"]
    assert [key["revoked_at"] is not None for key in listed] == [True, False]
    assert all("key" not in key for key in listed)


def test_a_scope_that_there_is_not_is_a_mistake_of_usage(data: Path) -> None:
    said = say("keys", "create", "--scopes", "place,everything", "--data", data)

    assert said.code == 2
    assert "everything" in said.err


def test_orders_go_on_the_intake_queue(data: Path, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "plain.jsonl", [PLAIN, PLAIN | {"orderId": "ORD124"}])

    assert say("intake", "send", file, "--data", data, "--json").json() == {"sent": 2}


def test_the_hundredfold_difference_of_the_two_forms_is_said(data: Path) -> None:
    body = bodies(1)[0]
    for item in body["items"]:
        item.pop("unit_price", None)
    own = say("place", "-", "--data", data, stdin=json.dumps(body | {"total": 100}))
    plain = say("intake", "send", "-", "--data", data, stdin=json.dumps(PLAIN | {"userId": 123}))

    assert "USD 1.00" in own.err
    assert "flow shop@1, USD 1.00." in say("explain", own.out.strip(), "--data", data).out
    assert "USD 100.00" in plain.err
    assert "100 is USD 100.00" in " ".join(say("intake", "send", "--help").out.split())


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("top",),
        ("services", "list"),
        ("orders", "list"),
        ("orders", "watch"),
        ("orders", "cancel", "01JZZZZZZZZZZZZZZZZZZZZZZZ"),
        ("explain", "01JZZZZZZZZZZZZZZZZZZZZZZZ"),
        ("stock", "list"),
        ("keys", "list"),
        ("dead-letters", "list"),
        ("bookings", "list"),
        ("riders", "list"),
        ("plans", "list"),
        ("renewals", "status"),
        ("audit",),
    ],
    ids=" ".join,
)
def test_what_only_looks_makes_no_directory(tmp_path: Path, command: tuple[str, ...]) -> None:
    said = say(*command, "--data", tmp_path / "typo")

    assert said.code == 2
    assert f"no database at {tmp_path}/typo/conveyor.db" in said.err
    assert not (tmp_path / "typo").exists()


def test_a_setting_that_is_misspelt_is_named(data: Path) -> None:
    said = say("stock", "set", "CD", 1, "--data", data, CONVEYOR_DATABSE_URL="postgresql://x")

    assert said.code == 0
    assert said.err == (
        "Warning: CONVEYOR_DATABSE_URL is no setting of Conveyor: "
        "did you mean CONVEYOR_DATABASE_URL?\n"
    )


def test_settings_and_options_that_there_are_give_no_warning(data: Path) -> None:
    known = {"CONVEYOR_API_KEY": "", "CONVEYOR_SERVER": "", "CONVEYOR_HOST": "127.0.0.1"}

    said = say("stock", "set", "CD", 1, "--data", data, CONVEYOR_MAX_RECEIVES="3", **known)

    assert said.err == ""


def test_a_key_says_for_whom_commands_act_that_open_the_directory(
    data: Path, tmp_path: Path
) -> None:
    made = ("keys", "create", "--merchant", "b", "--scopes", "place,read,operate")
    key = {"CONVEYOR_API_KEY": say(*made, "--data", data).out.strip()}
    file = write_lines(tmp_path / "orders.jsonl", bodies(1))

    say("stock", "set", "CD", 7, "--data", data, **key)
    replayed = say("replay", file, "--data", data, "--json", **key).json()

    assert say("stock", "list", "--data", data, "--json").json() == []
    assert say("stock", "list", "--data", data, "--json", **key).json()[0]["sold"] == 1
    assert replayed["by_status"] == {"completed": 1}


@pytest.mark.parametrize("command", ["list", "replay"])
def test_a_key_that_opens_nothing_opens_no_directory_either(
    data: Path, tmp_path: Path, order: str, command: str
) -> None:
    file = write_lines(tmp_path / "orders.jsonl", bodies(1))
    arguments = ("replay", file) if command == "replay" else ("stock", "list")

    said = say(*arguments, "--data", data, CONVEYOR_API_KEY=f"cvy_{'a' * 16}_{'b' * 32}")

    assert said.code != 0
    assert "CONVEYOR_API_KEY" in said.err
    assert order not in said.out


def test_nothing_waits_for_an_operator_at_first(data: Path) -> None:
    say("stock", "set", "CD", 1, "--data", data)

    assert say("dead-letters", "list", "--data", data).out == "Nothing waits for an operator.\n"


def test_an_order_that_is_not_parked_cannot_be_redriven(data: Path, order: str) -> None:
    assert say("dead-letters", "redrive", order, "--data", data).code == 1


def test_the_audit_prints_each_invariant_with_its_figures(data: Path, order: str) -> None:
    said = say("audit", "--data", data)
    report = say("audit", "--data", data, "--json").json()

    assert said.code == 0
    assert said.out.endswith("\n1 order: every invariant holds.\n")
    assert report["clean"] is True
    assert report["orders"] == 1
    assert report["by_status"] == {"processing": 1}
    assert {check["invariant"] for check in report["checks"]} == {1, 2, 3, 4, 5, 6, 7, 8, 9, 11}
    assert all(check["says"] and check["violations"] == 0 for check in report["checks"])
    assert order not in said.out


def test_the_database_is_brought_up_to_date_once(data: Path) -> None:
    first = say("migrate", "--data", data, "--json").json()
    again = say("migrate", "--data", data, "--json").json()

    assert first["applied"]
    assert again["applied"] == []


def test_embedded_queues_are_there_by_themselves(data: Path) -> None:
    assert say("queues", "provision", "--data", data).code == 0


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"CONVEYOR_DATABASE_URL": "mysql://host/name"}, "CONVEYOR_DATABASE_URL"),
        ({"CONVEYOR_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"}, "127.0.0.1"),
        ({"CONVEYOR_QUEUE_URL": "amqp://host"}, "CONVEYOR_QUEUE_URL"),
        ({"CONVEYOR_MAX_RECEIVES": "many"}, "CONVEYOR_MAX_RECEIVES"),
    ],
    ids=["database", "no-answer", "queue", "number"],
)
def test_a_setting_that_cannot_be_used_is_named(
    data: Path, environment: dict[str, str], named: str
) -> None:
    said = say("stock", "set", "CD", 1, "--data", data, **environment)

    assert said.code == 2
    assert named in said.err


def test_a_server_that_does_not_answer_is_named(data: Path) -> None:
    said = say("orders", "list", "--server", "http://127.0.0.1:1", "--data", data)

    assert said.code == 2
    assert "no server answers at http://127.0.0.1:1" in said.err
    assert "conveyor up" in said.err


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    said = say("orders", "list", "--data", tmp_path / "file" / "data")

    assert said.code == 2
    assert str(tmp_path / "file") in said.err


@pytest.mark.parametrize("command", [("serve",), ("work", "payments")])
def test_an_embedded_database_has_one_process(data: Path, command: tuple[str, ...]) -> None:
    said = say(*command, "--data", data)

    assert said.code == 2
    assert "conveyor up" in said.err


def test_a_service_that_there_is_not_is_named(data: Path) -> None:
    said = say("work", "marketing", "--data", data)

    assert said.code == 2
    assert "marketing" in said.err
    assert "payments" in said.err
