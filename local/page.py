"""The demo shop: static files of `storefront/`, what the page needs to know, and a live feed of events.

`python -m local.page --port N`, with `API_URL`, `API_KEY`, `STORAGE_URL`, `PROJECT` and `PUBSUB_EMULATOR_HOST` in the
environment. An origin of its own, as a shop has: the browser asks the API and the bucket across origins.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, get_args

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cloud.environment import Environment
from events.patterns import whole
from events.recipe import MAX_RECIPES, Effect, Format, Recipe
from local.page_feed import Feed, server_sent
from local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["PageSettings", "page", "page_config"]

STOREFRONT: Final = Path(__file__).parent.parent / "storefront"
PHOTOS: Final = Path(__file__).parent.parent / "assets" / "photos"
SAMPLES: Final = ("cat.jpg", "astronaut.jpg", "flower.jpg", "motorcycle.jpg")
COLOR_PATTERN: Final = whole("#[0-9a-f]{6}")
_COLORS: Final = ("#7c6cf5", "#f5b86c")


@dataclass(frozen=True, slots=True)
class PageSettings:
    api_url: str
    api_key: str
    storage_url: str
    project: str
    pubsub: str

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is missing."""
        env = Environment(environ)
        settings = cls(
            api_url=env.text("API_URL"),
            api_key=env.text("API_KEY"),
            storage_url=env.text("STORAGE_URL"),
            project=env.text("PROJECT"),
            pubsub=env.text("PUBSUB_EMULATOR_HOST"),
        )
        env.check()
        return settings

    def policy(self) -> str:
        """Nothing but files of its own, the API and the bucket; no inline script or style."""
        parts = {
            "default-src": "'none'",
            "script-src": "'self'",
            "worker-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' blob: data:",
            "connect-src": f"'self' {self.api_url} {self.storage_url}",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
        return "; ".join(f"{name} {value}" for name, value in parts.items())


def page_config(settings: PageSettings) -> dict[str, Any]:
    """What the page offers, read off the recipe's own types: a new effect becomes a new chip."""
    return {
        "api": settings.api_url,
        "key": settings.api_key,
        "effects": get_args(Effect),
        "formats": get_args(Format),
        "backgrounds": _backgrounds(),
        "max_recipes": MAX_RECIPES,
        "samples": SAMPLES,
    }


def page(settings: PageSettings) -> Starlette:
    """The application."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with Feed(settings.project, settings.pubsub) as feed:
            app.state.feed = feed
            yield

    async def events(request: Request) -> StreamingResponse:
        items = server_sent(request.app.state.feed.items())
        return StreamingResponse(items, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    async def index(_: Request) -> FileResponse:
        return FileResponse(STOREFRONT / "demo" / "index.html")

    async def icon(_: Request) -> FileResponse:
        return FileResponse(STOREFRONT / "demo" / "icon.svg", media_type="image/svg+xml")

    async def config(_: Request) -> JSONResponse:
        return JSONResponse(page_config(settings))

    return Starlette(
        routes=[
            Route("/", index),
            Route("/config.json", config),
            Route("/events", events),
            Route("/favicon.ico", icon),
            Route("/healthz", lambda _: JSONResponse({"ready": True})),
            Mount("/storefront", StaticFiles(directory=STOREFRONT)),
            Mount("/photos", StaticFiles(directory=PHOTOS)),
        ],
        lifespan=lifespan,
        middleware=[Middleware(_Headers, policy=settings.policy())],
    )


class _Headers:
    """On every answer: the policy, and files asked for again each time, since their names never change."""

    def __init__(self, app: ASGIApp, *, policy: str) -> None:
        self._app = app
        self._added = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                cached = [] if b"cache-control" in names else [(b"cache-control", b"no-cache")]
                message["headers"] = [*message["headers"], *self._added, *cached]
            await send(message)

        await self._app(scope, receive, with_headers)


def _backgrounds() -> list[dict[str, Any]]:
    """One example of each kind that a page can make up by itself: whatever it needs besides colours it has to know."""
    (background,) = (field for field in msgspec.structs.fields(Recipe) if field.name == "background")
    info = _plain(msgspec.inspect.type_info(background.type))
    kinds = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    examples = (_example(kind) for kind in kinds if isinstance(kind, msgspec.inspect.StructType))
    return [example for example in examples if example is not None]


def _example(kind: msgspec.inspect.StructType) -> dict[str, Any] | None:
    example: dict[str, Any] = {"kind": kind.tag}
    colors = iter(_COLORS)
    for field in kind.fields:
        if not field.required:
            continue
        plain = _plain(field.type)
        if not isinstance(plain, msgspec.inspect.StrType) or plain.pattern != COLOR_PATTERN:
            return None
        example[field.encode_name] = next(colors)
    return example


def _plain(info: msgspec.inspect.Type) -> msgspec.inspect.Type:
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    return info


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGTERM; open feeds are cut."""
    parser = argparse.ArgumentParser(prog="python -m local.page", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    app = page(PageSettings.from_env(os.environ))
    uvicorn.run(app, host=LOOPBACK, port=options.port, log_level="warning", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main(sys.argv[1:])
