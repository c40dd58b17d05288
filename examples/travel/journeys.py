"""Writes the journeys of `conveyor demo`, one JSON order a line, for `conveyor replay`.

python examples/travel/journeys.py > journeys.jsonl
"""

import json

from conveyor.flows.travel.demo import journeys

if __name__ == "__main__":
    for journey in journeys():
        print(json.dumps(journey))
