"""The configuration: every file in conf/ composes to what the dataclasses say, and every dataclass survives OmegaConf."""

from dataclasses import fields
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from nmt.cli.compose import SEARCH, compose, config_directory, register, search_overrides, to_settings
from nmt.config import Device
from nmt.config.evaluate import EvaluateConfig
from nmt.config.scoring import ScoringConfig
from nmt.config.train import TrainConfig
from nmt.config.translate import TranslateConfig
from nmt.data.corpus import load_pairs
from nmt.errors import UsageError, UserError
from nmt.models.seq2seq import build
from nmt.search import STRATEGIES, Beam
from nmt.search.scoring import LengthPenalty
from nmt.training.schedule import SCHEDULES

CONF = Path(config_directory())
WHERE = ["run_dir=r", "data.path=p", "data.source=s", "data.target=t"]


@pytest.fixture(autouse=True)
def schedules() -> None:
    register("train", TrainConfig, {**SEARCH, "schedule": SCHEDULES})


def choices(group: str) -> list[str]:
    return sorted(str(file.relative_to(CONF / group).with_suffix("")) for file in (CONF / group).rglob("*.yaml"))


def test_conf_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Path(config_directory()).is_absolute()
    assert (CONF / "train.yaml").is_file()


@pytest.mark.parametrize("group", sorted(folder.name for folder in CONF.iterdir() if folder.is_dir()))
def test_every_choice_of_a_group_composes(group: str) -> None:
    assert choices(group)
    for choice in choices(group):
        where = ["run_dir=r", "data.path=p"] if group in ("data", "experiment") and choice != "parallel" else WHERE
        settings = to_settings(compose("train", TrainConfig, [f"{group}={choice}", *where]), TrainConfig)
        assert isinstance(settings, TrainConfig)


@pytest.mark.parametrize(("experiment", "vocab"), [("cells", 4000), ("cells_toy", 1000)])
def test_models_to_be_compared_have_as_many_parameters(experiment: str, vocab: int) -> None:
    counts = []
    for choice in choices("model"):
        if choice.startswith(f"{experiment}/"):
            overrides = [f"experiment={experiment}", f"model={choice}", "run_dir=r", "data.path=p"]
            config = to_settings(compose("train", TrainConfig, overrides), TrainConfig).model
            counts.append(sum(weights.numel() for weights in build(config, vocab, vocab, joint=True).parameters()))
    assert len(counts) == 6
    assert max(counts) < 1.03 * min(counts)


def test_every_alternative_in_code_has_a_file() -> None:
    assert choices("search") == sorted(STRATEGIES)
    assert choices("schedule") == sorted(SCHEDULES)


def test_alternatives_have_the_defaults_of_their_dataclasses() -> None:
    for search, strategy in STRATEGIES.items():
        for schedule, kind in SCHEDULES.items():
            config = compose("train", TrainConfig, ["data=parallel", f"search={search}", f"schedule={schedule}", *WHERE])
            settings = to_settings(config, TrainConfig)
            assert (settings.search, settings.schedule) == (strategy(), kind())


@pytest.mark.parametrize("language", ["de", "fr"])
def test_multi30k_takes_a_folder(language: str) -> None:
    overrides = [f"experiment=multi30k_en_{language}", "data.path=/corpora/multi30k", "run_dir=r"]
    settings = to_settings(compose("train", TrainConfig, overrides), TrainConfig)
    assert (settings.data.path, settings.data.source, settings.data.target) == ("/corpora/multi30k", "en", language)


@pytest.mark.parametrize("language", ["de", "fr"])
def test_tokenised_multi30k_is_trained_like_the_raw_one_and_scored_as_it_is(language: str) -> None:
    raw, tokenised = (
        to_settings(compose("train", TrainConfig, [f"experiment={name}_en_{language}", "data.path=p", "run_dir=r"]), TrainConfig)
        for name in ("multi30k", "multi30k_tok")
    )
    assert tokenised.training.validation_tokenize == "none"
    tokenised.training.validation_tokenize = None
    tokenised.data = raw.data
    assert tokenised == raw
    with pytest.raises(UserError, match=r"`data\.path`"):
        to_settings(compose("train", TrainConfig, [f"experiment=multi30k_tok_en_{language}", "run_dir=r"]), TrainConfig)


