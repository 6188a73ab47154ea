"""The settings of ``nmt evaluate``."""

from dataclasses import dataclass

from nmt.backends import Backend
from nmt.config.scoring import ScoringConfig
from nmt.config.translate import TranslateConfig
from nmt.data.config import DataConfig


@dataclass(kw_only=True)
class EvaluateConfig(TranslateConfig, ScoringConfig):
    """``data`` None: the test set is two files, named on the command line.

    ``backend`` is PyTorch unless another is asked for, whatever has been exported, so that figures can be compared.
    ``split`` is train, validation or test, whose names ``data`` knows, or the name of another split.
    """

    backend: Backend = Backend.torch
    data: DataConfig | None = None
    split: str = "test"
