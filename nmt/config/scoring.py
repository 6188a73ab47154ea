"""The settings of ``nmt evaluate --hypotheses``."""

from dataclasses import dataclass


@dataclass(kw_only=True)
class ScoringConfig:
    """``tokenize`` is a sacreBLEU tokeniser; None takes that of the target language, which 13a serves if it is unknown."""

    tokenize: str | None = None
    lowercase: bool = False
