"""Languages: AssemblyAI's codes, their names, and what AssemblyAI does in which of them. Pure."""

import re

# https://www.assemblyai.com/docs/pre-recorded-audio/set-language-manually
_NAMES = """
af Afrikaans, am Amharic, ar Arabic, as Assamese, az Azerbaijani, ba Bashkir, be Belarusian, bg Bulgarian, bn Bengali,
bo Tibetan, br Breton, bs Bosnian, ca Catalan, cs Czech, cy Welsh, da Danish, de German, el Greek, en English,
es Spanish, et Estonian, eu Basque, fa Persian, fi Finnish, fo Faroese, fr French, gl Galician, gu Gujarati, ha Hausa,
haw Hawaiian, he Hebrew, hi Hindi, hr Croatian, ht Haitian, hu Hungarian, hy Armenian, id Indonesian, is Icelandic,
it Italian, ja Japanese, jw Javanese, ka Georgian, kk Kazakh, km Khmer, kn Kannada, ko Korean, la Latin,
lb Luxembourgish, ln Lingala, lo Lao, lt Lithuanian, lv Latvian, mg Malagasy, mi Maori, mk Macedonian, ml Malayalam,
mn Mongolian, mr Marathi, ms Malay, mt Maltese, my Burmese, ne Nepali, nl Dutch, nn Norwegian Nynorsk, no Norwegian,
oc Occitan, pa Panjabi, pl Polish, ps Pashto, pt Portuguese, ro Romanian, ru Russian, sa Sanskrit, sd Sindhi,
si Sinhala, sk Slovak, sl Slovenian, sn Shona, so Somali, sq Albanian, sr Serbian, su Sundanese, sv Swedish,
sw Swahili, ta Tamil, te Telugu, tg Tajik, th Thai, tk Turkmen, tl Tagalog, tr Turkish, tt Tatar, uk Ukrainian,
ur Urdu, uz Uzbek, vi Vietnamese, yi Yiddish, yo Yoruba, zh Chinese
"""
# ISO 639's code for a text in more than one language, which has no list of words and no rules.
SEVERAL_LANGUAGES = "mul"
NAMES = {SEVERAL_LANGUAGES: "several languages"} | dict(
    entry.split(maxsplit=1) for entry in _NAMES.strip().replace("\n", " ").split(", ")
)

# In the others AssemblyAI labels no sentiment and writes down no fillers.
ENGLISH = frozenset(("en", "en_au", "en_uk", "en_us"))

# In the others it redacts no personal data: https://www.assemblyai.com/docs/guardrails/redact-pii-from-transcripts
_REDACTED = frozenset(
    """
    af ar be bg ca cs da de el en es et fa fi fr he hi hr hu id is it ja ka km ko lb lt lv ms my nl no pl pt ro ru sk
    sl sv sw ta tl tr uk vi zh
    """.split()  # noqa: SIM905 - a list would take a page
)

# The only regions that AssemblyAI's codes have are those of English. Other codes that are in use for its languages.
_CODE = re.compile(r"([a-z]{2,3})(?:_[a-z0-9]{2,8})*")
_ENGLISH_OF = {"au": "en_au", "gb": "en_uk", "uk": "en_uk", "us": "en_us"}
_OTHER_CODES = {"cmn": "zh", "fil": "tl", "iw": "he", "jv": "jw", "nb": "no"}


def language_code(text: str) -> str:
    """Return a language's code as AssemblyAI writes it: de for de-AT, en_uk for en-GB; "" for what is none."""
    code = text.strip().lower().replace("-", "_")
    written = _CODE.fullmatch(code)
    if not written:
        return ""
    base = _OTHER_CODES.get(written[1], written[1])
    return _ENGLISH_OF.get(code.rpartition("_")[2], base) if base == "en" else base


def base_code(code: str | None) -> str:
    """Return a code without its region, "" for none."""
    return re.split(r"[_-]", (code or "").strip().casefold())[0]


def language_name(code: str | None) -> str:
    """Return what a language is called in English; the code itself where AssemblyAI does not list it."""
    return NAMES.get(base_code(code), code or "")


def redacts(code: str | None) -> bool:
    """Whether AssemblyAI can redact personal data in a language."""
    return base_code(code) in _REDACTED
