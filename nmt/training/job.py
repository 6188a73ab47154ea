"""What a training run is told, and what follows from it before any file is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from nmt.data.config import DataConfig
from nmt.errors import UserError
from nmt.evaluation import bleu
from nmt.model_directory import SHORTEST_LIMIT
from nmt.models.config import ModelConfig
from nmt.search import SearchStrategy
from nmt.tokenizer import TokenizerConfig
from nmt.training.config import TrainingConfig
from nmt.training.schedule import Schedule


@dataclass
class Job:
    """All that a training run is told. ``config_yaml`` is the resolved configuration as text, kept in the run directory."""

    run_dir: str
    resume: bool
    seed: int
    device: str
    num_threads: int | None
    data: DataConfig
    tokenizer: TokenizerConfig
    model: ModelConfig
    training: TrainingConfig
    schedule: Schedule
    search: SearchStrategy
    config_yaml: str

    @property
    def max_source_length(self) -> int:
        """What the translator cuts longer sources at."""
        return max(SHORTEST_LIMIT, self.data.max_length)

    def check(self) -> None:
        """Settings that do not go together, and what would fail only after hours: a scorer's package that is missing.

        Raises ``UserError``.
        """
        if not self.model.has_attention and asdict(self.search).get("coverage_penalty"):
            raise UserError("`search.coverage_penalty` must be 0 for a model without attention, but is above 0 instead")
        try:
            bleu(["a"], ["a"], tokenize=self.training.validation_tokenize, target_language=self.data.target)
        except UserError as error:
            raise UserError(str(error).replace("`tokenize", "`training.validation_tokenize")) from error
