"""BLEU, chrF and TER by sacreBLEU, each with its signature and a 95 % bootstrap interval.

Why a score means little without its signature: Post 2018, 'A call for clarity in reporting BLEU scores'.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from nmt.errors import UserError
from nmt.evaluation.counts import SEED, Counts, Score, count_by
from nmt.languages import base_code, joins_words

NAMES = {"bleu": "BLEU", "chrf": "chrF2", "ter": "TER"}  # for people, by the names in JSON

# ISO 639-1 and 639-3 codes. Any other language takes 13a, the tokeniser of mteval-v13a.pl.
_TOKENIZERS = {
    **dict.fromkeys(("zh", "zho", "cmn", "yue"), "zh"),
    **dict.fromkeys(("ja", "jpn"), "ja-mecab"),
    **dict.fromkeys(("ko", "kor"), "ko-mecab"),
    **dict.fromkeys(("th", "tha", "lo", "lao", "km", "khm", "my", "mya"), "char"),  # sacreBLEU has none of their words
}
_EXTRAS = {"ja-mecab": "ja", "ko-mecab": "ko"}


@dataclass(frozen=True)
class Scores:
    """BLEU and chrF (higher is better) and TER (lower is better) of one set of translations."""

    bleu: Score
    chrf: Score
    ter: Score
    sentences: int

    def by_key(self) -> list[tuple[str, Score]]:
        """Each score with its name in JSON."""
        return [("bleu", self.bleu), ("chrf", self.chrf), ("ter", self.ter)]

    def to_json(self) -> dict[str, object]:
        """``{"bleu": {"score", "signature", "interval": [low, high] | null}, "chrf", "ter", "sentences"}``"""
        return {**{key: metric.to_json() for key, metric in self.by_key()}, "sentences": self.sentences}

    def table(self) -> str:
        """The same for people: one aligned line a metric, without a final newline."""
        lines = [f"metric   score   {'95 % interval':<18}signature   ({self.sentences} sentences)"]
        for key, metric in self.by_key():
            bounds = "{:.2f} to {:.2f}".format(*metric.interval) if metric.interval else "-"
            lines.append(f"{NAMES[key]:<6}{metric.score:>8.2f}   {bounds:<18}{metric.signature}")
        return "\n".join(lines)


def tokenizer_for(language: str) -> str:
    """sacreBLEU's tokeniser for a target language such as ``de``, ``ja``, ``zh-CN`` or ``zho_Hans``."""
    return _TOKENIZERS.get(base_code(language), BLEU.TOKENIZER_DEFAULT)


def is_unspaced(language: str, tokenize: str | None = None) -> bool:
    """Whether words of the language stand together, so that spaces do not count them.

    If the text is scored with ``tokenize``, that counts too: ``none`` says that it has spaces, ``zh`` that it has not.
    """
    return tokenize != "none" and (tokenize in ("zh", "ja-mecab") or joins_words(language))


def score(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    tokenize: str | None = None,
    target_language: str = "",
    lowercase: bool = False,
    intervals: bool = True,
    seed: int = SEED,
) -> Scores:
    """Score detokenised translations against one reference each, line by line.

    ``tokenize`` is a sacreBLEU tokeniser, or None for that of ``target_language``; ``none`` is for text that
    is tokenised already. ``lowercase`` ignores case in BLEU and chrF; TER always does, as is sacreBLEU's
    default. TER counts words between spaces, or ideographs; of Thai and its neighbours, which have neither, it
    says little. All of it shows in the signatures. An interval
    runs between the percentiles 2.5 and 97.5 of 1,000 resamples of the sentences, drawn as sacreBLEU draws
    them.

    1,000 sentences of a dozen words take about a second on a CPU core, intervals included. Beware of TER on
    long lines: a pair of 200 words each takes seconds.

    Raises ``UserError`` for unequal counts, no sentences, or a tokeniser that is unknown or not installed.
    """
    counted = count_all(hypotheses, references, tokenize=tokenize, target_language=target_language, lowercase=lowercase)
    bleu, chrf, ter = (counts.bootstrap(seed=seed).summary if intervals else counts.summary() for counts in counted)
    return Scores(bleu, chrf, ter, len(hypotheses))


def bleu(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    tokenize: str | None = None,
    target_language: str = "",
    lowercase: bool = False,
) -> Score:
    """BLEU alone, without an interval: what every validation asks for. Arguments and errors: ``score``."""
    return count_by(_bleu(tokenize or tokenizer_for(target_language), lowercase), hypotheses, references).summary()


def count(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    tokenize: str | None = None,
    target_language: str = "",
    lowercase: bool = False,
) -> tuple[Counts, Counts]:
    """What BLEU and what chrF count, for those who compare systems. Arguments and errors: ``score``."""
    metrics = (_bleu(tokenize or tokenizer_for(target_language), lowercase), CHRF(lowercase=lowercase))
    counted = [count_by(metric, hypotheses, references) for metric in metrics]
    return counted[0], counted[1]


def count_all(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    tokenize: str | None = None,
    target_language: str = "",
    lowercase: bool = False,
) -> tuple[Counts, Counts, Counts]:
    """What BLEU, chrF and TER count. Arguments and errors: ``score``."""
    unspaced = is_unspaced(target_language, tokenize)
    ter = TER(normalized=unspaced, asian_support=unspaced)  # else a sentence without spaces would be one word
    counted = count(hypotheses, references, tokenize=tokenize, target_language=target_language, lowercase=lowercase)
    return *counted, count_by(ter, hypotheses, references)


def _bleu(tokenize: str, lowercase: bool) -> BLEU:
    if tokenize not in BLEU.TOKENIZERS:
        raise UserError(f"`tokenize` must be one of {', '.join(BLEU.TOKENIZERS)}, but is `{tokenize}` instead")
    try:
        # `force` only silences the warning that the text looks tokenised, which is what `none` says.
        return BLEU(tokenize=tokenize, lowercase=lowercase, force=tokenize == "none")
    except (RuntimeError, ImportError) as error:
        extra = _EXTRAS.get(tokenize, tokenize)
        raise UserError(f"`tokenize={tokenize}` needs a package: install `nmt[{extra}]`, or set `tokenize=char`") from error
    except OSError as error:  # flores200 and its kin are downloaded at the first use
        raise UserError(f"`tokenize={tokenize}` could not fetch its model: {error}") from error
