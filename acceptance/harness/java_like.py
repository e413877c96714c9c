"""A client that behaves like the Java SDK (specs/pingpp.md §1.5 and §1.4).

It re-sends once on any status from 500 up and when the connection fails, each time with a new
timestamp and signature, and it refuses a 2xx answer that the platform key has not signed.
"""

import http.client
import json

from . import keys
from .pingpp_http import PingppHttp

RETRIES_MAX = 1


class UnsignedAnswer(Exception):
    """A 2xx answer without a good signature."""


class JavaLikeClient(PingppHttp):
    def __init__(self, base_url, api_key, signing_key, platform_key):
        super().__init__(base_url, api_key, signing_key)
        self.platform_key = platform_key
        self.sent = 0

    def headers(self, method, target, body):
        headers = super().headers(method, target, body)
        headers.update(
            {
                "User-Agent": "Pingpp/v1 JavaBindings/2.5.2",
                "Accept": "application/json",
                "Accept-Charset": "UTF-8",
                "Accept-Language": "zh-CN",
                "Cache-Control": "no-cache",
                "Pragma": "no-cache",
            }
        )
        return headers

    def send(self, method, target, body=b"", headers=None):
        for attempt in range(RETRIES_MAX + 1):
            last = attempt == RETRIES_MAX
            try:
                self.sent += 1
                answer = super().send(method, target, body, headers)
            except (OSError, http.client.HTTPException):
                if last:
                    raise
                continue
            if answer.status < 500 or last:
                break
        if 200 <= answer.status < 300:
            signature = answer.headers.get("x-pingplusplus-signature")
            if not signature or not keys.is_signed(self.platform_key, answer.body, signature):
                raise UnsignedAnswer(target)
        return answer

    def post(self, target, value):
        """JSON as Gson writes it: raw UTF-8, but `< > & =` and the apostrophe escaped."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        for character in "<>&='":
            text = text.replace(character, f"\\u{ord(character):04x}")
        return self.send("POST", target, text.encode())
