"""A run's settings come back from its directory, whatever they hold."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from nmt.cli import main
from nmt.cli.compose import compose, register, to_settings
from nmt.cli.resume import CHOICES, check_unchanged, saved_overrides, to_text
from nmt.config.train import TrainConfig
from nmt.errors import UserError
from nmt.models.config import Readout
from nmt.training.job import Job

ODD = ["data=parallel", 'data.path=/home/josé/a, b=${c}/it\'s "[x]"', "data.source=en", "data.target=zh-Hant", "run_dir=r"]
CHANGED = ["search=sampling", "search.top_p=0.9", "search.forbidden_pieces=[▁It's,${x}]", "schedule=inverse_square_root"]
NEWER = ("embedding_scale", "lexical_values", "readout:", "context_gate", "teachers", "distillation")  # than first runs
CHANGED += ["schedule.warmup_steps=7", "num_threads=3"]


@pytest.fixture(scope="module", autouse=True)
def schemas() -> None:
    register("train", TrainConfig, CHOICES)


def test_saved_settings_compose_to_the_same(tmp_path: Path) -> None:
    given = ["training.precision=bf16", "model.attention=none", "training.weight_decay=1e-5", "training.teachers=[/josé/it's,r]"]
    config = compose("train", TrainConfig, [*ODD, *CHANGED, *given])
    settings = to_settings(config, TrainConfig)
    (tmp_path / "config.yaml").write_text(to_text(config, settings), encoding="utf-8")
    again = to_settings(compose("train", TrainConfig, [*saved_overrides(str(tmp_path), []), "run_dir=r"]), TrainConfig)
    assert again == settings and again.training.teachers == ["/josé/it's", "r"]


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


@pytest.mark.parametrize("preset", ["default", "cho2014", "cells/gru"])
def test_settings_newer_than_the_run_are_those_of_their_dataclasses(preset: str, tmp_path: Path) -> None:
    config = compose("train", TrainConfig, [*ODD, f"model={preset}"])
    text = to_text(config, to_settings(config, TrainConfig))
    older = [line for line in text.splitlines() if not line.strip().startswith(NEWER)]
    (tmp_path / "config.yaml").write_text("\n".join(older), encoding="utf-8")
    again = to_settings(compose("train", TrainConfig, [*saved_overrides(str(tmp_path), []), "run_dir=r"]), TrainConfig)
    assert (again.model.embedding_scale, again.model.lexical_values) == (1.0, False)
    assert (again.model.readout, again.model.context_gate) == (Readout.tanh, False)
    assert (again.training.teachers, again.training.distillation) == ([], 0.5)
    with pytest.raises(UserError, match="`model.embedding_scale` must stay 1.0 in a run that goes on, but is 4.0 instead"):
        text = text.replace("readout: layer_norm", "readout: tanh")
        check_unchanged(str(tmp_path), text.replace("embedding_scale: 1.0", "embedding_scale: 4.0"))


@pytest.mark.parametrize(("kind", "alpha"), [("unigram", 0.5), ("bpe", 0.1)])
def test_the_strength_of_sampling_was_once_left_to_the_kind_of_vocabulary(kind: str, alpha: float, tmp_path: Path) -> None:
    config = compose("train", TrainConfig, [*ODD, f"tokenizer.kind={kind}"])
    text = to_text(config, to_settings(config, TrainConfig)).replace("subword_alpha: 0.0", "subword_alpha: null")
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    again = to_settings(compose("train", TrainConfig, [*saved_overrides(str(tmp_path), []), "run_dir=r"]), TrainConfig)
    assert again.training.subword_alpha == alpha


def test_a_run_goes_on_without_what_was_taken_away_and_it_never_used(tmp_path: Path) -> None:
    config = compose("train", TrainConfig, ODD)
    text = to_text(config, to_settings(config, TrainConfig))
    for weight, variational, kept in (("0.0", "false", set()), ("3.0", "true", {"training.r_drop", "model.variational_dropout"})):
        older = text.replace("  teachers:", f"  r_drop: {weight}\n  teachers:")
        older = older.replace("  word_dropout:", f"  variational_dropout: {variational}\n  word_dropout:")
        (tmp_path / "config.yaml").write_text(older, encoding="utf-8")
        names = {override.partition("=")[0] for override in saved_overrides(str(tmp_path), [])}
        assert names & {"training.r_drop", "model.variational_dropout"} == kept


def test_a_file_that_is_no_settings_is_named(tmp_path: Path) -> None:
    for text in ("a: [", "just text", "search: {}\n"):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(UserError, match=r"`.*config.yaml` must hold the settings of a run"):
            saved_overrides(str(tmp_path), [])


@pytest.mark.parametrize(
    ("override", "name", "begun", "found"),
    [
        ("model.hidden_size=32", "model.hidden_size", "16", "32"),
        ("model.cell=lstm", "model.cell", "`gru`", "`lstm`"),
        ("model.residual=false", "model.residual", "true", "false"),
        ("tokenizer.vocab_size=400", "tokenizer.vocab_size", "320", "400"),
        ("training.batch_tokens=300", "training.batch_tokens", "200", "300"),
        ("training.subword_alpha=0.2", "training.subword_alpha", "0.0", "0.2"),
        ("schedule=constant", "schedule", "`cosine`", "`constant`"),
        ("data.target=de", "data.target", "`fr`", "`de`"),
        ("seed=2", "seed", "1", "2"),
    ],
)
def test_what_was_trained_with_must_stay(
    override: str, name: str, begun: str, found: str, tiny_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = (tiny_run / "config.yaml").read_bytes()
    assert main(["train", f"run_dir={tiny_run}", "resume=true", override]) == 2
    sentence = f"nmt: `{name}` must stay {begun} in a run that goes on, but is {found} instead\n"
    assert capsys.readouterr().err == sentence
    assert (tiny_run / "config.yaml").read_bytes() == config


def test_settings_of_logging_validation_and_place_may_change(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Job] = []
    monkeypatch.setattr("nmt.training.run.run_training", jobs.append)
    free = ["training.max_steps=9", "training.patience=0", "training.checkpoint_every=7", "training.log_every=3", "num_threads=2"]
    free += ["training.validate_every=5", "training.validation_beam=2", "training.progress=false", f"data.path={tmp_path}"]
    free += ["training.teachers=[moved]"]
    free += ["training.validation_sentences=4", "training.validation_tokenize=char", "search=greedy", "device=auto"]
    same = ["model.hidden_size=16", "seed=1", "schedule=cosine"]
    assert main(["train", f"run_dir={tiny_run}", "resume=true", *free, *same]) == 0
    assert jobs[0].training.validation_beam == 2 and jobs[0].data.path == str(tmp_path)


def test_a_quoted_run_dir_is_the_run_that_goes_on(
    tmp_path: Path, tiny_settings: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", *tiny_settings, "run_dir=run"]) == 0
    assert main(["train", "run_dir='run'", "resume=true", "training.max_steps=4"]) == 0
    assert "trained 4 steps" in capsys.readouterr().err
    (tmp_path / "run").rename(tmp_path / "run1")
    assert main(["train", "run_dir='run${seed}'", "resume=true"]) == 2
    assert "`resume=true` must stand as such beside the `run_dir=DIR` of a run" in capsys.readouterr().err


def test_an_experiment_that_is_typed_is_not_passed_over(
    tmp_path: Path, tiny_settings: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = [f"run_dir={tmp_path}/run", "resume=true"]
    begun = ["recipe=hour", *tiny_settings, f"run_dir={tmp_path}/run"]
    assert main(["train", *begun]) == 0
    assert main(["train", *begun, "resume=true"]) == 0  # the same command goes on
    assert "finished at step 2" in capsys.readouterr().err
    assert main(["train", *run, "recipe=hour", "training.max_steps=4"]) == 0
    assert "trained 4 steps" in capsys.readouterr().err
    assert main(["train", *run, "recipe=low_resource/2_small_batches"]) == 2
    assert "must stay" in capsys.readouterr().err
    assert main(["train", *run, "experiment=tatoeba_en_fr"]) == 2
    assert "must stay" in capsys.readouterr().err
