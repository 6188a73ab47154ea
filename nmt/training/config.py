"""The settings of the training loop."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field

from nmt.errors import StrEnum, UserError, check_range


class Precision(StrEnum):
    """``bf16`` computes products in bfloat16; weights, optimiser, softmax and loss stay in fp32.

    ``auto`` is bf16 on a device with instructions for it, else fp32.
    """

    fp32 = "fp32"
    bf16 = "bf16"
    auto = "auto"


@dataclass
class TrainingConfig:
    """How to train. Steps are updates of the weights.

    ``batch_tokens`` bounds sentences × longest side of a batch, ``batch_sentences`` the sentences (None: no bound). An
    update takes ``accumulate`` batches. ``subword_alpha`` > 0 samples segmentations (0 takes the best one): the exponent of
    their probabilities in a unigram vocabulary, the share of merges that BPE leaves out. ``teachers`` are model directories
    with this run's tokenizers; the cross-entropy with the mean of their distributions makes up ``distillation`` of the loss
    (Kim & Rush 2016). ``average`` is the decay of the weights' moving average (0: none), ``patience`` the number of validations
    without a better BLEU after which training stops (0: never), ``validation_beam`` 1 is greedy search, ``validation_sentences``
    how many of the validation set it translates, at equal distances; ``validation_tokenize`` None is the sacreBLEU tokeniser of
    the target language.
    """

    max_steps: int = 7500
    batch_tokens: int = 2500
    batch_sentences: int | None = None
    accumulate: int = 1
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    beta2: float = 0.98
    clip_norm: float = 1.0
    label_smoothing: float = 0.1
    teachers: list[str] = field(default_factory=list)
    distillation: float = 0.5
    subword_alpha: float = 0.0
    average: float = 0.999
    precision: Precision = Precision.fp32
    validate_every: int = 500
    validation_beam: int = 1
    validation_sentences: int = 2000
    validation_tokenize: str | None = None
    checkpoint_every: int = 500
    patience: int = 8
    log_every: int = 100
    progress: bool = True

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if type(value) is float and not math.isfinite(value):
                raise UserError(f"`training.{name}` must be a finite number, but is {value} instead")
        at_least_one = ("max_steps", "batch_tokens", "batch_sentences", "accumulate", "validate_every", "validation_beam")
        for name in (*at_least_one, "validation_sentences", "checkpoint_every", "log_every"):
            check_range(f"training.{name}", getattr(self, name), least=1, bits=62)
        if self.subword_alpha < 0:
            raise UserError(f"`training.subword_alpha` must be at least 0, but is {self.subword_alpha} instead")
        for name in ("weight_decay", "patience"):
            if getattr(self, name) < 0:
                raise UserError(f"`training.{name}` must be at least 0, but is {getattr(self, name)} instead")
        for name in ("learning_rate", "clip_norm"):
            if getattr(self, name) <= 0:
                raise UserError(f"`training.{name}` must be above 0, but is {getattr(self, name)} instead")
        if not 0 < self.distillation <= 1:
            raise UserError(f"`training.distillation` must be above 0 and at most 1, but is {self.distillation} instead")
        for name in ("label_smoothing", "average", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"`training.{name}` must be at least 0 and below 1, but is {getattr(self, name)} instead")
