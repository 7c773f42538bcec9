from __future__ import annotations

import subprocess
import sys

_START = """
from gpu_worker.engines.importing import torch_for_inference

with torch_for_inference():
    import torch

assert not hasattr(torch, "_meta_registrations")
"""


def _run(program: str) -> str:
    command = [sys.executable, "-c", _START + program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_what_only_other_programs_need_is_left_out_of_torch() -> None:
    modules = _run("import sys; print(*sys.modules)").split()
    assert "torch.nn.functional" in modules
    for left_out in ("torch._meta_registrations", "torch._decomp.decompositions", "torch.export.graph_signature"):
        assert left_out not in modules


def test_torch_computes_without_it() -> None:
    assert _run("print(torch.nn.functional.gelu(torch.ones(2, 2) @ torch.ones(2, 2)).sum().item() > 7)") == "True\n"


def test_one_import_brings_it_back() -> None:
    program = """
import torch._meta_registrations
import torch.distributions
import torch.export
import torch.nested

class Twice(torch.nn.Module):
    def forward(self, x):
        return x + x

exported = torch.export.export(Twice(), (torch.ones(3),))
print(exported.module()(torch.ones(3)).tolist(), torch.Generator().manual_seed(7).initial_seed())
print(torch.distributions.Normal(0.0, 1.0).mean.item(), torch.nested.nested_tensor([torch.ones(2)]).is_nested)
"""
    assert _run(program) == "[2.0, 2.0, 2.0] 7\n0.0 True\n"


def test_a_torch_that_is_there_stays_as_it_is() -> None:
    program = """
import torch._meta_registrations

with torch_for_inference():
    import torch

print(hasattr(torch, "_meta_registrations"))
"""
    assert _run(program) == "True\n"
