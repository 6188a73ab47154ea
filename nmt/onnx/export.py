"""From a model directory to its ``onnx`` folder."""

from __future__ import annotations

from pathlib import Path

from nmt.atomic import atomic_directory
from nmt.errors import UserError
from nmt.model_directory import ONNX, LoadedModel
from nmt.models.config import Architecture
from nmt.models.seq2seq import Seq2Seq
from nmt.onnx import ENCODE, ENCODE_8_BIT, PROJECT, STEP, STEP_8_BIT, STEP_SHORTLISTED


def export(loaded: LoadedModel) -> Path:
    """Write ``encode`` and ``step`` in fp32 and with 8-bit products, and the latter also for a shortlist; returns the folder.

    Raises ``UserError`` if the package ``onnx`` is missing, or names the part of the model that has no ONNX form.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise UserError("exporting needs the package onnx, which is missing: install `nmt[onnx]`") from error
    if loaded.config.architecture is not Architecture.recurrent:
        raise UserError(f"`model.architecture` must be recurrent to be exported, but is {loaded.config.architecture} instead")
    folder = loaded.directory / ONNX
    with atomic_directory(folder) as new:
        for name, content in functions(loaded.model).items():
            (new / name).write_bytes(content)
    return folder


def functions(model: Seq2Seq) -> dict[str, bytes]:
    """The files by name."""
    from nmt.onnx.encode import encode_graph
    from nmt.onnx.step import project_graph, step_graph

    graphs = {
        ENCODE: encode_graph(model, quantised=False),
        ENCODE_8_BIT: encode_graph(model, quantised=True),
        STEP: step_graph(model, quantised=False),
        STEP_8_BIT: step_graph(model, quantised=True),
        STEP_SHORTLISTED: step_graph(model, quantised=True, shortlisted=True),
        PROJECT: project_graph(model),
    }
    return {name: graph.serialised() for name, graph in graphs.items()}
