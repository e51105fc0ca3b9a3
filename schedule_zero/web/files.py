"""GET /static/{version}/{name}: script, style and icon, from memory."""

from __future__ import annotations

from tornado.web import HTTPError

from schedule_zero.security.http_hook import authorize
from schedule_zero.security.scopes import Scope
from schedule_zero.web.page import Page
from schedule_zero.web.site import site_of

__all__ = ["FilePage"]


class FilePage(Page):
    """A file of the package; open to everybody, as the page to log in needs it."""

    def prepare(self) -> None:
        """Refuse wrong hosts and floods alone."""
        authorize(self, Scope.NONE)

    async def get(self, version: str = "", name: str = "") -> None:
        """Answer the file; that of another version is another file, so this one never changes."""
        site = site_of(self.context)
        asset = site.assets.get(name)
        if asset is None or version != site.version:
            raise HTTPError(404, "there is no such file")
        self.set_header("Content-Type", asset.media)
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")
        self.finish(asset.content)

    async def head(self, version: str = "", name: str = "") -> None:
        """Answer as GET does, without the body."""
        await self.get(version, name)
