"""The embedded English-French corpus: a synchronous grammar that writes both sides of a sentence at once.

The French sentence follows from the English one: `you` is always tu, `they` always ils, and `it`, whose
gender English hides, does not occur. The test split holds combinations (of adjective and noun, of verb and
object) that the other splits never show.
"""

import random
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TypeVar

from nmt.data.toy import lexicon
from nmt.data.toy.grammar import (
    AFFIRMATIVE,
    FRENCH_NEGATION,
    NEGATIVE,
    NEVER,
    QUESTION,
    WHY,
    Combination,
    Phrase,
    Polarity,
    Predicate,
    Tense,
    clause,
    join,
    noun_phrase,
    spell,
)
from nmt.data.toy.lexicon import (
    ADJECTIVES,
    BE,
    LIVING,
    NOUNS,
    PERSON,
    PLACE,
    VERBS,
    Adjective,
    Aspect,
    Determiner,
    Kind,
    Noun,
    Verb,
)
from nmt.errors import UserError

SIZES = {"train": 24_000, "val": 500, "test": 500}
SHORTEST, LONGEST = 3, 25  # words of a sentence, in either language
T = TypeVar("T")
TIMES = {
    Tense.present: (("today", "aujourd'hui"), ("every day", "tous les jours")),
    Tense.past: (("yesterday", "hier"), ("last week", "la semaine dernière")),
    Tense.near: (("tomorrow", "demain"), ("this evening", "ce soir")),
    Tense.want: (("tomorrow", "demain"), ("this evening", "ce soir")),
}


@cache
def nouns_of(*kinds: Kind) -> tuple[Noun, ...]:
    return tuple(noun for noun in NOUNS if noun.kind in kinds)


@cache
def adjectives_of(noun: Noun) -> tuple[Adjective, ...]:
    return tuple(adjective for adjective in ADJECTIVES if adjective.fits(noun))


def combination(verb: Verb, noun: Noun) -> Phrase:
    """No words: only the note that the verb met this object."""
    return Phrase(combinations=((verb.name, noun.english),))


