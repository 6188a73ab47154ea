"""Recurrent neural machine translation: train, evaluate and run GRU translators on one ordinary machine.

    from nmt import Translator
    print(Translator.from_pretrained("runs/toy/model").translate(["The red car is small."])[0])

The dimension key. Shapes in docstrings and comments use these names, always batch first:

    batch       sentences (or pairs) that are computed together
    src_len     pieces of the longest source of the batch, its end mark included
    tgt_len     pieces of the longest target of the batch, its end mark included
    hidden      width of a recurrent state
    embedding   width of an embedding
    layers      recurrent layers on top of each other
    heads       parallel attentions
    vocab       pieces of a tokenizer, the four special ones included
    sentences   sources that a search works on
    width       hypotheses that a search keeps for each sentence
    rows        sentences * width, sentence-major

A mask is True at real tokens.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nmt.version import __version__

if TYPE_CHECKING:
    from nmt.errors import UsageError as UsageError
    from nmt.errors import UserError as UserError
    from nmt.inspection.result import Inspection as Inspection
    from nmt.translation import ForcedTarget as ForcedTarget
    from nmt.translation import TranslatedHypothesis as TranslatedHypothesis
    from nmt.translation import Translation as Translation
    from nmt.translator import Translator as Translator


# Loaded when first asked for (PEP 562): `import nmt` and `nmt --help` don't wait for PyTorch.
_PUBLIC = {
    "ForcedTarget": "nmt.translation",
    "Inspection": "nmt.inspection.result",
    "TranslatedHypothesis": "nmt.translation",
    "Translation": "nmt.translation",
    "Translator": "nmt.translator",
    "UsageError": "nmt.errors",
    "UserError": "nmt.errors",
}
__all__ = [
    "ForcedTarget",
    "Inspection",
    "TranslatedHypothesis",
    "Translation",
    "Translator",
    "UsageError",
    "UserError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
