"""What is said of the drawings, in five languages: phrases with agreement, templates, requests."""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("en", "de", "fr", "cs", "ru")
# Languages that are translated into, from English.
TARGETS = ("de", "fr", "cs", "ru")

# Shape -> language -> indefinite article with its blank where there is one, noun, gender.
NOUNS: Mapping[str, Mapping[str, tuple[str, str, str]]] = {
    "circle": {
        "en": ("a ", "circle", "n"),
        "de": ("ein ", "Kreis", "m"),
        "fr": ("un ", "cercle", "m"),
        "cs": ("", "kruh", "m"),
        "ru": ("", "круг", "m"),
    },
    "square": {
        "en": ("a ", "square", "n"),
        "de": ("ein ", "Quadrat", "n"),
        "fr": ("un ", "carré", "m"),
        "cs": ("", "čtverec", "m"),
        "ru": ("", "квадрат", "m"),
    },
    "triangle": {
        "en": ("a ", "triangle", "n"),
        "de": ("ein ", "Dreieck", "n"),
        "fr": ("un ", "triangle", "m"),
        "cs": ("", "trojúhelník", "m"),
        "ru": ("", "треугольник", "m"),
    },
    "star": {
        "en": ("a ", "star", "n"),
        "de": ("ein ", "Stern", "m"),
        "fr": ("une ", "étoile", "f"),
        "cs": ("", "hvězda", "f"),
        "ru": ("", "звезда", "f"),
    },
    "cross": {
        "en": ("a ", "cross", "n"),
        "de": ("ein ", "Kreuz", "n"),
        "fr": ("une ", "croix", "f"),
        "cs": ("", "kříž", "m"),
        "ru": ("", "крест", "m"),
    },
    "diamond": {
        "en": ("a ", "diamond", "n"),
        "de": ("eine ", "Raute", "f"),
        "fr": ("un ", "losange", "m"),
        "cs": ("", "kosočtverec", "m"),
        "ru": ("", "ромб", "m"),
    },
}
# Colour -> language -> gender -> adjective.
COLOURS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "red": {
        "en": {"n": "red"},
        "de": {"m": "roter", "f": "rote", "n": "rotes"},
        "fr": {"m": "rouge", "f": "rouge"},
        "cs": {"m": "červený", "f": "červená"},
        "ru": {"m": "красный", "f": "красная"},
    },
    "blue": {
        "en": {"n": "blue"},
        "de": {"m": "blauer", "f": "blaue", "n": "blaues"},
        "fr": {"m": "bleu", "f": "bleue"},
        "cs": {"m": "modrý", "f": "modrá"},
        "ru": {"m": "синий", "f": "синяя"},
    },
    "green": {
        "en": {"n": "green"},
        "de": {"m": "grüner", "f": "grüne", "n": "grünes"},
        "fr": {"m": "vert", "f": "verte"},
        "cs": {"m": "zelený", "f": "zelená"},
        "ru": {"m": "зелёный", "f": "зелёная"},
    },
    "yellow": {
        "en": {"n": "yellow"},
        "de": {"m": "gelber", "f": "gelbe", "n": "gelbes"},
        "fr": {"m": "jaune", "f": "jaune"},
        "cs": {"m": "žlutý", "f": "žlutá"},
        "ru": {"m": "жёлтый", "f": "жёлтая"},
    },
    "black": {
        "en": {"n": "black"},
        "de": {"m": "schwarzer", "f": "schwarze", "n": "schwarzes"},
        "fr": {"m": "noir", "f": "noire"},
        "cs": {"m": "černý", "f": "černá"},
        "ru": {"m": "чёрный", "f": "чёрная"},
    },
    "white": {
        "en": {"n": "white"},
        "de": {"m": "weißer", "f": "weiße", "n": "weißes"},
        "fr": {"m": "blanc", "f": "blanche"},
        "cs": {"m": "bílý", "f": "bílá"},
        "ru": {"m": "белый", "f": "белая"},
    },
}
# Where two things stand, or one.
SCENES: Mapping[str, Mapping[str, str]] = {
    "beside": {
        "en": "{} is on the left and {} is on the right",
        "de": "{} ist links und {} ist rechts",
        "fr": "{} est à gauche et {} est à droite",
        "cs": "{} je vlevo a {} je vpravo",
        "ru": "{} слева и {} справа",
    },
    "above": {
        "en": "{} is above and {} is below",
        "de": "{} ist oben und {} ist unten",
        "fr": "{} est en haut et {} est en bas",
        "cs": "{} je nahoře a {} je dole",
        "ru": "{} сверху и {} снизу",
    },
    "alone": {
        "en": "{} is in the middle",
        "de": "{} ist in der Mitte",
        "fr": "{} est au milieu",
        "cs": "{} je uprostřed",
        "ru": "{} в середине",
    },
}
DESCRIBE = {
    "en": "Describe the picture.",
    "de": "Beschreibe das Bild.",
    "fr": "Décris l'image.",
    "cs": "Popiš obrázek.",
    "ru": "Опиши картинку.",
}
READ = {
    "en": "Read the word.",
    "de": "Lies das Wort.",
    "fr": "Lis le mot.",
    "cs": "Přečti slovo.",
    "ru": "Прочитай слово.",
}
# Ambiguous word -> its two senses -> language -> the noun with its definite article, if it has one.
AMBIGUOUS: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "bank": (
        {"de": "das Ufer", "fr": "la rive", "cs": "břeh", "ru": "берег"},
        {"de": "die Bank", "fr": "la banque", "cs": "banka", "ru": "банк"},
    ),
    "bat": (
        {"de": "die Fledermaus", "fr": "la chauve-souris", "cs": "netopýr", "ru": "летучая мышь"},
        {"de": "der Schläger", "fr": "la batte", "cs": "pálka", "ru": "бита"},
    ),
    "seal": (
        {"de": "die Robbe", "fr": "le phoque", "cs": "tuleň", "ru": "тюлень"},
        {"de": "das Siegel", "fr": "le sceau", "cs": "pečeť", "ru": "печать"},
    ),
    "trunk": (
        {"de": "der Stamm", "fr": "le tronc", "cs": "kmen", "ru": "ствол"},
        {"de": "der Rüssel", "fr": "la trompe", "cs": "chobot", "ru": "хобот"},
    ),
    "bow": (
        {"de": "der Bogen", "fr": "l'arc", "cs": "luk", "ru": "лук"},
        {"de": "die Schleife", "fr": "le nœud", "cs": "mašle", "ru": "бант"},
    ),
    "pitcher": (
        {"de": "der Krug", "fr": "la cruche", "cs": "džbán", "ru": "кувшин"},
        {"de": "der Werfer", "fr": "le lanceur", "cs": "nadhazovač", "ru": "питчер"},
    ),
}
# Around an ambiguous word: English, then every language of TARGETS.
AROUND: tuple[Mapping[str, str], ...] = (
    {
        "en": "Where is the {}?",
        "de": "Wo ist {}?",
        "fr": "Où est {}?",
        "cs": "Kde je {}?",
        "ru": "Где {}?",
    },
    {
        "en": "Here is the {}.",
        "de": "Hier ist {}.",
        "fr": "Voici {}.",
        "cs": "Tady je {}.",
        "ru": "Вот {}.",
    },
    {
        "en": "This is the {}.",
        "de": "Das ist {}.",
        "fr": "C'est {}.",
        "cs": "To je {}.",
        "ru": "Это {}.",
    },
    {
        "en": "Is this the {}?",
        "de": "Ist das {}?",
        "fr": "Est-ce {}?",
        "cs": "Je to {}?",
        "ru": "Это {}?",
    },
    {
        "en": "Today the {} is here.",
        "de": "Heute ist {} hier.",
        "fr": "Aujourd'hui {} est ici.",
        "cs": "Dnes je {} tady.",
        "ru": "Сегодня {} здесь.",
    },
    {
        "en": "Is the {} still there?",
        "de": "Ist {} noch da?",
        "fr": "Est-ce que {} est encore là?",
        "cs": "Je {} ještě tam?",
        "ru": "{} ещё там?",
    },
    {
        "en": "Now we see the {}.",
        "de": "Jetzt kommt {}.",
        "fr": "Maintenant vient {}.",
        "cs": "Teď přichází {}.",
        "ru": "Теперь видно: {}.",
    },
    {
        "en": "Only the {} is here.",
        "de": "Nur {} ist hier.",
        "fr": "Seulement {} est ici.",
        "cs": "Jen {} je tady.",
        "ru": "Только {} здесь.",
    },
)
# Before a caption that is to be translated.
OPENINGS: tuple[Mapping[str, str], ...] = (
    dict.fromkeys(LANGUAGES, ""),
    {"en": "Look: ", "de": "Schau: ", "fr": "Regarde: ", "cs": "Podívej: ", "ru": "Смотри: "},
    {"en": "Today: ", "de": "Heute: ", "fr": "Aujourd'hui: ", "cs": "Dnes: ", "ru": "Сегодня: "},
)


def thing(language: str, colour: str, shape: str) -> str:
    """A coloured shape with its indefinite article: "eine rote Raute", "une étoile rouge"."""
    article, noun, gender = NOUNS[shape][language]
    adjective = COLOURS[colour][language][gender]
    words = (noun, adjective) if language == "fr" else (adjective, noun)
    return article + " ".join(words)


def caption(
    language: str, arrangement: str, things: tuple[tuple[str, str], ...], opening: int = 0
) -> str:
    """`things` are colours and shapes, from left to right or from above."""
    phrases = (thing(language, colour, shape) for colour, shape in things)
    return OPENINGS[opening][language] + SCENES[arrangement][language].format(*phrases) + "."
