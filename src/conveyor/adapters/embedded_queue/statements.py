"""The SQL of the embedded queue. `:now` is in milliseconds since the epoch, UTC."""

# One process has the file for itself (no shared memory, no file locks on the way), and a commit
# is not synced: only sends to a durable queue are, see `MessageStore.transaction`.
OPEN = (
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
)
SYNC_COMMITS = "PRAGMA synchronous = FULL"
DO_NOT_SYNC_COMMITS = "PRAGMA synchronous = NORMAL"

# A message is in flight when it was received and is not yet visible again. AUTOINCREMENT: no
# number is ever given twice, so that an old receipt can never mean a new message.
SCHEMA = """
CREATE TABLE IF NOT EXISTS queue (
    name TEXT PRIMARY KEY
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS message (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    message_id TEXT NOT NULL,
    body TEXT NOT NULL,
    attributes TEXT NOT NULL,
    message_group TEXT NOT NULL,
    sent_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    visible_at_ms INTEGER NOT NULL,
    receive_count INTEGER NOT NULL DEFAULT 0,
    leased INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS message_by_visibility ON message (queue, visible_at_ms);
CREATE INDEX IF NOT EXISTS message_by_expiry ON message (expires_at_ms);
CREATE INDEX IF NOT EXISTS message_in_order ON message (queue, sequence) WHERE message_group <> '';

CREATE TABLE IF NOT EXISTS deduplication (
    queue TEXT NOT NULL,
    message_group TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (queue, message_group, deduplication_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deduplication_by_expiry ON deduplication (expires_at_ms);
"""

# Whoever opens the file is its only consumer: what an earlier process had leased, and neither
# extended nor put off, is visible at once rather than when its lease would have ended.
END_LEASES = (
    "UPDATE message SET visible_at_ms = :now, leased = 0 WHERE leased AND visible_at_ms > :now"
)

# What was sent, or put off, at a time that has not come: the clock has been put back since.
BE_VISIBLE = """
UPDATE message SET visible_at_ms = :now
WHERE visible_at_ms > :now AND (sent_at_ms > :ahead OR visible_at_ms > :furthest)
"""

CREATE_QUEUE = "INSERT INTO queue (name) VALUES (:queue) ON CONFLICT DO NOTHING"

ADD = """
INSERT INTO message
    (queue, message_id, body, attributes, message_group, sent_at_ms, expires_at_ms, visible_at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""

# Standard queues: the oldest visible messages, whatever their order.
LEASE = """
UPDATE message SET visible_at_ms = :until, receive_count = receive_count + 1, leased = 1
WHERE sequence IN (
    SELECT sequence FROM message INDEXED BY message_by_visibility
    WHERE queue = :queue AND visible_at_ms <= :now
    ORDER BY visible_at_ms LIMIT :limit
)
RETURNING sequence, message_id, body, attributes, message_group, sent_at_ms, receive_count
"""

# FIFO queues: in the order sent, and nothing of a group that has a message in flight.
LEASE_IN_ORDER = """
UPDATE message SET visible_at_ms = :until, receive_count = receive_count + 1, leased = 1
WHERE sequence IN (
    SELECT sequence FROM message INDEXED BY message_in_order
    WHERE queue = :queue AND message_group <> '' AND visible_at_ms <= :now
      AND message_group NOT IN (
        SELECT message_group FROM message INDEXED BY message_by_visibility
        WHERE queue = :queue AND visible_at_ms > :now
      )
    ORDER BY sequence LIMIT :limit
)
RETURNING sequence, message_id, body, attributes, message_group, sent_at_ms, receive_count
"""

# The redrive policy's move. The receive that found it out is not counted: nobody got the message.
MOVE = """
UPDATE message SET queue = :queue, attributes = :attributes, expires_at_ms = :expires_at_ms,
    visible_at_ms = :now, receive_count = receive_count - 1, leased = 0
WHERE sequence = :sequence
"""

# A receipt is (sequence, receive_count): a later receive makes it a stale one, which matches
# nothing. A standard queue deletes on the latest receipt even after the lease has ended.
DELETE = "DELETE FROM message WHERE queue = ? AND sequence = ? AND receive_count = ?"
DELETE_IN_FLIGHT = DELETE + " AND visible_at_ms > ?"
IS_THERE = "SELECT 1 FROM message WHERE queue = ? AND sequence = ?"

# From now on the lease has been set by its holder, and outlives the process (see END_LEASES).
SET_VISIBILITY = """
UPDATE message SET visible_at_ms = ?, leased = 0
WHERE queue = ? AND sequence = ? AND receive_count = ? AND visible_at_ms > ?
"""

NEXT_VISIBLE = (
    "SELECT min(visible_at_ms) FROM message WHERE queue = :queue AND visible_at_ms > :now"
)

COUNT_VISIBLE = "SELECT count(*) FROM message WHERE queue = :queue AND visible_at_ms <= :now"
COUNT_INVISIBLE = """
SELECT count(*) FILTER (WHERE receive_count > 0), count(*) FILTER (WHERE receive_count = 0)
FROM message WHERE queue = :queue AND visible_at_ms > :now
"""

PURGE = "DELETE FROM message WHERE queue = :queue"
EXPIRE_AT = "UPDATE message SET expires_at_ms = :at WHERE queue = :queue"
EXPIRE = "DELETE FROM message WHERE expires_at_ms <= :now"

# FIFO deduplication: a row stands for an id that was taken in the last five minutes.
FORGET = "DELETE FROM deduplication WHERE expires_at_ms <= :now"
REMEMBER = """
INSERT INTO deduplication (queue, message_group, deduplication_id, expires_at_ms)
VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
