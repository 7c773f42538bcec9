"""The demo shop: static files of `storefront/`, what the page needs to know, and a live feed of events.

`python -m local.page --port N`, with the variables of `PageSettings` in the environment. An origin of its own, as a
shop has: the browser asks the API and the bucket across origins.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, get_args

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cloud.environment import Environment
from cloud.storage import GoogleObjectStore
from events.names import asset_name
from events.patterns import whole
from events.recipe import MAX_RECIPES, Effect, Format, Recipe
from local.page_feed import Feed, server_sent
from local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from jobs.ports import ObjectStore

__all__ = ["PageSettings", "page", "page_config"]

STOREFRONT: Final = Path(__file__).parent.parent / "storefront"
PHOTOS: Final = Path(__file__).parent.parent / "assets" / "photos"
SAMPLES: Final = ("cat.jpg", "astronaut.jpg", "flower.jpg", "motorcycle.jpg")
COLOR_PATTERN: Final = whole("#[0-9a-f]{6}")
ASSET_PATTERN: Final = whole("[0-9a-f]{64}")
_COLORS: Final = ("#7c6cf5", "#f5b86c")


@dataclass(frozen=True, slots=True)
class PageSettings:
    api_url: str
    api_key: str
    storage_url: str
    project: str
    pubsub: str
    assets: str
    tenant: str

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
            assets=env.text("ASSETS_BUCKET"),
            tenant=env.text("TENANT"),
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


def page_config(settings: PageSettings, assets: Sequence[str]) -> dict[str, Any]:
    """What the page offers, read off the recipe's own types: a new effect becomes a new chip.

    `assets` are the SHA-256 of the shop's own images.
    """
    return {
        "api": settings.api_url,
        "key": settings.api_key,
        "effects": get_args(Effect),
        "formats": get_args(Format),
        "backgrounds": _backgrounds(assets),
        "max_recipes": MAX_RECIPES,
        "samples": SAMPLES,
    }


def page(settings: PageSettings, store: ObjectStore) -> Starlette:
    """The application. `store` has the shop's own images."""

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

    def config(_: Request) -> JSONResponse:
        kept = store.list(settings.assets, asset_name(settings.tenant, ""))
        return JSONResponse(page_config(settings, [stat.name.rpartition("/")[2] for stat in kept]))

    def asset(request: Request) -> Response:
        kept = store.read(settings.assets, asset_name(settings.tenant, request.path_params["sha256"]))
        return Response(status_code=404) if kept is None else Response(kept.data, media_type=kept.stat.content_type)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/config.json", config),
            Route("/assets/{sha256}", asset),
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


def _backgrounds(assets: Sequence[str]) -> list[dict[str, Any]]:
    """An example of each kind, with colours made up; of images, one for each of the shop's own."""
    (background,) = (field for field in msgspec.structs.fields(Recipe) if field.name == "background")
    info = _plain(msgspec.inspect.type_info(background.type))
    kinds = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    structs = [kind for kind in kinds if isinstance(kind, msgspec.inspect.StructType)]
    return [{"kind": kind.tag} | example for kind in structs for example in _examples(kind, assets)]


def _examples(kind: msgspec.inspect.StructType, assets: Sequence[str]) -> list[dict[str, Any]]:
    """What a background of this kind needs; nothing where it needs what a page can't know."""
    required = [field for field in kind.fields if field.required]
    values = [_values(_plain(field.type), assets) for field in required]
    return [dict(zip((field.encode_name for field in required), chosen, strict=True)) for chosen in product(*values)]


def _values(needed: msgspec.inspect.Type, assets: Sequence[str]) -> Sequence[Any]:
    match needed:
        case msgspec.inspect.StrType(pattern=pattern):
            known: dict[str | None, Sequence[str]] = {COLOR_PATTERN: _COLORS[:1], ASSET_PATTERN: assets}
            return known.get(pattern, ())
        case msgspec.inspect.VarTupleType(item_type=item) if _values(_plain(item), ()):
            return [_COLORS]
        case _:
            return ()


def _plain(info: msgspec.inspect.Type) -> msgspec.inspect.Type:
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    return info


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGTERM; open feeds are cut."""
    parser = argparse.ArgumentParser(prog="python -m local.page", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    settings = PageSettings.from_env(os.environ)
    app = page(settings, GoogleObjectStore.connect(endpoint=settings.storage_url))
    uvicorn.run(app, host=LOOPBACK, port=options.port, log_level="warning", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main(sys.argv[1:])
