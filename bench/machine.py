"""What the figures were measured on, and what this machine could do at best."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bench.environments import OURS, PEERS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Machine", "describe"]

_OURS: Final = ("torch", "numpy", "opencv-python-headless", "pillow", "onnxruntime")
_PEERS: Final = ("transparent-background", "rembg", "torch", "numpy", "pymatting", "onnxruntime")

_VERSIONS: Final = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""

_LIMITS: Final = """
import json, time, torch
def best(work, repeats=5):
    def once():
        started = time.perf_counter()
        work()
        return time.perf_counter() - started
    return min(once() for _ in range(repeats))
limits = {}
side = 2048
for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
    a, b = (torch.rand(side, side).to(kind) for _ in range(2))
    limits[f"{name} matrix product, GFLOP/s"] = 2 * side**3 / best(lambda: a @ b) / 1e9
block = torch.rand(64 << 20)
other = torch.empty_like(block)
limits["memory copy, GB/s"] = 2 * block.nbytes / best(lambda: other.copy_(block)) / 1e9
print(json.dumps(limits))
"""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """`limits`: the most that was seen of each. `load` is what others did on the machine when the run began."""

    cpu: str
    cores: int
    memory_gib: float
    system: str
    python: str
    versions: dict[str, str]
    peers: dict[str, str]
    limits: dict[str, float]
    load: float

    def lines(self) -> list[str]:
        """For people."""
        hardware = f"{self.cpu}, {self.cores} cores, {self.memory_gib:.0f} GiB"
        return [
            f"{hardware}; {self.system}; Python {self.python}; load {self.load:.1f} when the run began",
            "Here: " + _listed(self.versions),
            "Peers: " + _listed(self.peers),
            "At best: " + ", ".join(f"{name} {value:.0f}" for name, value in self.limits.items()),
        ]


def describe() -> Machine:
    """Takes a few seconds, for the limits."""
    load = os.getloadavg()[0]
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        versions=_asked(OURS, _VERSIONS, _OURS),
        peers=_asked(PEERS, _VERSIONS, _PEERS),
        limits=_asked(OURS, _LIMITS),
        load=load,
    )


def _cpu() -> str:
    """The model's name, and what its vectors can do that matters here."""
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.+)$", text, re.MULTILINE)
    known = set(flags[1].split()) if flags else set()
    extensions = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in known]
    return " ".join([model[1] if model else platform.machine(), *extensions])


def _asked(python: Path, program: str, arguments: Sequence[str] = ()) -> dict[str, Any]:
    answer = subprocess.run([str(python), "-c", program, *arguments], check=True, capture_output=True)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
