"""Where a corpus is: the settings of ``data``."""

from dataclasses import dataclass, field

from nmt.errors import StrEnum, UserError


class DataForm(StrEnum):
    auto = "auto"
    parallel = "parallel"
    dataset = "dataset"
    tsv = "tsv"
    toy = "toy"


@dataclass
class DataConfig:
    """Where the corpus is, and what its languages and splits are called.

    `path` is a folder or a hub id, `name` a configuration of a hub dataset; `source` and `target` are columns
    or ends of file names, `train`, `validation`, `test` are splits or beginnings of file names; `train[:5000]` is
    its first 5,000 pairs, `dev[1000:]` all but the first 1,000; `a|b` is the first of these that is there. With
    `shuffle`, for sorted corpora, ranges count the pairs in an order of chance, the same each time and in both directions, in
    which pairs of one sentence (in the language whose name comes first in the alphabet) follow each other. `form=auto` is found
    by looking. `max_length` is in pieces: longer pairs do not train. `seed` is for the toy corpus. `synthetic` are more pairs to
    train on, one side of each a translation: `runs/made/forward` stands for the files `forward.SOURCE` and `forward.TARGET` of
    that folder.
    """

    path: str = ""
    source: str = ""
    target: str = ""
    train: str = "train"
    validation: str = "val"
    test: str = "test"
    shuffle: bool = False
    name: str | None = None
    form: DataForm = DataForm.auto
    max_length: int = 256
    seed: int = 1
    synthetic: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.max_length < 1:
            raise UserError(f"`data.max_length` must be at least 1, but is {self.max_length} instead")
        if self.source and self.source == self.target:
            raise UserError(f"`data.target` must differ from `data.source`, but is `{self.target}` too")
