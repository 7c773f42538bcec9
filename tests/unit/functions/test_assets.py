"""A recipe with an image that the storefront does not have is refused before anything is uploaded or computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.unit.scene import BUCKETS

if TYPE_CHECKING:
    from tests.unit.functions.api import Api

ON_A_BEACH: Final[list[dict[str, Any]]] = [{"background": {"kind": "image", "asset": "b" * 64}}]
UPLOAD: Final[dict[str, Any]] = {"content_type": "image/png", "size": 100, "recipes": ON_A_BEACH}


def test_no_upload_is_granted_for_a_missing_image(api: Api) -> None:
    reply = api.request_upload(UPLOAD)
    assert (reply.status, reply.code) == (400, "asset_missing")
    assert "b" * 64 in reply.json["error"]["message"]
    assert api.scene.signer.signed == []
    api.scene.store.put(BUCKETS.assets, f"acme/{'b' * 64}", b"-", content_type="image/png", metadata={})
    assert api.request_upload(UPLOAD).status == 201


def test_no_restyle_is_made_with_a_missing_image(api: Api) -> None:
    source = api.scene.run()
    wanted = {"source_job_id": source.job_id, "recipes": ON_A_BEACH}
    reply = api.restyle(wanted, token=source.token)
    assert (reply.status, reply.code) == (400, "asset_missing")
    assert api.scene.messages("renders") == []
