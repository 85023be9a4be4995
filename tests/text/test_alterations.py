"""What a protocol takes out of texts, and the protocol that takes nothing out of a charset."""

import pickle

import pytest

from dctc.text import PROTOCOLS, Charset, get_protocol, usual_protocol
from dctc.text.alterations import Alterations

WORDS = ["Stra\u00dfe", "it's", "cafe\u0301", "ICH", "12.50", "\u5b57"]


@pytest.mark.parametrize("name", ["36", "62", "94", "file.txt"])
def test_the_usual_protocol_keeps_a_charset_whole(tmp_path, name):
    (tmp_path / "file.txt").write_text("ab c\u00fc\u5b57\uff21\n\u0301", encoding="utf-8")
    charset = Charset.load(name if name.isdigit() else str(tmp_path / name))
    usual = usual_protocol(charset)
    assert usual == (f"english{name}" if name.isdigit() else "verbatim")
    assert get_protocol(usual)(charset.characters) == charset.characters


@pytest.mark.parametrize(
    ("name", "characters", "words", "lost"),
    [
        ("english36", "", 3, "\u00df\u00e9\u5b57"),  # letters, though the charset has them not
        ("english94", "\u00df\u00e9", 3, "\u00df\u00e9\u5b57"),
        ("english36", ".'", 5, "\u00df\u00e9\u5b57.'"),  # punctuation only if the charset has it
        ("english36", "CI", 4, "\u00df\u00e9\u5b57CI"),  # capitals too
        ("chinese_fold", "abc", 0, ""),
        ("verbatim", "abc", 0, ""),
    ],
)
def test_samples_that_lose_characters_are_counted(name, characters, words, lost):
    charset = Charset(characters) if characters else None
    alone, parts = Alterations(get_protocol(name), charset), []
    for word in WORDS:
        alone.add(word)
        parts.append(Alterations(get_protocol(name), charset))
        parts[-1].add("", word)
    whole = pickle.loads(pickle.dumps(Alterations(PROTOCOLS[name], charset))).extend(parts)
    for found in (alone, whole):
        assert (found.texts, set(found.characters)) == (words, set(lost))
        assert not words or f"of {words} of 6 texts: 'Stra\u00dfe' -> " in found.said(6)
        assert found.drops_of_charset == (characters in (".'", "\u00df\u00e9"))
