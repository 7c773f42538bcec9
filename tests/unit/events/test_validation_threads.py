"""A process of several threads meets most types for the first time in all of them at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[3]
_MANY_FIRST_TIMES: Final = """
import sys, threading
from typing import Annotated, Any
import msgspec
from events.validation import convert, decode_json

sys.setswitchinterval(1e-6)

class Part(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    sizes: tuple[int, ...] = ()

def kinds():
    for number in range(60):
        kind = Annotated[dict[str, Part] | None, msgspec.Meta(description="x")]
        fields = [(f"field_{n}", kind, None) for n in range(20)]
        yield msgspec.defstruct(f"Kind{number}", fields)

def use(kind, gate):
    gate.wait()
    decode_json(b'{"field_1": {"a": {"name": "b"}}}', kind)
    convert({"field_2": {"a": {"name": "b"}}}, kind)

for kind in kinds():
    gate = threading.Barrier(6)
    threads = [threading.Thread(target=use, args=(kind, gate)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_the_first_use_of_a_type_by_several_threads_at_once_does_not_crash() -> None:
    ended = subprocess.run([sys.executable, "-c", _MANY_FIRST_TIMES], cwd=_ROOT, check=False, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")