class Writer:
    """Draws sentences, by `random.Random.random` alone: its numbers are the same on every platform.

    `depth` is how deep relative clauses may nest; a `polarity` or `tense` of None is drawn.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self._random() * len(options))]

    def chance(self, probability: float) -> bool:
        return self._random() < probability

    def sentence(self) -> Phrase:
        """A statement, a question or two clauses in one, spelled and punctuated."""
        depth, kind, mark = self.pick((0, 1, 1, 2)), self._random(), "."
        if kind < 0.68:
            phrase = self.statement(depth)
        elif kind < 0.80:
            phrase, mark = self.question(depth), "?"
        elif kind < 0.86:
            phrase = self.reason(depth)
        elif kind < 0.92:
            phrase = self.background(depth)
        else:
            thinker = clause(self.subject((PERSON,), 0), Predicate(lexicon.THINK, Tense.present))
            phrase = thinker + Phrase("that", "que") + self.statement(depth)
        english, french = phrase.english + mark, spell(phrase.french) + mark.replace("?", " ?")
        english, french = english[0].upper() + english[1:], french[0].upper() + french[1:]
        return Phrase(english, french, combinations=phrase.combinations)

    def statement(self, depth: int) -> Phrase:
        kind = self._random()
        if kind < 0.12:
            return self.presentation(depth, self.pick((AFFIRMATIVE, AFFIRMATIVE, NEGATIVE)))
        return self.quality(depth) if kind < 0.30 else self.event(depth)

    def question(self, depth: int) -> Phrase:
        """With or without `why`; without inversion, which spoken French hardly uses."""
        kind = self._random()
        if kind < 0.1:
            return self.presentation(depth, QUESTION)
        polarity = WHY if self.chance(0.3) else QUESTION
        return self.quality(depth, polarity) if kind < 0.3 else self.event(depth, polarity)

    def reason(self, depth: int) -> Phrase:
        """One clause because of another of the same tense."""
        tense = self.pick((Tense.present, Tense.past))
        main = self.event(depth, None, [verb for verb in VERBS if verb.has_past], tense)
        return main + Phrase("because", "parce que") + self.quality(0, None, tense)

    def background(self, depth: int) -> Phrase:
        """What was going on (imparfait) when something happened (passé composé)."""
        lasting = [verb for verb in VERBS if verb.aspect is Aspect.action]
        sudden = [verb for verb in VERBS if verb.sudden]
        main = self.event(depth, AFFIRMATIVE, lasting, Tense.imperfect)
        return main + Phrase("when", "quand") + self.event(0, AFFIRMATIVE, sudden, Tense.past)

    def presentation(self, depth: int, polarity: Polarity) -> Phrase:
        """`This is …`, *c'est …*: the one verb whose negation leaves *un* and *des* as they are."""
        noun, tense = self.pick(NOUNS), self.pick((Tense.present, Tense.present, Tense.past))
        determiner = self.pick([lexicon.INDEFINITE] * 2 + [self.pick(lexicon.POSSESSIVES)] * noun.owned)
        plural = not noun.mass and self.chance(0.4)
        depth = depth if tense is Tense.present else 0
        complement = self.nominal(noun, determiner, plural, depth, polarity, predicative=True)
        subject = Phrase("these", "ce", person=4) if plural else Phrase("this", "ce")
        return clause(subject, Predicate(BE, tense, polarity, complement))

    def quality(self, depth: int, polarity: Polarity | None = None, tense: Tense | None = None) -> Phrase:
        """Somebody or something is what one or two adjectives say."""
        if self.chance(0.4):
            subject = self.pronoun()
            return clause(subject, self.description(subject, None, polarity, tense))
        noun = self.pick(NOUNS)
        plural = not noun.mass and self.chance(0.4)
        subject = self.nominal(noun, self.determiner(noun, indefinite=False), plural, depth)
        return clause(subject, self.description(subject, noun, polarity, tense))

    def description(
        self,
        subject: Phrase,
        noun: Noun | None,
        polarity: Polarity | None = None,
        tense: Tense | None = None,
    ) -> Predicate:
        """`is (very) old` or `is old and sad`, agreeing with `subject`; a pronoun has no `noun`.

        Never what `subject` says already: `the old dog` can be tired, but neither old nor young.
        """
        fitting = adjectives_of(noun) if noun else [one for one in ADJECTIVES if PERSON in one.kinds]
        said = [one.scale for one in fitting if noun and (one.english, noun.english) in subject.combinations]
        options = [one for one in fitting if one.predicative and one.scale not in said]
        first, second = self.pick(options), self.pick(options)
        polarity = polarity or self.polarity(never=first.passing)
        tense = tense or self.pick([Tense.present] * 2 + [Tense.past] + [Tense.near] * first.passing)
        # French would say `ni … ni` of two adjectives denied.
        alone = first.scale == second.scale or first.passing != second.passing or polarity in FRENCH_NEGATION
        adjectives = [first] if alone or self.chance(0.8) else [first, second]
        very = len(adjectives) == 1 and self.chance(0.2)
        forms = [adjective.french(subject.feminine, subject.person > 2) for adjective in adjectives]
        complement = Phrase(
            join("very" if very else "", " and ".join(adjective.english for adjective in adjectives)),
            join("très" if very else "", " et ".join(forms)),
            combinations=tuple((adjective.english, noun.english) for adjective in adjectives if noun),
        )
        return Predicate(BE, tense, polarity, complement)

    def event(
        self,
        depth: int,
        polarity: Polarity | None = None,
        verbs: Sequence[Verb] = VERBS,
        tense: Tense | None = None,
    ) -> Phrase:
        """Somebody does something, at a time or not. A time after a relative clause would belong to it."""
        verb = self.pick(verbs)
        tense = tense or self.tense(verb)
        polarity = polarity or self.action_polarity(verb, tense)
        timed = tense in TIMES and polarity is not NEVER and verb.aspect is not Aspect.state
        timed = timed and self.chance(0.2)
        subject = self.subject(verb.subjects, depth)
        phrase = clause(subject, self.action(verb, tense, polarity, 0 if timed else depth))
        return phrase + Phrase(*self.pick(TIMES[tense])) if timed else phrase

    def action(self, verb: Verb, tense: Tense, polarity: Polarity, depth: int) -> Predicate:
        """The verb with its object, if it takes one, and adjuncts."""
        if not verb.objects:
            return Predicate(verb, tense, polarity, self.adjuncts(verb))
        if PERSON in verb.objects and self.chance(0.25):
            english, french, ending = self.pick(lexicon.CLITICS)
            return Predicate(verb, tense, polarity, Phrase(english) + self.adjuncts(verb), french, ending)
        noun = self.pick(nouns_of(*verb.objects))
        adjuncts = self.adjuncts(verb, noun)
        # One loves the dogs, or one's dog, but not some dogs.
        determiner = self.determiner(noun, indefinite=verb.infinitive != "aimer")
        if determiner is lexicon.TWO and polarity in FRENCH_NEGATION:
            determiner = lexicon.INDEFINITE
        plural = determiner is lexicon.TWO or (not noun.mass and self.chance(0.35))
        target = self.nominal(noun, determiner, plural, 0 if adjuncts.english else depth, polarity)
        return Predicate(verb, tense, polarity, target + combination(verb, noun) + adjuncts)

    def adjuncts(self, verb: Verb, noun: Noun | None = None) -> Phrase:
        """Receiver, place or company, as the verb takes them; no place if its object `noun` is one."""
        if verb.recipient:
            return Phrase("to", "à") + self.person()
        if verb.located and (noun is None or noun.kind is not PLACE) and self.chance(0.25):
            return self.place()
        return Phrase("with", "avec") + self.person() if verb.accompanied and self.chance(0.3) else Phrase()

    def place(self) -> Phrase:
        """In the singular if indefinite: *près d'arbres* would be too rare to learn from."""
        noun = self.pick(nouns_of(PLACE))
        determiner = self.determiner(noun, indefinite=False) if self.chance(0.7) else lexicon.INDEFINITE
        plural = determiner is not lexicon.INDEFINITE and self.chance(0.2)
        prepositions = lexicon.TREE_PREPOSITIONS if noun.english == "tree" else lexicon.PREPOSITIONS
        return Phrase(*self.pick(prepositions)) + self.nominal(noun, determiner, plural, depth=0)

    def person(self) -> Phrase:
        noun = self.pick(nouns_of(PERSON))
        return self.nominal(noun, self.determiner(noun, indefinite=False), self.chance(0.3), depth=0)

    def pronoun(self) -> Phrase:
        return Phrase(*self.pick(lexicon.PRONOUNS))

    def subject(self, kinds: tuple[Kind, ...], depth: int) -> Phrase:
        if self.chance(0.45):
            return self.pronoun()
        noun = self.pick(nouns_of(*kinds))
        determiner = self.determiner(noun, indefinite=True)
        return self.nominal(noun, determiner, determiner is lexicon.TWO or self.chance(0.4), depth)

    def determiner(self, noun: Noun, indefinite: bool) -> Determiner:
        options = [lexicon.DEFINITE] * 3 + [lexicon.DEMONSTRATIVE]
        if noun.owned:
            options += [self.pick(lexicon.POSSESSIVES)] * 2
        if indefinite:
            options += [lexicon.INDEFINITE] * 3 + [lexicon.TWO] * (not noun.mass)
        return self.pick(options)

    def nominal(
        self,
        noun: Noun,
        determiner: Determiner,
        plural: bool,
        depth: int,
        polarity: Polarity = AFFIRMATIVE,
        predicative: bool = False,
    ) -> Phrase:
        """A noun phrase with no, one or two adjectives, and with or without a relative clause."""
        adjectives: list[Adjective] = []
        if self.chance(0.4):
            adjectives.append(self.pick(adjectives_of(noun)))
            colours = [adjective for adjective in adjectives_of(noun) if adjective.scale == "colour"]
            if adjectives[0].before and colours and self.chance(0.2):
                adjectives.append(self.pick(colours))
        phrase = noun_phrase(noun, determiner, plural, adjectives, polarity, predicative)
        # After `pas de` French prefers a subjunctive, which this grammar lacks; `my dog` needs no clause.
        denied = determiner is lexicon.INDEFINITE and polarity in FRENCH_NEGATION and not predicative
        if depth == 0 or denied or determiner in lexicon.POSSESSIVES or self.chance(0.6):
            return phrase
        return phrase + self.relative(noun, phrase, depth - 1)

    def relative(self, noun: Noun, antecedent: Phrase, depth: int) -> Phrase:
        """The noun is subject of the clause (*qui*), or object (*que*), with which a participle agrees."""
        kind = self._random()
        gap = Phrase("who" if noun.kind is PERSON else "that", "qui", antecedent.person, antecedent.feminine)
        if kind < 0.1 and not antecedent.combinations:
            return clause(gap, self.description(gap, noun))
        if kind < 0.4 and noun.kind in LIVING:
            verb = self.pick([verb for verb in VERBS if noun.kind in verb.subjects])
            tense = self.tense(verb)
            return clause(gap, self.action(verb, tense, self.action_polarity(verb, tense), depth))
        # A verb of few objects is drawn more often: only here does its participle agree, as in *écrites*.
        verbs = [verb for verb in VERBS if noun.kind in verb.objects]
        verb = self.pick(verbs + [verb for verb in verbs if len(verb.objects) == 1] * 4)
        tense = Tense.past if verb.has_past and self.chance(0.5) else self.tense(verb)
        # *Le chapeau que la femme a est…* is clumsy.
        subject = self.pronoun() if verb is lexicon.HAVE else self.subject(verb.subjects, depth=0)
        ending = ("e" if antecedent.feminine else "") + ("s" if antecedent.person > 2 else "")
        complement = combination(verb, noun) + self.adjuncts(verb, noun)
        predicate = Predicate(verb, tense, self.action_polarity(verb, tense), complement, ending=ending)
        return Phrase("that", "que") + clause(subject, predicate)

    def tense(self, verb: Verb) -> Tense:
        options = [Tense.present] * 4 + [Tense.past] * (4 * verb.has_past) + [Tense.near] * 2
        if verb.aspect in (Aspect.action, Aspect.event):
            options += [Tense.can, Tense.must, Tense.want]
        return self.pick(options + [Tense.imperfect] * (2 * (verb.aspect is Aspect.action)))

    def polarity(self, never: bool) -> Polarity:
        return self.pick([AFFIRMATIVE] * 7 + [NEGATIVE] * 2 + [NEVER] * never)

    def action_polarity(self, verb: Verb, tense: Tense) -> Polarity:
        return self.polarity(never=verb.aspect is not Aspect.state and tense is not Tense.imperfect)


