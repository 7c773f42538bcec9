"""InSPyReNet as a graph that OpenVINO compiles."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
from torch import nn

from gpu_worker.engines.inspyrenet import alpha_of, tensors_of
from gpu_worker.engines.quiet_openvino import openvino
from gpu_worker.inspyrenet.lean import LeanNetwork, PlainLayers, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gpu_worker.engines.models import InSPyReNetModel
    from gpu_worker.weights import Weights

__all__ = ["RecordedInSPyReNet"]


class RecordedInSPyReNet:
    """A `Graph` of the very network that `InSPyReNetEngine` runs, as it was recorded while it ran in torch."""

    def __init__(self, weights: Weights, model: InSPyReNetModel) -> None:
        self._weights = weights
        self._side = model.preprocessing.side

    @torch.no_grad()
    def read(self) -> openvino.Model:
        """One image (1, 3, side, side) -> its matte (1, 1, side, side). In float32, whatever the weights are in.

        Takes a pass in torch, with its time and memory.
        """
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # noqa: PLC0415  # never before ours

        tensors = cast(tensors_of(self._weights), torch.float32)
        network = _Module(LeanNetwork(tensors, self._side, PlainLayers()))
        image = torch.zeros(1, 3, self._side, self._side)
        with warnings.catch_warnings():
            # Of branches and sizes that are taken for constant, as they are for one size of image; of torch.export,
            # the trace's successor, whose decoder takes far longer.
            warnings.simplefilter("ignore")
            trace = torch.jit.trace(network, image, check_trace=False)  # type: ignore[no-untyped-call]  # torch's
            decoder = TorchScriptPythonDecoder(trace, example_input=(image,))
        # What `openvino.convert_model` does besides spoils the shapes of this graph ("smart reshape").
        frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
        graph = frontend.convert(frontend.load(decoder))
        graph.reshape(list(image.shape))
        return graph

    def matte(self, output: NDArray[np.float32]) -> NDArray[np.float32]:
        return output

    def finish(self, matte: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
        return alpha_of(matte, width, height)


class _Module(nn.Module):
    """The form that a trace takes."""

    def __init__(self, network: LeanNetwork) -> None:
        super().__init__()
        self._network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self._network(image)
