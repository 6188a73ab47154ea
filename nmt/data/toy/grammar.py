"""The grammar of the embedded English-French corpus: phrases and clauses in both languages at once.

French is put together from whole words (le arbre, de les amis); `spell` writes them as French does
(l'arbre, des amis).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from nmt.data.toy import lexicon
from nmt.data.toy.lexicon import BE, Adjective, Aspect, Determiner, Noun, Verb, french_plural

Combination = tuple[str, str]
ELIDED = re.compile(rf"\b([cdjlmnst]|qu)[ae] (?={lexicon.VOWEL_SOUND})")
CONTRACTIONS = {"de le": "du", "de les": "des", "à le": "au", "à les": "aux"}


class Tense(Enum):
    """`near` is the futur proche; it and the modal verbs after it take an infinitive."""

    present = "present"
    past = "past"
    imperfect = "imperfect"
    near = "near"
    can = "can"
    must = "must"
    want = "want"


class Polarity(Enum):
    affirmative = "affirmative"
    negative = "negative"
    never = "never"
    question = "question"
    why = "why"


AFFIRMATIVE, NEGATIVE, NEVER, QUESTION, WHY = Polarity
FRENCH_NEGATION = {NEGATIVE: "pas", NEVER: "jamais"}
FRENCH_QUESTION = {QUESTION: "est-ce que", WHY: "pourquoi est-ce que"}
FRENCH_HELPERS = {
    Tense.near: "vais vas va allons vont",
    Tense.can: "peux peux peut pouvons peuvent",
    Tense.must: "dois dois doit devons doivent",
    Tense.want: "veux veux veut voulons veulent",
}


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words in both languages, the French ones before elision; person and gender for what agrees with them.

    `combinations`: the (adjective, noun) and (verb, object) pairs in it, named in English.
    """

    english: str = ""
    french: str = ""
    person: int = 2
    feminine: bool = False
    combinations: tuple[Combination, ...] = ()

    def __add__(self, other: "Phrase") -> "Phrase":
        """The words of both, one after the other, with the agreement of the first."""
        english, french = join(self.english, other.english), join(self.french, other.french)
        return Phrase(english, french, self.person, self.feminine, self.combinations + other.combinations)


@dataclass(frozen=True, slots=True)
class Predicate:
    """A verb and what follows it, ready for any subject. `ending`: of a participle after its object."""

    verb: Verb
    tense: Tense
    polarity: Polarity = AFFIRMATIVE
    complement: Phrase = Phrase()
    clitic: str = ""
    ending: str = ""


def join(*words: str) -> str:
    return " ".join(filter(None, words))


def spell(french: str) -> str:
    """French words with elision (le arbre: l'arbre) and contraction (à le: au, de les: des)."""
    return re.sub(r"\b(?:de|à) les?\b", lambda match: CONTRACTIONS[match[0]], ELIDED.sub(r"\1'", french))


def article(noun: Noun, plural: bool, following: str, preposed: bool, polarity: Polarity, predicative: bool) -> tuple[str, str]:
    """The indefinite article, before the English word `following`: a, an, some, any; un, une, des, du, de."""
    vague = "" if predicative else "some" if polarity in (AFFIRMATIVE, WHY) else "any"
    counted = not plural and not noun.mass
    one = "an" if following.startswith(("a", "e", "i", "o", "u", "hon")) else "a"
    english = one if counted else vague
    if polarity in FRENCH_NEGATION and not predicative:
        return english, "de"
    if noun.mass:
        return english, "de la" if noun.feminine else "de le"
    if plural:
        return english, "de" if preposed else "des"
    return english, "une" if noun.feminine else "un"


