"""How long calls may take and leases last, at most and at least.

Apart from what keeps to them: settings are checked by these, and commands that only ask a server
load the settings, but no database.
"""

from __future__ import annotations

import math

MAX_CALL_SECONDS = 3600.0
"""How long a call may take: whoever takes one up must know when it is over for sure."""
CHECK_SECONDS = 2.0
"""How often leases are looked at."""
NEAR_EXPIRY = 0.4
"""A lease is extended when less than this part of its time is left of it."""
EXTEND_SECONDS = 2.0
"""What an extension may take until it is in force."""
MIN_VISIBILITY_SECONDS = math.ceil((CHECK_SECONDS + EXTEND_SECONDS) / NEAR_EXPIRY)
"""With less, a lease that is not yet near its end at one check is over before the next is done."""
