"""``nmt export``: a model directory gets the files that ONNX Runtime translates with."""

import argparse
import sys
from collections.abc import Sequence

from nmt.model_directory import load_model_directory

_DESCRIPTION = """\
Write the functions of a model as ONNX files, into the folder onnx of its directory. From then on nmt translate computes
with ONNX Runtime on the CPU, and so do nmt evaluate and nmt compare with backend=onnx. Faster still:

  quantised=true                  products in 8 bits
  quantised=true shortlist=true   and only over target pieces that go with the source's

With these two a translation depends a little on what else is translated with it; nmt evaluate tells what they cost.
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
