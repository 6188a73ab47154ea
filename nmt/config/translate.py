"""The settings of ``nmt translate``."""

from dataclasses import dataclass

from nmt.config import Device, check_at_least_one
from nmt.search.base import SearchStrategy


@dataclass(kw_only=True)
class TranslateConfig:
    """``num_threads`` is that of the CPU; None leaves it to PyTorch; ``batch_size`` counts sentences."""

    device: Device = Device.auto
    num_threads: int | None = 1
    batch_size: int = 64
    search: SearchStrategy

    def __post_init__(self) -> None:
        check_at_least_one("num_threads", self.num_threads)
        check_at_least_one("batch_size", self.batch_size)
