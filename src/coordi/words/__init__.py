"""coordi's packaged fashion vocabulary in nine languages, and what a query's words mean."""

from coordi.words.synonyms import Term, synonyms_of, terms
from coordi.words.understanding import Understood, understand, without
from coordi.words.vocabulary import ASPECTS, LANGUAGES, Concept, by_id, concepts

__all__ = [
    "ASPECTS",
    "LANGUAGES",
    "Concept",
    "Term",
    "Understood",
    "by_id",
    "concepts",
    "synonyms_of",
    "terms",
    "understand",
    "without",
]
