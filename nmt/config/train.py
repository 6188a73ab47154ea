"""The settings of ``nmt train``."""

from dataclasses import dataclass, field

from nmt.config import Device, check_at_least_one
from nmt.data.config import DataConfig, DataForm
from nmt.errors import UserError
from nmt.models.config import ModelConfig
from nmt.search.base import SearchStrategy
from nmt.tokenizer import TokenizerConfig
from nmt.training.config import TrainingConfig
from nmt.training.schedule import Schedule


@dataclass(kw_only=True)
class TrainConfig:
    """``num_threads`` is that of the CPU; None leaves it to PyTorch. ``search`` goes with the finished model."""

    run_dir: str
    resume: bool = False
    seed: int = 1
    device: Device = Device.auto
    num_threads: int | None = 1
    data: DataConfig = field(default_factory=DataConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    schedule: Schedule
    search: SearchStrategy

    def __post_init__(self) -> None:
        if not self.run_dir:
            raise UserError("`run_dir` must name a directory, but is empty instead")
        for name in ("path", "source", "target"):
            if not getattr(self.data, name) and self.data.form != DataForm.toy:
                raise UserError(f"`data.{name}` must be given, but is empty instead")
        if not 0 <= self.seed < 2**63:
            raise UserError(f"`seed` must be at least 0 and below 2**63, but is {self.seed} instead")
        check_at_least_one("num_threads", self.num_threads)
