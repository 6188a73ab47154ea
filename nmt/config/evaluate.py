"""The settings of ``nmt evaluate``."""

from dataclasses import dataclass

from nmt.config.translate import TranslateConfig
from nmt.data.corpus import DataConfig


@dataclass(kw_only=True)
class EvaluateConfig(TranslateConfig):
    """``data`` None: the test set is two files, named on the command line.

    ``split`` is train, validation or test, whose names ``data`` knows, or the name of another split. ``tokenize`` is a
    sacreBLEU tokeniser; None takes that of the model's target language.
    """

    data: DataConfig | None = None
    split: str = "test"
    tokenize: str | None = None
    lowercase: bool = False
