"""Text means what was typed; everything else is said in Hydra's grammar."""

from dataclasses import asdict

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from nmt.cli.compose import compose, to_settings
from nmt.cli.overrides import quote_text, settings_of
from nmt.config.evaluate import EvaluateConfig
from nmt.config.train import TrainConfig
from nmt.config.translate import TranslateConfig

PATHS = [
    "runs/plain-1.0",
    "/home/josé/corpus, v2",
    "a=b",
    "it's",
    'say "hello"',
    "$HOME/${x}",
    "${x}",
    "\\${x}",
    "\\\\${x} and ${y}",
    "${",
    "[x]",
    "[1, 2]",
    "{a: b}",
    "(x)",
    "~",
    "~/corpus",
    "C:\\data\\new",
    "ends in a backslash\\",
    "two\\\\",
    "\\'",
    "'",
    "'a' b",
    "'a','b'",
    '"',
    " spaces ",
    "",
    "123",
    "0123",
    "1_000",
    "1e3",
    "true",
    "No",
    "nan",
    "a,b",
    "choice(a,b)",
    "str(5)",
    "x#y",
    "日本語/コーパス",
    "a\nb",
    "tab\there",
    "50%",
    "a;b|c&d",
    "-dash",
    "+plus",
    "x:y",
    "@here",
]


@pytest.mark.parametrize("path", PATHS)
def test_text_is_read_as_typed(path: str) -> None:
    [quoted] = quote_text([f"data.path={path}"], TrainConfig)
    override = OverridesParser.create().parse_override(quoted)
    assert not override.is_sweep_override()
    assert OmegaConf.create({"path": override.value()}).path == path


def test_text_arrives_as_typed() -> None:
    keys = ["data.path", "data.source", "data.target", "data.train", "data.test", "data.name", "split", "tokenize"]
    paths = ["/home/josé/corpus, v2", "a=b", "it's", "$HOME/${x}", "[x]", "ends in \\", "123", "~/x"]
    given = [f"{key}={path}" for key, path in zip(keys, paths, strict=True)]
    settings = to_settings(compose("evaluate", EvaluateConfig, given), EvaluateConfig)
    found = {**asdict(settings), **{f"data.{key}": value for key, value in asdict(settings)["data"].items()}}
    assert [found[key] for key in keys] == paths


@pytest.mark.parametrize("key", ["run_dir", "data.path", "data.train", "tokenizer.path", "tokenizer.source_path"])
def test_text_settings_of_training_are_quoted(key: str) -> None:
    assert quote_text([f"{key}=a, b"], TrainConfig) == [f"{key}='a, b'"]


def test_a_sweep_over_text_needs_to_be_asked_for() -> None:
    assert quote_text(["data.path=a,b"], TrainConfig) == ["data.path='a,b'"]
    assert quote_text(["data.path=a,b"], TrainConfig, sweep=True) == ["data.path=a,b"]
    assert quote_text(["data.path=josé,b"], TrainConfig, sweep=True) == ["data.path='josé,b'"]


@pytest.mark.parametrize(
    ("typed", "pieces"),
    [
        ("[]", []),
        ("[a]", ["a"]),
        ("[▁dog, ▁It's,été]", ["▁dog", "▁It's", "été"]),
        ("[1,true,null,a]", ["1", "true", "null", "a"]),
        ("[<unk>,=,(]", ["<unk>", "=", "("]),
        ("['▁a,b', \"]\"]", ["▁a,b", "]"]),
        ("[',']", [","]),
        ("[${x},$]", ["${x}", "$"]),
        ("[\\]", ["\\"]),
    ],
)
def test_a_list_of_texts_is_read_as_typed(typed: str, pieces: list[str]) -> None:
    config = compose("translate", TranslateConfig, [f"search.forbidden_pieces={typed}"])
    assert to_settings(config, TranslateConfig).search.forbidden_pieces == pieces


@pytest.mark.parametrize(
    "override",
    [
        "seed=1,2",
        "seed=josé",
        "model.cell=it's",
        "data=toy",
        "data.path=null",
        "data.path='a, b'",
        "run_dir='runs/${seed}'",
        "tokenizer.path=\"${data.path}\"",
        "--cfg",
        "job",
        "hydra.verbose=true",
        "~search",
    ],
)
def test_what_is_left_to_hydra(override: str) -> None:
    assert quote_text([override], TrainConfig) == [override]


def test_a_reference_in_quotes_is_a_reference() -> None:
    given = ["data.path='${data.source}-${data.target}'", "data.source=en", "data.target=fr"]
    config = compose("evaluate", EvaluateConfig, given)
    assert OmegaConf.select(config, "data.path") == "en-fr"


def test_settings_are_found_through_optional_groups() -> None:
    settings = settings_of(EvaluateConfig)
    assert settings["data.path"] is str
    assert settings["tokenize"] is str
    assert settings["batch_size"] is int
    assert "data" not in settings
