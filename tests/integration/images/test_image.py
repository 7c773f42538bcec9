"""The worker's image, built without an engine: its Dockerfile's own steps, in a clean environment of Python.

What is not run here is the base image, the CUDA build of torch, and the download of the official weights, whose place
random ones take.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from events.ids import content_id, new_job_id
from events.messages import JobRequested, Upload
from events.names import result_name, upload_name
from events.recipe import Recipe
from events.trace import new_traceparent
from gpu_worker.inspyrenet.network import InSPyReNet
from jobs.dispatch import job_message
from jobs.outcome import JobRun
from local.ports import LOOPBACK, free_ports
from local.processes import http_answers
from tests import asking
from tests.integration.images.replay import Replay
from tests.parity.calibration import calibrate
from tests.unit.images.dockerfile import DOCKERFILE, Dockerfile
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloud.storage import GoogleObjectStore
    from local.fake_gcs import FakeGcs

    Settings = dict[str, str]

TENANT: Final = "acme"
SECRET: Final = b"s" * 32
FOR_FUNCTIONS: Final = {
    "cloud.bigquery",
    "cloud.monitoring",
    "cloud.redis_windows",
    "cloud.run",
    "cloud.run_api",
    "jobs.intents",
    "jobs.lookout",
    "jobs.rates",
    "jobs.warmups",
}
"""Need what only functions install, or the folder planner/."""
OTHER_BACKENDS: Final = {
    f"gpu_worker.engines.{module}" for module in ("onnx", "openvino", "quiet_openvino", "recording")
}
"""Of ISNet, whose licence keeps it out of images, and of OpenVINO, for CPUs."""

IMPORT_EVERYTHING: Final = """
import importlib, json, pkgutil, sys
failed = []
for package in ("cloud", "events", "gpu_worker", "imaging", "jobs"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        try:
            importlib.import_module(module.name)
        except Exception:
            failed.append(module.name)
files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
files = sorted(file for file in files if file.startswith("/"))
json.dump({"failed": failed, "files": files, "stdlib": importlib.__path__[0].rpartition("/")[0]}, sys.stdout)
"""


def cpu_index() -> str:
    """Where the CPU build of torch comes from: PyTorch, or else wherever this environment's came from."""
    index = Dockerfile(DOCKERFILE.read_text(encoding="utf-8"), {"VARIANT": "cpu"})
    url = index.stage_arguments(index.stages["torch"])["TORCH_INDEX"]
    with suppress(httpx.HTTPError):
        if httpx.get(f"{url}/torch/", timeout=5, follow_redirects=True).is_success:
            return url
    if not torch.__version__.endswith("+cpu"):
        pytest.skip("PyTorch's index can't be reached, and no CPU build of torch is at hand")
    return "https://pypi.org/simple"


@pytest.fixture(scope="module")
def checkpoint() -> Iterator[Path]:
    """Random weights, as the official checkpoints are stored."""
    network = InSPyReNet(384).eval()
    calibrate(network, torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)), seed=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.pth")
        torch.save(network.state_dict(), path)
        yield path


@pytest.fixture(scope="module")
def image(checkpoint: Path) -> Iterator[Replay]:
    """Built once, and gone afterwards: it has 1.6 GB."""
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    arguments = {"VARIANT": "cpu", "MODEL": "fast", "TORCH_INDEX": cpu_index()}
    fetching = 'gpu_worker.weights fetch --model "${MODEL}" --dir /weights'
    packing = f'gpu_worker.pack {checkpoint} /weights --model "${{MODEL}}" --sha256 {digest}'
    dockerfile = Dockerfile(DOCKERFILE.read_text(encoding="utf-8"), arguments)
    with tempfile.TemporaryDirectory(prefix="cutout-image-") as folder:
        replay = Replay(dockerfile, Path(folder), {fetching: packing})
        replay.build(dockerfile.last)
        yield replay


@pytest.fixture
def settings(image: Replay, storage: FakeGcs, pubsub: str, project: str) -> Settings:
    """The environment of a container: the image's own, and the deployment's."""
    stage = image.worker
    return image.environment(stage) | {
        "PUBSUB_EMULATOR_HOST": pubsub,
        "STORAGE_EMULATOR_HOST": storage.url,
        "PROJECT": project,
        "REGION": "us-central1",
        "UPLOADS_BUCKET": "uploads",
        "MATTES_BUCKET": "mattes",
        "RESULTS_BUCKET": "results",
        "JOBS_BUCKET": "jobs",
        "ASSETS_BUCKET": "assets",
        "CONTENT_SECRET": base64.b64encode(SECRET).decode(),
        "DEVICE": "cpu",
        "INSTANCE_GPUS": "0",
        "WEIGHTS": str(image.root(stage) / "weights"),
    }


