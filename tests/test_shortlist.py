"""The shortlist: translations are found among words that come together, and what a source can ask for is small."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from nmt.data.sequences import Sequences
from nmt.errors import UserError
from nmt.shortlist import COMMON, Shortlist, _translations, learn_shortlist
from nmt.tokenizer import BOS, EOS, PAD, UNK

RNG = np.random.default_rng(1)
WORDS = 400
DICTIONARY = RNG.permutation(WORDS) + 4  # of source word 4 + i


def pairs(count: int = 3000) -> tuple[Sequences, Sequences]:
    """Sentences of 1 to 9 words, and their translations in another order; frequent words are frequent."""
    sources, targets = [], []
    for _ in range(count):
        words = np.minimum(RNG.geometric(0.02, RNG.integers(1, 10)), WORDS) + 3
        sources.append(words.tolist())
        targets.append(RNG.permutation(DICTIONARY[words - 4]).tolist())
    return Sequences.of(sources), Sequences.of(targets)


def test_the_likeliest_translation_is_the_dictionary_s() -> None:
    sources, targets = pairs()
    shortlist = learn_shortlist(sources, targets, WORDS + 4, WORDS + 4, joint=False)
    known = np.flatnonzero(np.bincount(sources.values, minlength=WORDS + 4) >= 5)
    assert len(known) > 150
    assert np.mean(shortlist.likeliest[known, 0] == DICTIONARY[known - 4]) > 0.97
    for words in ([10, 20, 30], [4]):
        candidates = shortlist.candidates(np.array([[*words, EOS, PAD]]))
        assert set(DICTIONARY[np.array(words) - 4]) | {EOS, UNK} <= set(candidates.tolist())
        assert candidates.tolist() == sorted(set(candidates.tolist())) and not {PAD, BOS} & set(candidates.tolist())
        assert len(candidates) < 0.9 * WORDS


@pytest.mark.parametrize("chunk", [1, 2**20])
def test_probabilities_are_those_of_brown_et_al(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """EM by hand on two sentences, with an empty word; looked up at once, or a sentence at a time."""
    monkeypatch.setattr("nmt.shortlist._CHUNK", chunk)
    sources, targets = [[4, 5], [4]], [[6, 7], [6]]
    t = {(s, w): 1.0 for s in (PAD, 4, 5) for w in (6, 7)}
    for _ in range(4):
        counts: dict[tuple[int, int], float] = {}
        for source, target in zip(sources, targets, strict=True):
            for w in target:
                total = sum(t[s, w] for s in (PAD, *source))
                for s in (PAD, *source):
                    counts[s, w] = counts.get((s, w), 0) + t[s, w] / total
        t = {(s, w): counts.get((s, w), 0) / sum(counts.get((s, v), 0) for v in (6, 7)) for s, w in t}
    found = zip(*_translations(Sequences.of(sources), Sequences.of(targets), 8, 8), strict=True)
    assert {(int(s), int(w)): p for s, w, p in found} == pytest.approx({key: p for key, p in t.items() if p > 0})


def test_a_joint_vocabulary_lets_words_be_copied() -> None:
    sources, targets = pairs()
    never = np.array([[WORDS + 9]])  # a name that training has not seen
    joint = learn_shortlist(sources, targets, WORDS + 10, WORDS + 10, joint=True)
    assert WORDS + 9 in joint.candidates(never)
    apart = learn_shortlist(sources, targets, WORDS + 10, WORDS + 10, joint=False)
    assert apart.candidates(never).tolist() == sorted(apart.common.tolist())
    assert len(apart.common) == COMMON + 2


def test_what_was_seen_often_and_never_copied_is_not() -> None:
    for times, copied in ((10, {4, 5, 7}), (100, {5, 7})):
        pairs = Sequences.of([[4, 5]] * times), Sequences.of([[6, 5]] * times)
        joint = learn_shortlist(*pairs, 8, 8, joint=True)
        assert {piece for piece in (4, 5, 7) if piece in joint.candidates(np.array([[piece]]))} == copied


def test_the_file_comes_back_and_a_foreign_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "shortlist.safetensors"
    shortlist = learn_shortlist(*pairs(100), WORDS + 4, WORDS + 4, joint=True)
    shortlist.save(file)
    found = Shortlist.load(file, WORDS + 4, WORDS + 4)
    assert (found.common == shortlist.common).all() and (found.likeliest == shortlist.likeliest).all()
    for sizes in ((WORDS + 3, WORDS + 4), (WORDS + 4, 50)):
        with pytest.raises(UserError, match=f"must be of the model's {sizes[0]} and {sizes[1]} pieces, but is of others"):
            Shortlist.load(file, *sizes)
    arrays = {"common": shortlist.common, "likeliest": shortlist.likeliest[:, :-1]}  # without what may be copied
    whole = load(file.read_bytes())
    floats = {name: array.astype(np.float32) for name, array in whole.items()}
    flat, empty = ({name: array.ravel()[:size] for name, array in whole.items()} for size in (None, 0))
    for content in (*map(save, (arrays, floats, flat, empty)), b"no"):
        file.write_bytes(content)
        with pytest.raises(UserError, match="is damaged or no shortlist"):
            Shortlist.load(file, WORDS + 4, WORDS + 4)


def test_padding_brings_nothing_in() -> None:
    shortlist = learn_shortlist(*pairs(300), WORDS + 4, WORDS + 4, joint=True)
    alone, padded = np.array([[10, 20, EOS]]), np.array([[10, 20, EOS, PAD]])
    assert shortlist.candidates(alone).tolist() == shortlist.candidates(padded).tolist()
