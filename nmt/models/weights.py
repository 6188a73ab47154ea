"""The weights of a network as a safetensors file."""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from nmt.errors import UserError
from nmt.plain_data import read_bytes


def dump_weights(model: nn.Module) -> bytes:
    """The weights in the safetensors format, in fp32, tied ones once."""
    weights = {name: _stored(tensor) for name, tensor in _weights(model).items()}
    return safetensors.torch.save(weights, metadata={"format": "pt"})


def load_weights(file: Path, model: nn.Module) -> None:
    """Put what ``dump_weights`` made into a model of the same architecture. Raises ``UserError`` that names the file."""
    try:
        stored = safetensors.torch.load(read_bytes(file))
    except safetensors.SafetensorError as error:
        raise UserError(f"`{file}` is damaged or no safetensors file: {error}") from error
    expected = _weights(model)
    for name in sorted(expected.keys() | stored.keys()):
        wanted = _description(expected[name]) if name in expected else "absent"
        found = _description(stored[name]) if name in stored else "absent"
        if wanted != found:
            raise UserError(f"`{file}` is of another model: `{name}` must be {wanted}, but is {found} instead")
    with torch.no_grad():
        for name, tensor in expected.items():
            tensor.copy_(stored[name])


def _weights(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; of several names (tied embeddings) only the first is listed."""
    first_names: dict[int, str] = {}
    state = model.state_dict(keep_vars=True)
    return {name: tensor for name, tensor in state.items() if first_names.setdefault(id(tensor), name) == name}


def _stored(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float32 if tensor.is_floating_point() else tensor.dtype).contiguous()


def _description(tensor: Tensor) -> str:
    return f"{tensor.dtype} {list(tensor.shape)}".removeprefix("torch.")
