"""Laws of the embedded corpus. The tables of French forms are written by hand, not taken from the lexicon."""

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from nmt.data.toy import lexicon
from nmt.data.toy.grammar import Phrase, Polarity, Predicate, Tense, clause, noun_phrase, spell
from nmt.data.toy.lexicon import Adjective, Determiner, Noun, Verb
from nmt.data.toy.writer import Writer, held_out, toy_pairs
from nmt.errors import UserError

Pairs = list[tuple[str, str]]

Groups = list[tuple[str, str, list[str], str, list[str]]]


def by_form(table: dict[str, str]) -> dict[str, set[str]]:
    """Which of m, f (singular), mp, fp (plural) a form can be."""
    forms = {form for words in table.values() for form in words.split()}
    return {form: {kind for kind, words in table.items() if form in words.split()} for form in forms}


DETERMINERS = by_form(
    {
        "m": "un le l' ce cet du au mon ton son notre",
        "f": "une la l' cette ma ta sa notre",
        "mp": "les des ces aux deux mes tes ses nos",
        "fp": "les des ces aux deux mes tes ses nos",
    }
)
NOUNS = by_form(
    {
        "m": "homme garçon enfant ami médecin chien chat cheval oiseau hibou œuf haricot pain lait livre "
        "chapeau jardin hôtel arbre",
        "f": "femme fille mère actrice vache souris pomme soupe eau lettre histoire clé horloge voiture maison école",
        "mp": "hommes garçons enfants amis médecins chiens chats chevaux oiseaux hiboux œufs haricots livres "
        "chapeaux jardins hôtels arbres",
        "fp": "femmes filles mères actrices vaches souris pommes lettres histoires clés horloges voitures maisons écoles",
    }
)
ADJECTIVES = by_form(
    {
        "m": "petit grand jeune vieux vieil beau bel nouveau nouvel joli bon rouge noir blanc heureux triste "
        "fatigué honnête étrange froid cher",
        "f": "petite grande jeune vieille belle nouvelle jolie bonne rouge noire blanche heureuse triste "
        "fatiguée honnête étrange froide chère",
        "mp": "petits grands jeunes vieux beaux nouveaux jolis bons rouges noirs blancs heureux tristes "
        "fatigués honnêtes étranges froids chers",
        "fp": "petites grandes jeunes vieilles belles nouvelles jolies bonnes rouges noires blanches "
        "heureuses tristes fatiguées honnêtes étranges froides chères",
    }
)
VOWEL = "(?:[aeiouyéêôœ]|h(?!ibou|aricot))"


def words_of(text: str) -> list[str]:
    return re.findall(r"aujourd'hui|est-ce|\w+'?", text.lower())


def digest(seed: int) -> str:
    pairs = [pair for split in ("train", "val", "test") for pair in toy_pairs(split, seed)]
    return hashlib.sha256(repr(pairs).encode()).hexdigest()


@pytest.fixture(scope="module")
def everything() -> Pairs:
    return [pair for split in ("train", "val", "test") for pair in toy_pairs(split)]


@pytest.fixture(scope="module")
def groups(everything: Pairs) -> Groups:
    """Around each French noun: the sentence, the word before the adjectives, adjectives, noun, adjectives."""
    found = []
    for _, french in everything:
        words = ["", *words_of(french), ""]
        for position, word in enumerate(words):
            if word in NOUNS:
                start = end = position
                while words[start - 1] in ADJECTIVES:
                    start -= 1
                while words[end + 1] in ADJECTIVES:
                    end += 1
                before, after = words[start:position], words[position + 1 : end + 1]
                found.append((french, words[start - 1], before, word, after))
    return found


@pytest.fixture(scope="module")
def stream() -> list[Phrase]:
    """The sentences of seed 1 as they are drawn: with repetitions, and with their combinations."""
    writer = Writer(1)
    return [writer.sentence() for _ in range(40_000)]


# --- the corpus as a whole


def test_sizes_and_no_sentence_twice(everything: Pairs) -> None:
    assert [len(toy_pairs(split)) for split in ("train", "val", "test")] == [24_000, 500, 500]
    assert len({english for english, _ in everything}) == 25_000


def test_lengths_vary_from_3_to_25_words(everything: Pairs) -> None:
    for side in (0, 1):
        assert {len(pair[side].split()) for pair in everything} == set(range(3, 26))


