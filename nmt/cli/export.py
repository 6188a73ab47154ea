"""``nmt export``: a model directory gets the files that ONNX Runtime translates with."""

import argparse
import sys
from collections.abc import Sequence

from nmt.model_directory import load_model_directory

_DESCRIPTION = """\
Write the functions of a model as ONNX files, into the folder onnx of its directory. From then on nmt translate computes
with ONNX Runtime on the CPU, with 8-bit products unless quantised=false says otherwise; backend=torch is what it was.
"""


def run(arguments: Sequence[str]) -> int:
    """Export the models; returns the exit code."""
    parser = argparse.ArgumentParser("nmt export", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", metavar="MODEL", nargs="+", help="a model directory, such as runs/toy/model")
    chosen = parser.parse_args(arguments)
    from nmt.onnx.export import export

    for path in chosen.models:
        folder = export(load_model_directory(path))
        for file in sorted(folder.iterdir()):
            print(f"{file}  {file.stat().st_size / 1e6:.1f} MB", file=sys.stderr)
    return 0
