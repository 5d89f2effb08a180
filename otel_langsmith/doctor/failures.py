"""Why a request failed → a plain sentence and what to do. Pure.

The texts are those of requests and urllib3, which name addresses and may quote a proxy's password:
they are looked into, never passed on.
"""

import re
from typing import Final, NamedTuple


class Failure(NamedTuple):
    """A kind of failure: how it shows, what it means, what helps."""

    sign: re.Pattern[str]
    meaning: str
    remedy: str


def _failure(sign: str, meaning: str, remedy: str) -> Failure:
    return Failure(re.compile(sign, re.IGNORECASE), meaning, remedy)


FAILURES: Final = (
    _failure(
        r"ProxyError|Tunnel connection failed|SOCKS",
        "the proxy does not let the request through",
        "check HTTPS_PROXY and HTTP_PROXY, or list the host in NO_PROXY",
    ),
    _failure(
        r"NameResolution|getaddrinfo|gaierror|Failed to resolve|Name or service not known"
        r"|nodename nor servname|Temporary failure in name",
        "its name cannot be resolved (DNS)",
        "is LANGSMITH_ENDPOINT spelt right, and may this machine look up outside names?",
    ),
    _failure(
        r"WRONG_VERSION_NUMBER|record layer failure|UNKNOWN_PROTOCOL|HTTP_REQUEST",
        "it does not speak TLS",
        "use http:// in LANGSMITH_ENDPOINT, or the port that speaks https",
    ),
    _failure(
        r"CERTIFICATE_VERIFY_FAILED|doesn't match",
        "its certificate is not trusted here",
        "point REQUESTS_CA_BUNDLE to your organisation's CA certificates",
    ),
    _failure(
        r"SSLError|\[SSL", "the TLS handshake failed", "which proxy or firewall is in between?"
    ),
    _failure(
        r"ConnectionRefused|connection refused|Errno 111|Errno 61|WinError 10061",
        "nobody listens there (connection refused)",
        "is the server up, and are host and port of LANGSMITH_ENDPOINT right?",
    ),
    _failure(
        r"Network is unreachable|No route to host|Errno 101|Errno 113",
        "there is no route to it",
        "is this machine allowed to reach that network?",
    ),
    _failure(
        r"TimeoutError|ReadTimeout|ConnectTimeout|timed out",
        "it did not answer in time",
        "a firewall may swallow the traffic; --timeout waits longer",
    ),
    _failure(
        r"RemoteDisconnected|ConnectionReset|Connection aborted|BrokenPipe|BadStatusLine"
        r"|IncompleteRead|Connection broken",
        "it hung up without an answer in HTTP",
        "is there another service at that port, or a gateway that cuts connections?",
    ),
    _failure(
        r"InvalidURL|LocationParse|InvalidSchema|UnicodeError",
        "the address cannot be used",
        "is LANGSMITH_ENDPOINT spelt right?",
    ),
    _failure(
        r"InvalidHeader",
        "a header cannot be sent",
        "look at LANGSMITH_API_KEY and the extra headers",
    ),
)
"""The first sign that is seen wins: a proxy's failure wraps another, TLS comes in many words."""


def failure_of(text: str) -> tuple[str, str]:
    """What a failure's text means, and what helps."""
    for sign, meaning, remedy in FAILURES:
        if sign.search(text):
            return meaning, remedy
    kind = text.partition(":")[0][:60]
    return f"the request failed ({kind})", "is LANGSMITH_ENDPOINT right?"
