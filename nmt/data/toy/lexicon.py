"""The words of the embedded English-French corpus: their forms, and who can do what to whom.

French persons are numbered 0 je, 1 tu, 2 il or elle, 3 nous, 4 ils or elles; 3 and 4 are plural. `vous` is
left out, so that English `you` has one translation.
"""

import re
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a noun stands for; verbs and adjectives say which kinds they go with."""

    person = "person"
    animal = "animal"
    food = "food"
    drink = "drink"
    text = "text"
    thing = "thing"
    place = "place"


class Aspect(Enum):
    """Which English past is which French one.

    action: `was buying` is the imparfait, `bought` the passé composé. event: the same without `was …ing`;
    accident: nor is it done because one must or wants to. state: `had` is the imparfait, without `was …ing`.
    """

    action = "action"
    event = "event"
    accident = "accident"
    state = "state"


@dataclass(frozen=True, eq=False)
class Noun:
    """`owned`: whether `my` and the like may precede it (*ma femme* is no longer a woman, but a wife)."""

    english: str
    french: str
    kind: Kind
    feminine: bool = False
    irregular: str = ""
    mass: bool = False
    owned: bool = True

    @property
    def english_plural(self) -> str:
        return self.irregular or f"{self.english}s"


@dataclass(frozen=True, eq=False)
class Adjective:
    """`scale`: what it tells; two adjectives of one scale never describe the same noun.

    `before`: stands before the noun. `vowel`: masculine singular before a vowel sound. `unfit`: nouns of its
    kinds that it avoids. `predicative`: may follow `is`; if `passing` (a state that comes and goes), also `is
    going to be` and `is never`.
    """

    english: str
    masculine: str
    feminine: str
    kinds: tuple[Kind, ...]
    scale: str
    before: bool = False
    vowel: str = ""
    unfit: tuple[str, ...] = ()
    predicative: bool = True
    passing: bool = False

    def fits(self, noun: Noun) -> bool:
        return noun.kind in self.kinds and noun.english not in self.unfit

    def french(self, feminine: bool, plural: bool, following: str = "") -> str:
        """The form that agrees; `following` is the word that a preceding adjective stands before."""
        if self.vowel and not feminine and not plural and starts_with_vowel(following):
            return self.vowel
        form = self.feminine if feminine else self.masculine
        return french_plural(form) if plural else form


@dataclass(frozen=True, eq=False)
class Verb:
    """`english`: base, third person, past, -ing. `present`: French, persons 0 to 4.

    `etre`: compound tenses take être. `located`, `accompanied`: may be followed by a place, by `with`
    somebody. `recipient`: is followed by `to` somebody. `sudden`: may follow `when`.
    """

    english: str
    infinitive: str
    participle: str
    present: str
    subjects: tuple[Kind, ...]
    objects: tuple[Kind, ...] = ()
    particle: str = ""
    aspect: Aspect = Aspect.action
    etre: bool = False
    reflexive: bool = False
    located: bool = False
    accompanied: bool = False
    recipient: bool = False

    @property
    def has_past(self) -> bool:
        """False where present and past are spelled alike: `they read` would have two translations."""
        base, _, past, _ = self.english.split()
        return base != past

    @property
    def sudden(self) -> bool:
        return self.aspect in (Aspect.event, Aspect.accident) or (self.etre and not self.reflexive)

    @property
    def name(self) -> str:
        return f"{self.english.split()[0]} {self.particle}".strip()

    def imperfect(self, person: int) -> str:
        """The imparfait: the stem of the present with nous, and endings of its own."""
        stem = "ét" if self.infinitive == "être" else self.present.split()[3].removesuffix("ons")
        ending = ("ais", "ais", "ait", "ions", "aient")[person]
        return stem.removesuffix("e") + ending if person == 3 else stem + ending  # mangeais, but mangions


@dataclass(frozen=True, eq=False)
class Determiner:
    """Empty `singular`: the plural only."""

    singular: str
    plural: str
    french_masculine: str
    french_feminine: str
    french_plural: str

    def french(self, feminine: bool, plural: bool, following: str) -> str:
        """The form that agrees and stands before the word `following`."""
        form = self.french_plural if plural else self.french_feminine if feminine else self.french_masculine
        return BEFORE_VOWEL.get(form, form) if starts_with_vowel(following) else form


def starts_with_vowel(word: str) -> bool:
    """Whether French elides before `word`: a vowel or a silent h (h muet)."""
    return re.match(VOWEL_SOUND, word) is not None


def french_plural(word: str) -> str:
    """The plural of a noun, an adjective or a participle in the singular."""
    if word.endswith(("s", "x")):
        return word
    if word.endswith("al"):
        return word.removesuffix("l") + "ux"
    return word + ("x" if word.endswith("eau") or word in PLURAL_IN_X else "s")


PERSON, ANIMAL, FOOD, DRINK, TEXT, THING, PLACE = Kind
LIVING = (PERSON, ANIMAL)
GOODS = (ANIMAL, FOOD, DRINK, TEXT, THING, PLACE)

NOUNS = (
    Noun("man", "homme", PERSON, irregular="men", owned=False),
    Noun("woman", "femme", PERSON, feminine=True, irregular="women", owned=False),
    Noun("boy", "garçon", PERSON, owned=False),
    Noun("girl", "fille", PERSON, feminine=True, owned=False),
    Noun("child", "enfant", PERSON, irregular="children"),
    Noun("friend", "ami", PERSON),
    Noun("mother", "mère", PERSON, feminine=True),
    Noun("doctor", "médecin", PERSON),
    Noun("actress", "actrice", PERSON, feminine=True, irregular="actresses", owned=False),
    Noun("dog", "chien", ANIMAL),
    Noun("cat", "chat", ANIMAL),
    Noun("horse", "cheval", ANIMAL),
    Noun("bird", "oiseau", ANIMAL),
    Noun("owl", "hibou", ANIMAL),
    Noun("cow", "vache", ANIMAL, feminine=True),
    Noun("mouse", "souris", ANIMAL, feminine=True, irregular="mice"),
    Noun("apple", "pomme", FOOD, feminine=True),
    Noun("egg", "œuf", FOOD),
    Noun("bean", "haricot", FOOD),
    Noun("bread", "pain", FOOD, mass=True),
    Noun("soup", "soupe", FOOD, feminine=True, mass=True),
    Noun("water", "eau", DRINK, feminine=True, mass=True),
    Noun("milk", "lait", DRINK, mass=True),
    Noun("book", "livre", TEXT),
    Noun("letter", "lettre", TEXT, feminine=True),
    Noun("story", "histoire", TEXT, feminine=True, irregular="stories"),
    Noun("key", "clé", THING, feminine=True),
    Noun("hat", "chapeau", THING),
    Noun("clock", "horloge", THING, feminine=True),
    Noun("car", "voiture", THING, feminine=True),
    Noun("house", "maison", PLACE, feminine=True),
    Noun("garden", "jardin", PLACE),
    Noun("school", "école", PLACE, feminine=True),
    Noun("hotel", "hôtel", PLACE),
    Noun("tree", "arbre", PLACE),
)
# Nouns whose h is no vowel sound (h aspiré), and nouns in -ou whose plural takes x: those of the nouns above.
ASPIRATED = ("hibou", "haricot")
PLURAL_IN_X = ("hibou",)
VOWEL_SOUND = rf"(?:[aeiouâéèêîôœ]|h(?!{'|'.join(word[1:] for word in ASPIRATED)}))"

# `unfit` also keeps out pairs with a meaning of their own: petit ami (boyfriend) and petit pain (roll).
ADJECTIVES = (
    Adjective(
        "small",
        "petit",
        "petite",
        (*LIVING, FOOD, TEXT, THING, PLACE),
        "size",
        True,
        unfit=("friend", "doctor", "mother", "bread", "soup"),
    ),
    Adjective("big", "grand", "grande", (ANIMAL, THING, PLACE), "size", True),
    Adjective("young", "jeune", "jeune", LIVING, "age", True),
    Adjective("old", "vieux", "vieille", (*LIVING, TEXT, THING, PLACE), "age", True, "vieil", ("child", "boy", "girl")),
    Adjective(
        "new",
        "nouveau",
        "nouvelle",
        (PERSON, TEXT, THING, PLACE),
        "age",
        True,
        "nouvel",
        ("man", "woman", "boy", "girl", "child", "mother"),
        predicative=False,
    ),
    Adjective("beautiful", "beau", "belle", (*LIVING, TEXT, THING, PLACE), "looks", True, "bel"),
    Adjective("pretty", "joli", "jolie", (ANIMAL, TEXT, THING, PLACE), "looks", True),
    Adjective("good", "bon", "bonne", (PERSON, FOOD, DRINK, TEXT), "worth", True, unfit=("man", "woman")),
    Adjective("red", "rouge", "rouge", (FOOD, THING, PLACE), "colour", unfit=("bread", "soup", "garden")),
    Adjective("black", "noir", "noire", (ANIMAL, THING), "colour"),
    Adjective("white", "blanc", "blanche", (ANIMAL, THING, PLACE), "colour", unfit=("garden", "tree")),
    Adjective("happy", "heureux", "heureuse", LIVING, "mood", passing=True),
    Adjective("sad", "triste", "triste", (*LIVING, TEXT), "mood", unfit=("book",), passing=True),
    Adjective("tired", "fatigué", "fatiguée", LIVING, "strength", passing=True),
    Adjective("honest", "honnête", "honnête", (PERSON,), "honesty"),
    Adjective("strange", "étrange", "étrange", (*LIVING, TEXT, THING, PLACE), "strangeness"),
    Adjective("cold", "froid", "froide", (FOOD, DRINK, PLACE), "warmth", unfit=("tree",), passing=True),
    Adjective("expensive", "cher", "chère", (FOOD, DRINK, THING, PLACE), "price", unfit=("soup",), passing=True),
)

VERBS = (
    Verb(
        "see sees saw seeing",
        "voir",
        "vu",
        "vois vois voit voyons voient",
        LIVING,
        (PERSON, *GOODS),
        aspect=Aspect.event,
        located=True,
    ),
    Verb(
        "look looks looked looking",
        "chercher",
        "cherché",
        "cherche cherches cherche cherchons cherchent",
        LIVING,
        (PERSON, *GOODS),
        "for",
        located=True,
    ),
    Verb(
        "find finds found finding",
        "trouver",
        "trouvé",
        "trouve trouves trouve trouvons trouvent",
        LIVING,
        (PERSON, *GOODS),
        aspect=Aspect.event,
        located=True,
    ),
    Verb(
        "hear hears heard hearing",
        "entendre",
        "entendu",
        "entends entends entend entendons entendent",
        LIVING,
        LIVING,
        aspect=Aspect.event,
        located=True,
    ),
    Verb(
        "wait waits waited waiting",
        "attendre",
        "attendu",
        "attends attends attend attendons attendent",
        LIVING,
        (PERSON,),
        "for",
        located=True,
    ),
    Verb(
        "love loves loved loving",
        "aimer",
        "aimé",
        "aime aimes aime aimons aiment",
        (PERSON,),
        (*LIVING, TEXT, PLACE),
        aspect=Aspect.state,
    ),
    Verb("have has had having", "avoir", "eu", "ai as a avons ont", (PERSON,), GOODS, aspect=Aspect.state),
    Verb("buy buys bought buying", "acheter", "acheté", "achète achètes achète achetons achètent", (PERSON,), GOODS),
    Verb("sell sells sold selling", "vendre", "vendu", "vends vends vend vendons vendent", (PERSON,), GOODS),
    Verb(
        "choose chooses chose choosing",
        "choisir",
        "choisi",
        "choisis choisis choisit choisissons choisissent",
        (PERSON,),
        GOODS,
        accompanied=True,
    ),
    Verb(
        "lose loses lost losing",
        "perdre",
        "perdu",
        "perds perds perd perdons perdent",
        (PERSON,),
        (ANIMAL, TEXT, THING),
        aspect=Aspect.accident,
        located=True,
    ),
    Verb(
        "eat eats ate eating",
        "manger",
        "mangé",
        "mange manges mange mangeons mangent",
        LIVING,
        (FOOD,),
        located=True,
        accompanied=True,
    ),
    Verb("drink drinks drank drinking", "boire", "bu", "bois bois boit buvons boivent", LIVING, (DRINK,), located=True),
    Verb("read reads read reading", "lire", "lu", "lis lis lit lisons lisent", (PERSON,), (TEXT,), located=True),
    Verb(
        "write writes wrote writing", "écrire", "écrit", "écris écris écrit écrivons écrivent", (PERSON,), (TEXT,), located=True
    ),
    Verb(
        "give gives gave giving",
        "donner",
        "donné",
        "donne donnes donne donnons donnent",
        (PERSON,),
        (ANIMAL, FOOD, DRINK, TEXT, THING),
        recipient=True,
    ),
    Verb("sleep sleeps slept sleeping", "dormir", "dormi", "dors dors dort dormons dorment", LIVING, located=True),
    Verb(
        "sing sings sang singing",
        "chanter",
        "chanté",
        "chante chantes chante chantons chantent",
        (PERSON,),
        located=True,
        accompanied=True,
    ),
    Verb(
        "arrive arrives arrived arriving",
        "arriver",
        "arrivé",
        "arrive arrives arrive arrivons arrivent",
        LIVING,
        etre=True,
        accompanied=True,
    ),
    Verb("leave leaves left leaving", "partir", "parti", "pars pars part partons partent", LIVING, etre=True, accompanied=True),
    Verb(
        "come comes came coming",
        "revenir",
        "revenu",
        "reviens reviens revient revenons reviennent",
        LIVING,
        particle="back",
        etre=True,
        accompanied=True,
    ),
    Verb(
        "fall falls fell falling",
        "tomber",
        "tombé",
        "tombe tombes tombe tombons tombent",
        LIVING,
        aspect=Aspect.accident,
        etre=True,
        located=True,
    ),
    Verb(
        "get gets got getting", "lever", "levé", "lève lèves lève levons lèvent", LIVING, particle="up", etre=True, reflexive=True
    ),
    Verb(
        "get gets got getting",
        "habiller",
        "habillé",
        "habille habilles habille habillons habillent",
        (PERSON,),
        particle="dressed",
        etre=True,
        reflexive=True,
        located=True,
    ),
)
BE = Verb("be is was being", "être", "été", "suis es est sommes sont", LIVING, aspect=Aspect.state)
THINK = Verb("think thinks thought thinking", "penser", "pensé", "pense penses pense pensons pensent", (PERSON,))
HAVE = next(verb for verb in VERBS if verb.infinitive == "avoir")
ENGLISH_BE = {"present": ("am", "are", "is", "are", "are"), "past": ("was", "were", "was", "were", "were")}

DEFINITE = Determiner("the", "the", "le", "la", "les")
INDEFINITE = Determiner("a", "some", "un", "une", "des")
DEMONSTRATIVE = Determiner("this", "these", "ce", "cette", "ces")
TWO = Determiner("", "two", "", "", "deux")
BEFORE_VOWEL = {"ce": "cet", "ma": "mon", "ta": "ton", "sa": "son"}
POSSESSIVES = (
    Determiner("my", "my", "mon", "ma", "mes"),
    Determiner("your", "your", "ton", "ta", "tes"),
    Determiner("his", "his", "son", "sa", "ses"),
    Determiner("her", "her", "son", "sa", "ses"),
    Determiner("our", "our", "notre", "notre", "nos"),
)
# English, French, person, feminine: `I`, `you`, `we` and `they` are masculine, since English does not say.
PRONOUNS = (
    ("I", "je", 0, False),
    ("you", "tu", 1, False),
    ("he", "il", 2, False),
    ("she", "elle", 2, True),
    ("we", "nous", 3, False),
    ("they", "ils", 4, False),
)
# Object pronouns for persons, and the agreement that a participle after them takes. (`it` could be le or la.)
CLITICS = (("him", "le", ""), ("her", "la", "e"), ("them", "les", "s"))
REFLEXIVES = ("me", "te", "se", "nous", "se")
PREPOSITIONS = (("in", "dans"), ("near", "près de"), ("behind", "derrière"))
TREE_PREPOSITIONS = (("under", "sous"), ("near", "près de"), ("behind", "derrière"))
