"""Convert a CDNOW file to a file of orders for `conveyor replay`.

    python examples/cdnow_to_jsonl.py examples/cdnow-first-1000.csv > cdnow.jsonl
    conveyor stock set CD 1000000
    conveyor replay cdnow.jsonl

Each line of the result is an order as `POST /v1/orders` takes it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from conveyor.flows.shop.cdnow import to_jsonl

if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit(__doc__)
    with Path(sys.argv[1]).open(encoding="utf-8", newline="") as lines:
        sys.stdout.buffer.writelines(to_jsonl(lines))
