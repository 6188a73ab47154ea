"""The settings of ``nmt translate``."""

from dataclasses import dataclass

from nmt.backends import Backend
from nmt.config import Device, check_at_least_one
from nmt.search.base import SearchStrategy


@dataclass(kw_only=True)
class TranslateConfig:
    """``num_threads`` is that of the CPU; None leaves it to what computes; ``batch_size`` counts sentences. ``quantised``: with
    ONNX Runtime products are done in 8 bits. ``shortlist``: and only target pieces are considered that pieces of the source
    brought about in training. With both, what is translated together is not always what it is one by one.
    """

    device: Device = Device.auto
    backend: Backend = Backend.auto
    quantised: bool = False
    shortlist: bool = False
    num_threads: int | None = 1
    batch_size: int = 64
    search: SearchStrategy

    def __post_init__(self) -> None:
        check_at_least_one("num_threads", self.num_threads)
        check_at_least_one("batch_size", self.batch_size)
