r"""Finds keys, tokens and passwords in a text, by their form or by the name before them.

Every search is linear in the text, whatever the text: a pattern goes on only where a rare literal
stands, and of its repetitions all are bounded but a last one, which has nothing after it to go back
for. Half of an ordinary text's cost is to find that none of the literals is in it.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Final

from otel_langsmith.run import Json

MARK: Final = "[redacted]"
"""What stands in place of a secret."""

_WITH_DIGIT: Final = r"(?=[A-Za-z_-]{0,64}\d)"
_LOOKS: Final = {
    # models and their tools
    **dict.fromkeys(("sk-", "xai-", "pplx-", "nvapi-", "tvly-"), _WITH_DIGIT + r"[\w-]{16,}"),
    **dict.fromkeys(("gsk_", "hf_", "r8_", "pcsk_"), _WITH_DIGIT + r"\w{20,}"),
    **dict.fromkeys(("lsv2_", "ls__"), r"\w{20,}"),
    # clouds
    **dict.fromkeys(("AKIA", "ASIA"), r"[A-Z0-9]{16}"),
    "AIza": r"[\w-]{35}",
    **dict.fromkeys(("ya29.", "GOCSPX-"), r"[\w-]{20,}"),
    **dict.fromkeys(("dop_v1_", "doo_v1_", "dor_v1_", "dapi"), r"[0-9a-f]{32,}"),
    # code, chat, money, mail
    **dict.fromkeys(("gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_"), r"\w{20,}"),
    **dict.fromkeys(("glpat-", "pypi-"), r"[\w-]{16,}"),
    **dict.fromkeys(("npm_", "sntrys_", "whsec_"), r"\w{16,}"),
    "xox": r"[a-z]-[\w-]{10,}",
    "xapp-": r"[\w-]{10,}",
    **dict.fromkeys(("sk_live_", "sk_test_", "rk_live_", "rk_test_"), r"\w{10,}"),
    **dict.fromkeys(("shpat_", "shpca_", "shppa_", "shpss_"), r"\w{32,}"),
    "SG.": r"[\w-]{16,255}\.[\w-]{16,}",
    "eyJ": r"[\w-]{8,8192}\.eyJ[\w-]{8,8192}(?:\.[\w-]{0,4096})?",  # JWT
}
"""How tokens look: by what they begin with, the rest."""

_BEARER: Final = re.compile(
    r"[Bb](?<!\w.)((?i:earer|asic) {1,4})(?=[A-Za-z.~+/=_-]{0,256}\d)[\w.~+/=-]{16,}", re.ASCII
)
_USER_INFO: Final = re.compile(r"(://)[^\s/:@?#]{0,256}:[^\s/@?#]{1,256}@")
_KEY_BEGINS: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_ENDS: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")

_NAMES: Final = (
    r"(?:x[_-]?)?api[_-]?key|secret[_-]?access[_-]?key|(?:client|app)[_-]?secret|secret[_-]?key"
    r"|(?:access|account|private|signing|encryption)[_-]?key"
    r"|(?:access|auth|bearer|id|refresh|session|security)[_-]?token"
    r"|secret|password|passwd|pwd|passphrase|(?:proxy[_-]?)?authorization|(?:set[_-]?)?cookie"
    r"|connection[_-]?string|credentials?"
)
_LAST: Final = r"(?i:key|ret|ken|ord|swd|pwd|ase|ion|kie|ing|ial|als)"
_AROUND: Final = r"[\\\"'\s]"
_SIGN: Final = re.compile(
    "[:=](?:" + "|".join(f"(?<={_LAST}{_AROUND * width}[:=])" for width in range(4)) + ")"
)
"""What parts a name from its value, where the last letters could be those of a secret's name."""

_NAME: Final = re.compile(rf"(?<![A-Za-z])(?:{_NAMES}){_AROUND}{{0,4}}\Z", re.IGNORECASE)
_LONGEST: Final = 32
_VALUE: Final = re.compile(
    r"\s{0,4}(?:(\")(?:[^\"\\\r\n]|\\.){1,8192}"
    r"|(')(?:[^'\\\r\n]|\\.){1,8192}"
    r"|(\\{1,4}[\"'])[^\"'\\\r\n]{1,8192}"
    r"|(?:(?:basic|bearer|digest|token) {1,4})?[^\s\"'\\,;&{}\[\]]{4,})",
    re.IGNORECASE,
)
_SECRET_NAME: Final = re.compile(
    rf"(?:.{{0,64}}[^A-Za-z])?(?:{_NAMES})|.{{0,64}}[_.-]token", re.IGNORECASE
)
_LONGEST_NAME: Final = 128


def without_credentials(text: str) -> str:
    """The text, with `MARK` in place of what looks like a secret."""
    if "-----BEGIN " in text:
        text = _without_keys(text)
    for start in _LOOKS:
        if start in text:
            text = _token(start).sub(MARK, text)
    if "://" in text:
        text = _USER_INFO.sub(rf"\1{MARK}@", text)
    text = "".join(_without_named(text))
    return _BEARER.sub(MARK, text)


@cache
def _token(start: str) -> re.Pattern[str]:
    """What finds the tokens that begin so; compiling all takes 3 ms, and few are ever met."""
    literal = re.escape(start)
    return re.compile(rf"{literal}(?<![\w-]{literal}){_LOOKS[start]}", re.ASCII)


def without_secret_members(value: Json) -> Json:
    """A JSON value, with `MARK` in place of the texts whose members are named like secrets."""
    if isinstance(value, Mapping):
        return {name: _shown(name, part) for name, part in value.items()}
    if isinstance(value, (list, tuple)) and not all(isinstance(part, str) for part in value):
        return [without_secret_members(part) for part in value]
    return value


def _shown(name: Any, part: Json) -> Json:
    is_text = isinstance(part, str) or (
        isinstance(part, (list, tuple)) and all(isinstance(one, str) for one in part)
    )
    if is_text:
        return MARK if part and isinstance(name, str) and is_secret(name) else part
    return without_secret_members(part)


def is_secret(name: str) -> bool:
    """Whether a member of this name holds a secret, whatever it looks like."""
    return len(name) <= _LONGEST_NAME and _is_secret(name)


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.fullmatch(name) is not None


def _without_keys(text: str) -> str:
    """Without private keys in PEM; of one whose end was cut off, nothing after its beginning."""
    pieces = []
    at = 0
    while begins := _KEY_BEGINS.search(text, at):
        pieces += [text[at : begins.start()], MARK]
        ends = _KEY_ENDS.search(text, begins.end())
        at = ends.end() if ends else len(text)
    return "".join(pieces) + text[at:] if pieces else text


def _without_named(text: str) -> Iterator[str]:
    """The pieces of the text, without values that follow a secret's name."""
    at = 0
    for sign in _SIGN.finditer(text):
        begins = sign.start()
        if begins < at or not _NAME.search(text, max(at, begins - _LONGEST), begins):
            continue
        value = _VALUE.match(text, sign.end())
        if value:
            quote = next((group for group in value.groups() if group), "")
            gap = value[0][: len(value[0]) - len(value[0].lstrip())]
            yield f"{text[at : sign.end()]}{gap}{quote}{MARK}"
            at = value.end()
    yield text[at:]