def held_out(seed: int) -> frozenset[Combination]:
    """The combinations that only the test split shows: about a tenth of those that make sense.

    A word loses at most an eighth of its combinations (one of four to seven): training shows it in many.
    """
    pairs = [(adjective.english, noun.english) for noun in NOUNS for adjective in adjectives_of(noun)]
    pairs += [(verb.name, noun.english) for verb in VERBS for noun in nouns_of(*verb.objects)]
    counts = Counter(word for pair in pairs for word in pair)
    spare = {word: max(count // 8, min(count // 4, 1)) for word, count in counts.items()}
    drawn = random.Random(seed).random
    chosen = []
    for _, (word, noun) in sorted((drawn(), pair) for pair in pairs):
        if spare[word] > 0 and spare[noun] > 0:
            spare[word] -= 1
            spare[noun] -= 1
            chosen.append((word, noun))
    return frozenset(chosen)


@lru_cache(maxsize=2)
def corpus(seed: int) -> dict[str, list[tuple[str, str]]]:
    """The three splits: sentences with a held-out combination are for testing, others are not."""
    writer, unseen = Writer(seed), held_out(seed)
    common: dict[str, str] = {}
    test: dict[str, str] = {}
    while len(common) < SIZES["train"] + SIZES["val"] or len(test) < SIZES["test"]:
        sentence = writer.sentence()
        lengths = len(sentence.english.split()), len(sentence.french.split())
        if min(lengths) >= SHORTEST and max(lengths) <= LONGEST:
            pairs = common if unseen.isdisjoint(sentence.combinations) else test
            pairs[sentence.english] = sentence.french
    validation, train = list(common.items())[: SIZES["val"]], list(common.items())[SIZES["val"] :]
    return {"train": train[: SIZES["train"]], "val": validation, "test": list(test.items())[: SIZES["test"]]}


def toy_pairs(split: str, seed: int = 1) -> list[tuple[str, str]]:
    """The (English, French) pairs of a split, no sentence twice: 24,000 in `train`, 500 in each other.

    A seed gives the same pairs on every platform; another one, other pairs and other held-out combinations.
    Raises UserError for any other split.
    """
    if split not in SIZES:
        raise UserError(f"`split` must be one of {', '.join(SIZES)}, but is {split} instead")
    return list(corpus(seed)[split])
