"""What the pages of one server share: templates, files to serve, and the secret of their forms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from importlib.resources import files
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from tornado.template import DictLoader

if TYPE_CHECKING:
    from schedule_zero.api.context import ApiContext

__all__ = ["Asset", "Site", "site_of"]

_MEDIA = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """A file that browsers ask for."""

    content: bytes
    media: str


class Site:
    """Read from the package when the first page is asked for; afterwards nothing is read from the disk."""

    def __init__(self) -> None:
        here = files("schedule_zero.web")
        self.assets = {
            item.name: Asset(item.read_bytes(), _MEDIA[PurePosixPath(item.name).suffix])
            for item in sorted(here.joinpath("static").iterdir(), key=lambda item: item.name)
            if PurePosixPath(item.name).suffix in _MEDIA
        }
        digest = hashlib.sha256()
        for name, asset in self.assets.items():
            digest.update(name.encode() + b"\0" + asset.content)
        #: Part of the address of every asset: a new version is another address, so browsers may keep what they have.
        self.version = digest.hexdigest()[:12]
        templates = here.joinpath("templates").iterdir()
        self._loader = DictLoader({item.name: item.read_text("utf-8") for item in templates})
        self._key = secrets.token_bytes(32)

    def render(self, template: str, **values: Any) -> bytes:
        """A page from a template; every value is escaped unless the template says ``raw``."""
        return self._loader.load(template).generate(site=self, **values)

    def address(self, name: str) -> str:
        """Where an asset is found.

        >>> Site().address("app.js").startswith("/static/")
        True
        """
        return f"/static/{self.version}/{name}"

    def form_token(self, session: str) -> str:
        """What a form has to carry to be taken: only a page of this server, shown in this session, can know it."""
        return hmac.new(self._key, b"form\0" + session.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def is_token(self, token: str, session: str) -> bool:
        """Whether a form that was sent carries its token."""
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self.form_token(session).encode())


def site_of(context: ApiContext) -> Site:
    """The one site of a server."""
    site = context.extensions.get("site")
    if not isinstance(site, Site):
        site = context.extensions["site"] = Site()
    return site