@contextmanager
def running(image: Replay, settings: Settings) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The image's CMD, and its URL."""
    (port,) = free_ports(1)
    stage = image.worker
    process = subprocess.Popen(
        image.command(stage),
        cwd=image.working_folder(stage),
        env=settings | {"HOST": LOOPBACK, "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process, f"http://{LOOPBACK}:{port}"
    finally:
        process.kill()
        process.communicate()


def answered(url: str) -> httpx.Response:
    """The first answer of 200."""
    until(http_answers(url))
    return asking.get(url)


def a_photo(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "jpeg")
    return encoded.getvalue()


def a_push(store: GoogleObjectStore, data: bytes, model: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    job_id = new_job_id(now)
    name = upload_name(TENANT, job_id)
    store.create("uploads", name, data, content_type="image/jpeg")
    stat = store.stat("uploads", name)
    assert stat is not None
    request = JobRequested(
        job_id=job_id,
        tenant=TENANT,
        upload=Upload(bucket="uploads", name=name, generation=stat.generation),
        sha256=hashlib.sha256(data).hexdigest(),
        recipes=(Recipe(),),
        model=model,
        lane="gpu",
        requested_at=now,
    )
    run = JobRun(job_id=job_id, tenant=TENANT, run=0, source="test", traceparent=new_traceparent())
    message = job_message(run, request, at=now)
    wrapped = {
        "data": base64.b64encode(message.data.encode()).decode(),
        "attributes": message.attributes,
        "messageId": "1",
    }
    return {"message": wrapped, "subscription": "projects/p/subscriptions/s"}


def test_a_job_runs_from_push_to_result_and_a_catalogue_finds_it(
    image: Replay, settings: Settings, store: GoogleObjectStore, tmp_path: Path
) -> None:
    data = a_photo(1)
    with running(image, settings) as (process, url):
        answered(f"{url}/livez")
        health = answered(f"{url}/health").json()
        assert (health["network"], health["device"]) == ("inspyrenet-fast", "cpu")
        assert asking.post(f"{url}/jobs", json=a_push(store, data, health["model"])).is_success
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 0
    content = content_id(SECRET, TENANT, hashlib.sha256(data).hexdigest())
    name = result_name(TENANT, content, health["model"], Recipe())
    result = store.read("results", name)
    assert result is not None
    assert Image.open(BytesIO(result.data)).size == (320, 240)

    store.create("uploads", "catalogue/1.jpg", data, content_type="image/jpeg")
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_bytes(msgspec.json.encode({"source": "gs://uploads/catalogue/1.jpg"}))
    stage = image.worker
    done = subprocess.run(
        image.command(stage, "python", "-m", "gpu_worker.bulk", str(manifest), "--tenant", TENANT),
        cwd=image.working_folder(stage),
        env=settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["message"], last["cached"], last["usd"]) == ("bulk_ended", 1, "0E-9")


def test_nothing_is_imported_but_what_the_image_has(image: Replay, settings: Settings) -> None:
    stage = image.worker
    done = subprocess.run(
        image.command(stage, "python", "-c", IMPORT_EVERYTHING),
        cwd=image.working_folder(stage),
        env=settings,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert set(told["failed"]) == FOR_FUNCTIONS | OTHER_BACKENDS
    parts = tuple(str(part) for name in ("app", "opt/packages", "opt/torch") for part in image.places(stage, name))
    strangers = [file for file in told["files"] if not file.startswith((*parts, f"{told['stdlib']}/"))]
    strangers += [file for file in told["files"] if "site-packages" in file]
    assert strangers == []


def test_all_of_our_code_is_compiled_and_never_looks_at_its_source(image: Replay) -> None:
    app = image.root(image.worker) / "app"
    sources = list(app.rglob("*.py"))
    tag = sys.implementation.cache_tag
    compiled = [path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc" for path in sources]
    flags = {int.from_bytes(path.read_bytes()[4:8], "little") for path in compiled}
    assert len(sources) > 100
    assert flags == {0b01}  # by hash, unchecked: PEP 552


def test_files_have_one_time_of_modification(image: Replay) -> None:
    """So that a layer of the same content is the same layer."""
    root = image.root(image.worker)
    for folder in ("app", "opt/packages", "opt/torch", "weights"):
        times = {int(os.lstat(path).st_mtime) for path in (root / folder).rglob("*") if path.is_file()}
        assert times == {0}, folder


def test_everybody_can_read_it_all(image: Replay) -> None:
    """Its user is not the one who made it."""
    root = image.root(image.worker)
    for folder in ("app", "opt/packages", "opt/torch", "weights"):
        place = (root / folder).resolve()
        for path in (place, *place.rglob("*")):
            mode = path.stat().st_mode
            assert mode & (0o005 if path.is_dir() else 0o004) == (0o005 if path.is_dir() else 0o004), path


def test_the_image_has_no_tests_no_tools_and_no_cache(image: Replay) -> None:
    root = image.root(image.worker)
    ours = {path.name for path in (root / "app").iterdir()}
    assert ours == {"cloud", "events", "gpu_worker", "imaging", "jobs"}
    packages = {path.name.partition("-")[0].lower() for path in (root / "opt/packages").glob("*.dist-info")}
    assert {"numpy", "uvicorn", "safetensors"} <= packages
    assert not packages & {"pytest", "mypy", "ruff", "hypothesis", "onnxruntime", "openvino", "pip", "torch"}
    assert {path.suffix for path in (root / "weights").iterdir()} == {".json", ".safetensors"}
