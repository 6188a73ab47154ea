"""What computes a translation: PyTorch, or ONNX Runtime with what ``nmt export`` has written."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from nmt.errors import StrEnum, UserError, check_range
from nmt.model_directory import ONNX, LoadedModel
from nmt.search.base import Model
from nmt.search.ensemble import Ensemble

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
    """What computes a translation; ``auto`` is ONNX Runtime for an exported model, where it is installed and the device is
    ``auto`` or ``cpu``, else PyTorch.
    """

    auto = "auto"
    torch = "torch"
    onnx = "onnx"


def model_of(
    loaded: LoadedModel,
    device: str = "auto",
    backend: Backend | str = Backend.auto,
    *,
    quantised: bool = False,
    shortlist: bool = False,
    num_threads: int | None = None,
) -> TranslationModel:
    """The model in a model directory, ready to be stepped.

    ``num_threads`` None is what the backend takes by itself. ``quantised`` and ``shortlist`` are ONNX Runtime's: products in 8
    bits, and these over a few target pieces only; then what is in a batch with a sentence has a say in its translation. Raises
    ``UserError`` if the backend is not there, or not on this device.
    """
    check_range("num_threads", num_threads, least=1, bits=31)
    if backend not in list(Backend):
        raise UserError(f"`backend` must be one of {', '.join(Backend)}, but is {backend!r} instead")
    exported, on_cpu = (loaded.directory / ONNX).is_dir(), device in ("auto", "cpu")
    usable = exported and on_cpu and importlib.util.find_spec("onnxruntime") is not None
    if backend == Backend.auto:
        backend = Backend.onnx if usable else Backend.torch
    if backend == Backend.torch:
        if quantised or shortlist:
            name = "quantised" if quantised else "shortlist"
            if not on_cpu:
                raise UserError(f"`device` must be auto or cpu with `{name}=true`, but is {device} instead")
            if usable:
                raise UserError(f"`backend` must be onnx with `{name}=true`, but is torch instead")
            raise UserError(f"`{name}` must be false with PyTorch, but is true: `nmt export` the model, and install `nmt[onnx]`")
        return _in_torch(loaded, device, num_threads)
    if not on_cpu:
        raise UserError(f"`backend` must be torch with `device={device}`, but is onnx instead")
    if not exported:
        raise UserError(f"`backend=onnx` needs an exported model, but `{loaded.directory}` is none: see `nmt export --help`")
    if shortlist and not quantised:
        raise UserError("`quantised` must be true with `shortlist=true`, but is false instead")
    try:
        from nmt.onnx.model import OnnxModel
    except ImportError as error:
        raise UserError(
            f"an exported model needs onnxruntime, which can't be imported ({error}): install `nmt[onnx]`, or use `backend=torch`"
        ) from error
    words = loaded.shortlist if shortlist else None
    return OnnxModel(loaded, quantised, num_threads or 0, words)


def _in_torch(loaded: LoadedModel, device: str, num_threads: int | None) -> TranslationModel:
    import torch

    from nmt.models.torch_model import TorchModel, resolve_device

    where = resolve_device(device)
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    return TorchModel(loaded.model.to(where), where)


def together(models: Sequence[TranslationModel]) -> TranslationModel:
    """The model, or of several their ensemble."""
    return models[0] if len(models) == 1 else Ensemble(models)
