"""Synthetic pairs train beside the real ones."""

from pathlib import Path

import pytest

from nmt.data.config import DataConfig
from nmt.data.corpus import load_pairs
from nmt.data.encoded import EncodedPairs, cached_tokenizers
from nmt.data.synthetic import with_synthetic
from nmt.data.toy import toy_pairs
from nmt.errors import UserError
from nmt.tokenizer import TokenizerConfig


def write(prefix: Path, pairs: list[tuple[str, str]]) -> str:
    prefix.parent.mkdir(exist_ok=True)
    for side, language in enumerate(("en", "fr")):
        Path(f"{prefix}.{language}").write_text("".join(f"{pair[side]}\n" for pair in pairs), encoding="utf-8")
    return str(prefix)


def config(folder: Path, *synthetic: str) -> DataConfig:
    return DataConfig(path=str(folder), source="en", target="fr", synthetic=list(synthetic))


def test_they_follow_the_real_pairs_in_the_order_given(tmp_path: Path) -> None:
    pairs = toy_pairs("val")
    write(tmp_path / "train", pairs[:40])
    one = write(tmp_path / "made" / "forward", pairs[40:60])
    other = write(tmp_path / "made" / "backward", [*pairs[60:70], ("", "x")])
    whole = with_synthetic(load_pairs(config(tmp_path), "train"), config(tmp_path, one, other))
    assert list(zip(whole.sources(), whole.targets(), strict=True)) == pairs[:70]
    assert whole.dropped_blank == 1
    encoded = EncodedPairs.from_pairs(whole, cached_tokenizers(whole, TokenizerConfig(vocab_size=330)), 100)
    assert encoded.texts([39, 40, 69])[1] == [pairs[row][1] for row in (39, 40, 69)]  # type: ignore[arg-type]


def test_the_fingerprint_is_of_all(tmp_path: Path) -> None:
    pairs = toy_pairs("val")
    write(tmp_path / "train", pairs[:9])
    one, other = write(tmp_path / "one", pairs[9:19]), write(tmp_path / "other", pairs[19:29])
    real = load_pairs(config(tmp_path), "train")
    choices = ((), (one,), (other,), (one, other), (other, one))
    found = [with_synthetic(real, config(tmp_path, *names)).fingerprint for names in choices]
    assert found[0] == real.fingerprint
    assert len(set(found)) == 5


def test_a_missing_side_is_told(tmp_path: Path) -> None:
    write(tmp_path / "train", toy_pairs("val")[:9])
    (tmp_path / "half.en").write_text("a\n")
    message = f"`data.synthetic` must name the beginnings of files, but {tmp_path}/half.fr does not exist"
    with pytest.raises(UserError) as error:
        with_synthetic(load_pairs(config(tmp_path), "train"), config(tmp_path, f"{tmp_path}/half"))
    assert str(error.value) == message