@pytest.mark.parametrize("form", ["", ".lc.norm.tok"])
def test_tokenised_multi30k_is_found_by_its_own_names_and_by_plain_ones(form: str, tmp_path: Path) -> None:
    for split in ("train", "val", "test_2016_flickr"):
        for side in ("en", "de"):
            (tmp_path / f"{split}{form}.{side}").write_text(f"{split}\n", encoding="utf-8")
    overrides = ["data=multi30k_tok_en_de", f"data.path={tmp_path}", "run_dir=r"]
    data = to_settings(compose("train", TrainConfig, overrides), TrainConfig).data
    splits = (data.train, data.validation, data.test)
    assert [load_pairs(data, split).sources() for split in splits] == [["train"], ["val"], ["test_2016_flickr"]]


def test_the_halves_of_tatoebas_dev_choose_and_report(tmp_path: Path) -> None:
    for split, pairs in (("train", 2), ("dev", 2602)):
        for side in ("en", "fr"):
            (tmp_path / f"{split}.{side}").write_text("".join(f"{i}\n" for i in range(pairs)), encoding="utf-8")
    overrides = ["experiment=tatoeba_en_fr", f"data.path={tmp_path}", "run_dir=r"]
    data = to_settings(compose("train", TrainConfig, overrides), TrainConfig).data
    chosen, reported = (load_pairs(data, split).sources() for split in (data.validation, data.test))
    assert sorted(map(int, chosen + reported)) == list(range(2602))
    assert [len(chosen), len(reported)] == [1300, 1302]
    assert all(abs(sum(map(int, half)) / len(half) - 1300) < 50 for half in (chosen, reported))  # a sorted file


def test_multi30k_en_de_knows_its_place_on_the_hub() -> None:
    settings = to_settings(compose("train", TrainConfig, ["experiment=multi30k_en_de", "run_dir=r"]), TrainConfig)
    assert settings.data.path == "bentrevett/multi30k"


@pytest.mark.parametrize(("command", "root"), [("translate", TranslateConfig), ("evaluate", EvaluateConfig)])
def test_overrides_of_a_search_compose_exactly_it(command: str, root: type) -> None:
    pieces = ["▁it's", ",", "${x}", "a\\", "[", "]", '"', "1", "true", "null", "", "▁"]
    search = Beam(1e-05, 3, beam_size=7, n_best=2, length_penalty_form=LengthPenalty.plain, forbidden_pieces=pieces)
    where = ["data=toy"] if root is EvaluateConfig else []
    settings = to_settings(compose(command, root, [*search_overrides(search), *where]), root)
    assert settings.search == search


@pytest.mark.parametrize("root", [TrainConfig, TranslateConfig, EvaluateConfig, ScoringConfig])
def test_dataclasses_survive_omegaconf(root: type) -> None:
    schema = OmegaConf.structured(root)
    assert set(schema) == {field.name for field in fields(root)}
    for alternatives in (STRATEGIES, SCHEDULES):
        for kind in alternatives.values():
            assert OmegaConf.to_object(OmegaConf.structured(kind)) == kind()


def test_what_is_missing_is_named() -> None:
    config = compose("translate", TranslateConfig, ["~search"])
    with pytest.raises(UsageError, match="^`search` must be given, but is missing$"):
        to_settings(config, TranslateConfig)


def test_device_is_what_the_translator_knows() -> None:
    assert [device.value for device in Device] == ["auto", "cpu", "cuda"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_threads": 0}, "`num_threads` must be at least 1, but is 0 instead"),
        ({"batch_size": 0}, "`batch_size` must be at least 1, but is 0 instead"),
    ],
)
def test_values_are_checked(settings: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        TranslateConfig(search=Beam(), **settings)  # type: ignore[arg-type]


def test_the_toy_corpus_brings_its_recipe_and_others_do_not() -> None:
    sizes = {
        data: to_settings(compose("train", TrainConfig, [data, *WHERE]), TrainConfig).model.hidden_size
        for data in ("data=toy", "data=parallel")
    }
    assert sizes == {"data=toy": 128, "data=parallel": 256}
