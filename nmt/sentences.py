"""Where sentences end, as far as that can be told from the text alone."""

import re
from collections.abc import Iterable

SENTENCE_ENDS = tuple(".!?…。！？।؟")
IDEOGRAPHIC_ENDS = tuple("。！？")  # no space follows these

# After an ideographic end these belong to the sentence: what closes a quotation goes on with the one around it, as in
# 「行く。」と言った.
GOING_ON = tuple("。！？…」』）〕〉》】”’\"')")

_GAP = re.compile(rf"(?<=[.!?…।؟])\s+(?=\S)|(?<=[。！？])\s*(?![\s{re.escape(''.join(GOING_ON))}]|$)")
# Han, kana, and the punctuation of both, in the wide form too.
_UNSPACED = re.compile("[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff65\U00020000-\U0003ffff]")
_SHORT = 3  # letters of an abbreviation


def split_sentences(text: str) -> list[str]:
    """The sentences of ``text``, without the spaces between them; none if it is blank.

    One ends at any of ``. ! ? … । ؟`` that a space follows, and at ``。 ！ ？``. Not at a full stop that may stand for
    something else: after a single letter, a number or capitalised word of up to three signs (``Dr.``, ``3.``) or a word that
    has full stops (``e.g.``). Nor before a small letter. In doubt sentences stay together.
    """
    sentences = []
    start = 0
    for gap in _GAP.finditer(text):
        if not _is_abbreviated(text[start : gap.start()]) and not text[gap.end()].islower():
            sentences.append(text[start : gap.start()].strip())
            start = gap.end()
    last = text[start:].strip()
    return [*sentences, last] if last else sentences


def join_sentences(sentences: Iterable[str]) -> str:
    """One text, with a space between sentences, or parts of them, unless the script has none there: after an ideographic end,
    and between Han or kana. Empty ones are left out.
    """
    text = ""
    for sentence in filter(None, sentences):
        together = text.endswith(IDEOGRAPHIC_ENDS) or (_UNSPACED.match(text[-1:]) and _UNSPACED.match(sentence))
        text += sentence if not text or together else f" {sentence}"
    return text


def _is_abbreviated(before: str) -> bool:
    """Whether the full stop at the end of ``before``, if there is one, may be part of its last word."""
    if not before.endswith("."):
        return False
    word = before[:-1].rsplit(maxsplit=1)[-1].lstrip("([{\"'“„«") if before[:-1].strip() else ""
    return len(word) == 1 or "." in word or (len(word) <= _SHORT and (word[:1].isupper() or word.isdecimal()))
