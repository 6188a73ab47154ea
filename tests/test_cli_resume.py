"""A run's settings come back from its directory, whatever they hold."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from nmt.cli import main
from nmt.cli.compose import compose, register, to_settings
from nmt.cli.resume import CHOICES, saved_overrides, to_text
from nmt.config.train import TrainConfig
from nmt.errors import UserError

ODD = ["data=parallel", 'data.path=/home/josé/a, b=${c}/it\'s "[x]"', "data.source=en", "data.target=zh-Hant", "run_dir=r"]
CHANGED = ["search=sampling", "search.top_p=0.9", "schedule=inverse_square_root", "schedule.warmup_steps=7", "num_threads=3"]


@pytest.fixture(scope="module", autouse=True)
def schemas() -> None:
    register("train", TrainConfig, CHOICES)


def test_saved_settings_compose_to_the_same(tmp_path: Path) -> None:
    config = compose(
        "train", TrainConfig, [*ODD, *CHANGED, "training.precision=bf16", "model.attention=none", "training.weight_decay=1e-5"]
    )
    settings = to_settings(config, TrainConfig)
    (tmp_path / "config.yaml").write_text(to_text(config, settings), encoding="utf-8")
    again = to_settings(compose("train", TrainConfig, [*saved_overrides(str(tmp_path), []), "run_dir=r"]), TrainConfig)
    assert again == settings


def test_given_overrides_win(tmp_path: Path) -> None:
    config = compose("train", TrainConfig, [*ODD, *CHANGED])
    (tmp_path / "config.yaml").write_text(to_text(config, to_settings(config, TrainConfig)), encoding="utf-8")
    given = ["search=greedy", "training.max_steps=9", "run_dir=r"]
    again = to_settings(compose("train", TrainConfig, [*saved_overrides(str(tmp_path), given), *given]), TrainConfig)
    assert type(again.search).__name__ == "Greedy"
    assert again.training.max_steps == 9
    assert again.num_threads == 3


def test_a_run_goes_on_with_its_own_settings(
    tmp_path: Path, tiny_settings: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *tiny_settings, f"run_dir={tmp_path}/run"]) == 0
    assert main(["train", f"run_dir={tmp_path}/run", "resume=true", "training.max_steps=4"]) == 0
    log = capsys.readouterr().err
    assert "resumed at step 2" in log and "trained 4 steps" in log


def test_a_file_that_is_no_settings_is_named(tmp_path: Path) -> None:
    for text in ("a: [", "just text", "search: {}\n"):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(UserError, match=r"`.*config.yaml` must hold the settings of a run"):
            saved_overrides(str(tmp_path), [])
