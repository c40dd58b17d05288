"""Turns the flights into journeys that more people want than there are seats, for `replay`.

    python examples/travel/journeys.py examples/flights-nyc-2013-01-01.csv > journeys.jsonl

The flights are real. Who wants to go, and how it is paid for, is made up by number: everybody wants
one of the smallest planes, some a hotel as well; some cards are declined, and some people wait when
there is no seat.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from typing import Any, TextIO

JOURNEYS = 300
PLANES = 20
HOTELS = ("Harbour", "Terminal", "Old Mill")
SEAT, ROOM = 14_900, 9_900  # cents


def smallest(lines: TextIO) -> list[dict[str, str]]:
    """Give the flights with the fewest seats."""
    flights = sorted(csv.DictReader(lines), key=lambda row: (int(row["seats"]), row["flight"]))
    return flights[:PLANES]


def journeys(flights: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    """Give the orders."""
    for number in range(1, JOURNEYS + 1):
        flight = flights[number * 7 % PLANES]
        seats = 1 + (number % 5 == 0)
        legs: list[dict[str, Any]] = [
            {"flight": flight["flight"], "date": flight["date"], "quantity": seats}
            | {"unit_price": SEAT}
        ]
        if number % 3 == 0:
            hotel = {"hotel": HOTELS[number % len(HOTELS)], "date": flight["date"], "nights": 2}
            legs.append(hotel | {"unit_price": ROOM, "refundable": number % 2 == 0})
        yield {
            "flow": "travel",
            "reference": f"journey-{number}",
            "customer": {"id": f"traveller-{number}"},
            "currency": "USD",
            "legs": legs,
            "waitlist": number % 2 == 0,
            "payment": {"method": "card_declined" if number % 5 == 1 else "card_ok"},
        }


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - as short as it can be
        for journey in journeys(smallest(file)):
            print(json.dumps(journey))
