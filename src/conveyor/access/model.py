"""Rules of access: scopes, grants and what the text of an API key looks like. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

PLACE = "place"
READ = "read"
OPERATE = "operate"
RESTAURANT = "restaurant"
RIDER = "rider"
ANSWER = "answer"
KEYS = "keys"
AUDIT = "audit"
SCOPES = (PLACE, READ, OPERATE, RESTAURANT, RIDER, ANSWER, KEYS, AUDIT)
"""`audit` looks at the whole system, whoever's its orders are: it is for who runs it."""

SCOPE_PATTERN = r"^[a-z][a-z0-9_-]{0,39}$"

ID_BYTES = 10
SECRET_BYTES = 20
"""160 random bits: nobody guesses them, so a plain hash of them is enough."""
KEY_PATTERN = r"cvy_[a-z2-7]{16}_[a-z2-7]{32}"
KEY_ID_PATTERN = r"[a-z2-7]{16}"
LOCAL_ID = "local"

_KEY = re.compile(rf"cvy_({KEY_ID_PATTERN})_[a-z2-7]{{32}}")

Token = Callable[[int], bytes]
"""Gives so many bytes from a source that nobody can predict: `secrets.token_bytes`."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key opens. `everywhere`: it looks at every merchant's orders, not only its own.

    `subject` is the one restaurant or rider that it speaks for; '' for all of the merchant's.
    `expires_at` is in milliseconds since the epoch; None: never.
    """

    key_id: str
    merchant: str
    scopes: frozenset[str]
    everywhere: bool = False
    subject: str = ""
    label: str = ""
    expires_at: int | None = None

    @property
    def sees(self) -> str | None:
        """The merchant whose orders it sees and acts on; None: of all merchants."""
        return None if self.everywhere else self.merchant

    @property
    def runs_the_system(self) -> bool:
        """Whether it is for who runs the system, and sees machines and queues of all merchants."""
        return self.everywhere or AUDIT in self.scopes

    @property
    def holder(self) -> str:
        """Who has it, for logs and stories: never the secret."""
        return f"{self.label} (key {self.key_id})" if self.label else f"key {self.key_id}"

    def beyond(self, scopes: Iterable[str], subject: str) -> Iterator[str]:
        """Name what a key with these scopes and this subject would open beyond this one."""
        yield from sorted(set(scopes) - self.scopes)
        if not self.speaks_for(subject):
            yield f"subject {subject}" if subject else "every subject"

    def is_over(self, now_ms: int) -> bool:
        """Whether it has expired."""
        return self.expires_at is not None and self.expires_at <= now_ms

    def allows(self, scopes: Iterable[str]) -> bool:
        """Whether it has at least one of these scopes."""
        return not self.scopes.isdisjoint(scopes)

    def speaks_for(self, subject: str) -> bool:
        """Whether it may act as this restaurant or rider."""
        return self.subject in {"", subject}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: a hash of it, never its text. Times are milliseconds since the epoch."""

    id: str
    digest: str
    merchant: str
    scopes: tuple[str, ...]
    subject: str
    label: str
    created_at: int
    revoked_at: int | None = None
    expires_at: int | None = None
    last_used_at: int | None = None


@dataclass(frozen=True, slots=True)
class LocalKey:
    """A key that is nowhere but in this process and in a file that only its user may read."""

    text: str
    grant: Grant


def new_key_text(token: Token) -> tuple[str, str]:
    """Give the id of a new key, and its text: to be shown once, then never again."""
    key_id = _word(token(ID_BYTES))
    return key_id, f"cvy_{key_id}_{_word(token(SECRET_BYTES))}"


def new_local_key(token: Token, merchant: str, scopes: Iterable[str] = SCOPES) -> LocalKey:
    """Make the key of whoever may read the data directory; it places orders for `merchant`."""
    _, text = new_key_text(token)
    return LocalKey(text, Grant(LOCAL_ID, merchant, frozenset(scopes), everywhere=True))


def id_of(text: str) -> str | None:
    """Give the id in a key's text; None when it is no key."""
    match = _KEY.fullmatch(text)
    return match[1] if match else None


def digest_of(text: str) -> str:
    """Give the hash under which a key is kept."""
    return hashlib.sha256(text.encode()).hexdigest()


def _word(random_bytes: bytes) -> str:
    return base64.b32encode(random_bytes).decode().rstrip("=").lower()