def noun_phrase(
    noun: Noun,
    determiner: Determiner,
    plural: bool,
    adjectives: Sequence[Adjective] = (),
    polarity: Polarity = AFFIRMATIVE,
    predicative: bool = False,
) -> Phrase:
    """Determiner, adjectives, noun; `polarity` of the verb that governs it; `predicative` after `this is`."""
    english = [adjective.english for adjective in adjectives]
    english.append(noun.english_plural if plural else noun.english)
    french = [french_plural(noun.french) if plural else noun.french]
    for adjective in adjectives:
        form = adjective.french(noun.feminine, plural, french[0])
        french.insert(0 if adjective.before else len(french), form)
    if determiner is lexicon.INDEFINITE:
        preposed = any(adjective.before for adjective in adjectives)
        determiners = article(noun, plural, english[0], preposed, polarity, predicative)
    else:
        english_determiner = determiner.plural if plural else determiner.singular
        determiners = english_determiner, determiner.french(noun.feminine, plural, french[0])
    return Phrase(
        join(determiners[0], *english),
        join(determiners[1], *french),
        person=4 if plural else 2,
        feminine=noun.feminine,
        combinations=tuple((adjective.english, noun.english) for adjective in adjectives),
    )


def english_verb(verb: Verb, tense: Tense, person: int) -> tuple[str, str, str]:
    """The auxiliary, what follows it, and both together without the support of `do`: does, see, sees."""
    base, third, past, progressive = verb.english.split()
    present_be, past_be = lexicon.ENGLISH_BE["present"][person], lexicon.ENGLISH_BE["past"][person]
    does = "does" if person == 2 else "do"
    if verb is BE and tense in (Tense.present, Tense.past):
        form = present_be if tense is Tense.present else past_be
        return form, "", form
    match tense:
        case Tense.present:
            return does, base, third if person == 2 else base
        case Tense.past:
            return "did", base, past
        case Tense.imperfect:
            return past_be, progressive, f"{past_be} {progressive}"
        case Tense.near:
            return present_be, f"going to {base}", f"{present_be} going to {base}"
        case Tense.want:
            return does, f"want to {base}", f"{'wants' if person == 2 else 'want'} to {base}"
        case Tense.can | Tense.must:
            return tense.value, base, f"{tense.value} {base}"


def english_clause(subject: Phrase, predicate: Predicate) -> str:
    auxiliary, rest, whole = english_verb(predicate.verb, predicate.tense, subject.person)
    match predicate.polarity:
        case Polarity.affirmative:
            words = join(subject.english, whole)
        case Polarity.negative:
            words = join(subject.english, "cannot" if auxiliary == "can" else f"{auxiliary} not", rest)
        case Polarity.never if auxiliary in ("do", "does", "did"):
            words = join(subject.english, "never", whole)
        case Polarity.never:
            words = join(subject.english, auxiliary, "never", rest)
        case Polarity.question:
            words = join(auxiliary, subject.english, rest)
        case Polarity.why:
            words = join("why", auxiliary, subject.english, rest)
    return join(words, predicate.verb.particle, predicate.complement.english)


def french_clause(subject: Phrase, predicate: Predicate) -> str:
    """The clause before elision. A participle agrees with the subject after être, else with its object."""
    verb, tense, person = predicate.verb, predicate.tense, subject.person
    clitic, rest = lexicon.REFLEXIVES[person] if verb.reflexive else predicate.clitic, ""
    if tense in FRENCH_HELPERS:
        finite, rest, clitic = FRENCH_HELPERS[tense].split()[person], join(clitic, verb.infinitive), ""
    elif tense is Tense.present:
        finite = verb.present.split()[person]
    elif tense is Tense.imperfect or verb.aspect is Aspect.state:
        finite = verb.imperfect(person)
    else:
        ending = predicate.ending
        if verb.etre:
            ending = ("e" if subject.feminine else "") + ("s" if person > 2 else "")
        finite, rest = (BE if verb.etre else lexicon.HAVE).present.split()[person], verb.participle + ending
    negation = FRENCH_NEGATION.get(predicate.polarity, "")
    opening = join(FRENCH_QUESTION.get(predicate.polarity, ""), subject.french, "ne" if negation else "")
    return join(opening, clitic, finite, negation, rest, predicate.complement.french)


def clause(subject: Phrase, predicate: Predicate) -> Phrase:
    english, french = english_clause(subject, predicate), french_clause(subject, predicate)
    combinations = subject.combinations + predicate.complement.combinations
    return Phrase(english, french, subject.person, subject.feminine, combinations)
