"""Links that sign in once: for whoever has started the process, and so may read its data anyway."""

from __future__ import annotations

from conveyor.access.model import Token, digest_of
from conveyor.access.sessions import new_word
from conveyor.core.ambient import Ambient

LINK_MS = 15 * 60_000
"""For so long a link is good that nobody has used."""
MOST_LINKS = 100
PATH = "/console/enter"


class Links:
    """Gives links out, and takes each of them once; they are nowhere but in this process."""

    def __init__(self, ambient: Ambient, token: Token) -> None:
        """None was given out."""
        self._ambient = ambient
        self._token = token
        self._good_until: dict[str, int] = {}

    def new(self, url: str) -> str:
        """Give a link to the console of the server at this address."""
        word, now = new_word(self._token), self._ambient.elapsed_ms()
        fresh = {it: until for it, until in self._good_until.items() if until > now}
        self._good_until = dict(list(fresh.items())[1 - MOST_LINKS :])
        self._good_until[digest_of(word)] = now + LINK_MS
        return f"{url}{PATH}?once={word}"

    def take(self, word: str) -> bool:
        """Whether this is a link's word that nobody has used; now it is used."""
        until = self._good_until.pop(digest_of(word), 0)
        return until > self._ambient.elapsed_ms()
