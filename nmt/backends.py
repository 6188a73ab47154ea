"""What computes a translation: PyTorch, or ONNX Runtime with what ``nmt export`` has written."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, Protocol

from nmt.errors import StrEnum, UserError
from nmt.model_directory import ONNX, LoadedModel
from nmt.search.base import Model

if TYPE_CHECKING:  # translating in itself needs no PyTorch
    from nmt.models.seq2seq import Seq2Seq


class TranslationModel(Model[Any, Any], Protocol):
    """What a translator steps, and looks into."""

    @property
    def device(self) -> object:
        """Where it computes."""

    @property
    def network(self) -> Seq2Seq:
        """The network itself, in evaluation mode."""


class Backend(StrEnum):
    """What computes a translation; ``auto`` is ONNX Runtime for an exported model, where it is installed and the device is not
    CUDA, else PyTorch.
    """

    auto = "auto"
    torch = "torch"
    onnx = "onnx"


def model_of(
    loaded: LoadedModel,
    device: str = "auto",
    backend: Backend = Backend.auto,
    quantised: bool = True,
    shortlist: bool = False,
    num_threads: int | None = None,
) -> TranslationModel:
    """The model in a model directory, ready to be stepped.

    ``num_threads`` None is what the backend takes by itself; ``quantised`` is ONNX Runtime's. Raises ``UserError`` if the backend
    is not there, or not on this device.
    """
    exported = (loaded.directory / ONNX).is_dir()
    if backend is Backend.auto:
        usable = exported and device != "cuda" and importlib.util.find_spec("onnxruntime") is not None
        backend = Backend.onnx if usable else Backend.torch
    if shortlist and (backend is Backend.torch or not quantised):
        raise UserError("`shortlist=true` needs an exported model with `quantised=true` on the CPU, but this is another")
    if backend is Backend.torch:
        import torch

        from nmt.models.torch_model import TorchModel, resolve_device

        where = resolve_device(device)
        if num_threads is not None:
            torch.set_num_threads(num_threads)
        return TorchModel(loaded.model.to(where), where)
    if device == "cuda":
        raise UserError("`backend` must be torch with `device=cuda`, but is onnx instead")
    if not exported:
        raise UserError(f"`backend=onnx` needs an exported model, but `{loaded.directory}` is none: see `nmt export --help`")
    try:
        from nmt.onnx.model import OnnxModel
    except ImportError as error:
        raise UserError("`backend=onnx` needs the package onnxruntime, which is missing: install `nmt[onnx]`") from error
    threads, vocab_size = num_threads or 0, len(loaded.tokenizers.target)
    words = loaded.shortlist if shortlist else None
    return OnnxModel(loaded.directory / ONNX, quantised, threads, lambda: loaded.model, vocab_size, words)