def test_the_seed_decides_and_no_order_of_a_set() -> None:
    """A second process hashes strings otherwise."""
    code = (
        "import hashlib; from nmt.data.toy import toy_pairs\n"
        "pairs = [pair for split in ('train', 'val', 'test') for pair in toy_pairs(split, 1)]\n"
        "print(hashlib.sha256(repr(pairs).encode()).hexdigest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == digest(1)
    assert digest(2) != digest(1)
    assert held_out(2) != held_out(1) == held_out(1)


def test_the_caller_may_change_the_list() -> None:
    toy_pairs("val").clear()
    assert len(toy_pairs("val")) == 500


def test_unknown_split() -> None:
    with pytest.raises(UserError, match="`split` must be one of train, val, test, but is dev instead"):
        toy_pairs("dev")


def test_french_follows_from_english(stream: list[Phrase], everything: Pairs) -> None:
    translations = dict(everything)
    pairs = [(sentence.english, sentence.french) for sentence in stream]
    for english, french in pairs + toy_pairs("train", seed=2) + toy_pairs("test", seed=2):
        assert translations.setdefault(english, french) == french, english


def test_training_shows_each_word_of_the_other_splits_often() -> None:
    for side in (0, 1):
        seen = Counter(word for pair in toy_pairs("train") for word in words_of(pair[side]))
        for split in ("val", "test"):
            assert min(seen[word] for pair in toy_pairs(split) for word in words_of(pair[side])) >= 5


# --- held-out combinations


def is_adjective(word: str) -> bool:
    return any(adjective.english == word for adjective in lexicon.ADJECTIVES)


def test_test_sentences_and_no_others_have_a_held_out_combination(stream: list[Phrase]) -> None:
    combinations = {sentence.english: sentence.combinations for sentence in stream}
    unseen = held_out(1)
    for split in ("train", "val", "test"):
        for english, _ in toy_pairs(split):
            assert unseen.isdisjoint(combinations[english]) == (split != "test"), english


def test_words_of_held_out_combinations_have_many_others(stream: list[Phrase]) -> None:
    unseen = held_out(1)
    seen = {pair for sentence in stream for pair in sentence.combinations} - unseen
    assert len(unseen) >= 40
    assert len({word for word, _ in unseen if is_adjective(word)}) >= 10
    assert len({word for word, _ in unseen if not is_adjective(word)}) >= 8
    for word, count in Counter(word for pair in unseen for word in pair).items():
        assert sum(word in pair for pair in seen) >= 3 * count


def held_out_patterns() -> list[re.Pattern[str]]:
    """What each held-out combination looks like in English where both words are in one phrase."""
    described = "|".join(adjective.english for adjective in lexicon.ADJECTIVES)
    before = rf"(?:the|an?|some|any|this|these|two|my|your|his|her|our) (?:(?:{described}) )*"
    patterns = []
    for word, object_ in sorted(held_out(1)):
        forms = f"(?:{object_}|{noun(object_).english_plural})"
        if is_adjective(word):
            pattern = rf"\b{word} (?:(?:red|black|white) )?{forms}\b"
        else:
            particle = f"{verb(word).particle} ".lstrip()
            pattern = rf"\b(?:{'|'.join(verb(word).english.split())}) {particle}{before}{forms}\b"
        patterns.append(re.compile(pattern))
    return patterns


def test_held_out_combinations_in_the_text() -> None:
    """The same once more, without trust in what the grammar notes about its sentences."""
    splits = ("train", "val", "test")
    text = {split: "\n".join(english for english, _ in toy_pairs(split)) for split in splits}
    for pattern in held_out_patterns():
        found = pattern.search(text["train"]) or pattern.search(text["val"])
        assert found is None
    assert sum(pattern.search(text["test"]) is not None for pattern in held_out_patterns()) >= 40


# --- spelling and agreement, checked on every sentence


def test_punctuation(everything: Pairs) -> None:
    for english, french in everything:
        assert re.fullmatch(r"[A-Z][A-Za-z ]+[.?]", english)
        assert re.fullmatch(r"[A-Z][a-zàâçéèêëîôœû' -]*[a-zé](\.| \?)", french), french
        assert english[-1] == french[-1]


def test_english_articles_and_verbs(everything: Pairs) -> None:
    third = "is|does|has|wants|sees|looks|finds|hears|waits|loves|buys|eats|drinks|reads|writes|sleeps|gets"
    for english, _ in everything:
        text = english.lower()
        assert not re.search(r"\ba ([aeiou]|honest)", text), english
        assert not re.search(r"\ban ([^aeioh]|h(?!onest))", text), english
        assert not re.search(rf"\b(i|you|we|they) (never )?({third}|thinks)\b", text), english
        assert not re.search(r"\b(you|we|they) was\b", text), english


def test_elision_and_contraction(everything: Pairs) -> None:
    for _, french in everything:
        text = french.lower()
        assert not re.search(rf"\b(le|la|de|ne|que|je|me|te|se|ce|ma|ta|sa) {VOWEL}", text), french
        assert not re.search(rf"'(?!hui)(?!{VOWEL})", text), french
        assert not re.search(r"\b(de|à) les?\b", text), french


def test_determiners_and_adjectives_agree(groups: Groups) -> None:
    assert len(groups) > 40_000
    for french, opening, before, word, after in groups:
        possible = NOUNS[word].intersection(*(ADJECTIVES[form] for form in before + after))
        allowed = DETERMINERS.get(opening, {"m", "f", "mp", "fp"})
        if opening in ("mon", "ton", "son") and re.match(VOWEL, [*before, word][0]):
            allowed = {"m", "f"}
        assert opening in DETERMINERS or opening in ("de", "d'"), french
        assert possible & allowed, french


def test_forms_before_a_vowel(groups: Groups) -> None:
    special = {"vieux": "vieil", "beau": "bel", "nouveau": "nouvel", "ce": "cet"}
    for french, opening, before, word, _ in groups:
        chain = [opening, *before, word]
        for form, following in pairwise(chain):
            if form in special.values():
                assert re.match(VOWEL, following), french
            if form in special and NOUNS[word] == {"m"}:
                assert not re.match(VOWEL, following), french


def test_indefinite_plural_before_an_adjective(groups: Groups) -> None:
    """*De petits chiens*, but *des chiens noirs*, and *des petits chiens* for *de les* after *près*."""
    for french, opening, before, word, _ in groups:
        if opening == "des" and before:
            assert f"près des {' '.join(before)} {word}" in french, french


def test_subject_pronouns_and_verbs_agree(everything: Pairs) -> None:
    verbs = {"je": "(e|s|x|ai)", "tu": "[sx]", "nous": "(ons|sommes)", "ils": "nt"}
    verbs["il"] = verbs["elle"] = "[tead]"
    seen = Counter[str]()
    for _, french in everything:
        text = re.sub(r"\b([jnlmts])'", r"\1e ", french.lower())
        text = re.sub(r"\bnous (lever|habiller)", r"\1", text)
        text = re.sub(r"\b(je|tu|il|elle|nous|ils)( ne)?( [mtsl]e| la| les| nous)? ", r"\1 ", text)
        for pronoun, form in re.findall(r"\b(je|tu|il|elle|nous|ils) (\w+)", text):
            seen[pronoun] += 1
            assert re.fullmatch(rf"\w*{verbs[pronoun]}", form), french
    assert min(seen[pronoun] for pronoun in verbs) > 1000


def test_participles_after_etre_agree(everything: Pairs) -> None:
    endings = {"je suis": "", "tu es": "", "il est": "", "elle est": "e", "nous sommes": "s", "ils sont": "s"}
    pattern = rf"\b({'|'.join(endings)}) (?:pas |jamais )?(?:arrivé|parti|revenu|tombé|levé|habillé)(e?s?)\b"
    seen = Counter[str]()
    for _, french in everything:
        text = re.sub(r"\bj'", "je ", french.lower())
        text = re.sub(r"\b(je|tu|il|elle|nous|ils) (?:ne |n')?(?:[mts]e |[mts]'|nous )?", r"\1 ", text)
        for subject, ending in re.findall(pattern, text):
            seen[subject] += 1
            assert ending == endings[subject], french
    assert min(seen[subject] for subject in endings) > 50


def test_participles_after_que_agree(everything: Pairs) -> None:
    """With the noun before *que*, here where a pronoun follows: *les lettres que nous avons écrites*."""
    endings = {"m": "", "f": "e", "mp": "s", "fp": "es"}
    adjectives = "|".join(ADJECTIVES)
    verbs = "vu|cherché|trouvé|entendu|attendu|acheté|vendu|choisi|perdu|mangé|bu|écrit|donné"
    pattern = re.compile(
        rf"(\w+) (?:(?:{adjectives}) )*que (?:je|tu|il|elle|nous|ils) (?:ne )?(?:ai|as|a|avons|ont) "
        rf"(?:pas |jamais )?(?:{verbs})(e?s?)\b"
    )
    seen = Counter[str]()
    for _, french in everything:
        text = re.sub(r"\b(qu|j|n)'", r"\1e ", french.lower())
        for word, ending in pattern.findall(text):
            if word in NOUNS:
                seen[ending] += 1
                assert ending in {endings[kind] for kind in NOUNS[word]}, french
    assert min(seen[ending] for ending in endings.values()) > 20


# --- known phrases and sentences


def noun(english: str) -> Noun:
    return next(noun for noun in lexicon.NOUNS if noun.english == english)


def adjective(english: str) -> Adjective:
    return next(adjective for adjective in lexicon.ADJECTIVES if adjective.english == english)


def verb(name: str) -> Verb:
    return next(verb for verb in lexicon.VERBS if verb.name == name)


def determiner(english: str) -> Determiner:
    common = (lexicon.DEFINITE, lexicon.INDEFINITE, lexicon.DEMONSTRATIVE)
    return next(one for one in (*common, *lexicon.POSSESSIVES) if one.singular == english)


def nominal(text: str, polarity: Polarity = Polarity.affirmative) -> Phrase:
    """From words in their base forms, `a old tree`; with a star the plural, `a old tree*`."""
    first, *middle, last = text.rstrip("*").split()
    adjectives = [adjective(word) for word in middle]
    return noun_phrase(noun(last), determiner(first), text.endswith("*"), adjectives, polarity)


PHRASES = [
    ("a old tree", "an old tree", "un vieil arbre"),
    ("a old tree*", "some old trees", "de vieux arbres"),
    ("a white tree*", "some white trees", "des arbres blancs"),
    ("a beautiful man", "a beautiful man", "un bel homme"),
    ("a beautiful owl", "a beautiful owl", "un beau hibou"),
    ("a new hotel", "a new hotel", "un nouvel hôtel"),
    ("a honest man", "an honest man", "un homme honnête"),
    ("the owl", "the owl", "le hibou"),
    ("the egg", "the egg", "l'œuf"),
    ("the new story", "the new story", "la nouvelle histoire"),
    ("this owl", "this owl", "ce hibou"),
    ("this child", "this child", "cet enfant"),
    ("this old child", "this old child", "ce vieil enfant"),
    ("this clock", "this clock", "cette horloge"),
    ("this horse*", "these horses", "ces chevaux"),
    ("my school", "my school", "mon école"),
    ("my old school", "my old school", "ma vieille école"),
    ("her bird*", "her birds", "ses oiseaux"),
    ("our water", "our water", "notre eau"),
    ("a bread", "some bread", "du pain"),
    ("a water", "some water", "de l'eau"),
    ("a good soup", "some good soup", "de la bonne soupe"),
    ("a expensive mouse*", "some expensive mice", "des souris chères"),
    ("a small black cat", "a small black cat", "un petit chat noir"),
]
NEGATED = [
    ("a dog", "a dog", "de chien"),
    ("a egg*", "any eggs", "d'œufs"),
    ("a bean*", "any beans", "de haricots"),
    ("a water", "any water", "d'eau"),
    ("the water", "the water", "l'eau"),
]
POLARITIES = {
    "": Polarity.affirmative,
    "not": Polarity.negative,
    "never": Polarity.never,
    "?": Polarity.question,
    "why": Polarity.why,
}
JE, ELLE, NOUS, ILS = (Phrase(*lexicon.PRONOUNS[number]) for number in (0, 3, 4, 5))
WHY_EGGS = "pourquoi est-ce qu'ils ont mangé des œufs"
CLAUSES = [
    (JE, "love", Tense.present, "", "the dog", "I love the dog", "j'aime le chien"),
    (JE, "hear", Tense.past, "not", "a owl", "I did not hear an owl", "je n'ai pas entendu de hibou"),
    (ELLE, "have", Tense.past, "not", "a dog*", "she did not have any dogs", "elle n'avait pas de chiens"),
    (ELLE, "have", Tense.near, "", "a hat", "she is going to have a hat", "elle va avoir un chapeau"),
    (ELLE, "eat", Tense.present, "never", "a egg", "she never eats an egg", "elle ne mange jamais d'œuf"),
    (ELLE, "wait for", Tense.must, "", "a man", "she must wait for a man", "elle doit attendre un homme"),
    (ELLE, "sing", Tense.can, "not", "", "she cannot sing", "elle ne peut pas chanter"),
    (ELLE, "write", Tense.imperfect, "", "a letter", "she was writing a letter", "elle écrivait une lettre"),
    (ELLE, "buy", Tense.want, "", "a bread", "she wants to buy some bread", "elle veut acheter du pain"),
    (NOUS, "eat", Tense.imperfect, "", "the soup", "we were eating the soup", "nous mangions la soupe"),
    (ELLE, "come back", Tense.past, "", "", "she came back", "elle est revenue"),
    (ILS, "leave", Tense.past, "not", "", "they did not leave", "ils ne sont pas partis"),
    (ELLE, "get dressed", Tense.past, "", "", "she got dressed", "elle s'est habillée"),
    (JE, "get dressed", Tense.present, "not", "", "I do not get dressed", "je ne m'habille pas"),
    (NOUS, "get up", Tense.must, "", "", "we must get up", "nous devons nous lever"),
    (ELLE, "see", Tense.past, "?", "a bird*", "did she see any birds", "est-ce qu'elle a vu des oiseaux"),
    (ILS, "eat", Tense.past, "why", "a egg*", "why did they eat some eggs", WHY_EGGS),
    (ELLE, "sleep", Tense.present, "?", "", "does she sleep", "est-ce qu'elle dort"),
]


@pytest.mark.parametrize(("words", "english", "french"), PHRASES)
def test_known_phrases(words: str, english: str, french: str) -> None:
    phrase = nominal(words)
    assert (phrase.english, spell(phrase.french)) == (english, french)


@pytest.mark.parametrize(("words", "english", "french"), NEGATED)
def test_known_objects_of_a_negated_verb(words: str, english: str, french: str) -> None:
    phrase = nominal(words, Polarity.negative)
    assert (phrase.english, spell(phrase.french)) == (english, french)


@pytest.mark.parametrize(("subject", "name", "tense", "polarity", "words", "english", "french"), CLAUSES)
def test_known_clauses(subject: Phrase, name: str, tense: Tense, polarity: str, words: str, english: str, french: str) -> None:
    complement = nominal(words, POLARITIES[polarity]) if words else Phrase()
    phrase = clause(subject, Predicate(verb(name), tense, POLARITIES[polarity], complement))
    assert (phrase.english, spell(phrase.french)) == (english, french)


def test_participles_agree_with_an_object_that_precedes() -> None:
    them = Predicate(verb("see"), Tense.past, Polarity.negative, Phrase("them"), "les", "s")
    assert clause(ELLE, them).english == "she did not see them"
    assert spell(clause(ELLE, them).french) == "elle ne les a pas vus"
    letters = Phrase("that", "que") + clause(ELLE, Predicate(verb("write"), Tense.past, ending="es"))
    assert (letters.english, spell(letters.french)) == ("that she wrote", "qu'elle a écrites")


@pytest.mark.parametrize(
    ("name", "english", "french"),
    [
        ("house", "this is not a house", "ce n'est pas une maison"),
        ("milk", "this is not milk", "ce n'est pas du lait"),
    ],
)
def test_etre_keeps_the_indefinite_article_in_a_negation(name: str, english: str, french: str) -> None:
    negative = Polarity.negative
    complement = noun_phrase(noun(name), lexicon.INDEFINITE, False, (), negative, predicative=True)
    phrase = clause(Phrase("this", "ce"), Predicate(lexicon.BE, Tense.present, negative, complement))
    assert (phrase.english, spell(phrase.french)) == (english, french)


def test_contraction_stops_at_word_borders() -> None:
    assert spell("la maison froide les voit") == "la maison froide les voit"
    assert spell("près de les arbres et de le hibou") == "près des arbres et du hibou"
    assert spell("à le enfant, à les enfants et à le chat") == "à l'enfant, aux enfants et au chat"
