"""A comparison of three systems that are nothing but their translations."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from nmt.comparison.measure import compare
from nmt.comparison.results import Comparison, Conditions, ParallelText, System
from nmt.comparison.runs import Run, Training, Validation

SENTENCES = 40
TRAINING = Training(200, 100, 90.0, 1234.5, [Validation(100, 20.5), Validation(200, 19.5)])


def system(name: str, translations: Sequence[str], training: Training = TRAINING) -> System:
    return System(Run(name, Path("runs") / name / "model", training), 1234, {"strategy": "greedy"}, translations, 2.0)


@pytest.fixture(scope="session")
def test_set() -> ParallelText:
    generator = random.Random(1)
    sources, references = (
        [" ".join(generator.choices(words.split(), k=generator.randint(3, 15))) for _ in range(SENTENCES)]
        for words in ("the dog sees a red car and some cats on the table", "le chien voit une voiture et des chats sur la table")
    )
    return ParallelText("some.en and some.fr", ("en", "fr"), sources, references)


@pytest.fixture(scope="session")
def comparison(test_set: ParallelText) -> Comparison:
    """`first` loses its last word in every second sentence, `nasty` gets better here and worse there, `same` is as good."""
    first = [line.rsplit(" ", 2)[0] if number % 2 else line for number, line in enumerate(test_set.references)]
    other = [test_set.references[number] if number < 10 else line for number, line in enumerate(first)]
    other[-1] = "<script>alert('x')</script>"
    systems = [system("first", first), system("<b>nasty</b>", other, Training()), system("same", first)]
    return compare(systems, test_set, Conditions("cpu", 1, 64))
