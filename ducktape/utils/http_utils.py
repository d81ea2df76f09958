# SPDX-License-Identifier: Apache-2.0
"""HTTP requests from the machine that runs the tests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from http.client import HTTPResponse

_HAS_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


class HttpMixin:
    """Gives a class the method ``http_request``, which logs to ``self.logger`` if there is one."""

    def http_request(
        self,
        url: str,
        method: str,
        data: Any = "",
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> HTTPResponse:
        """Send one request and return the response, which the caller has to close (``with`` does).

        Args:
            url: the address; ``http://`` by default.
            method: ``GET``, ``POST`` or any other name.
            data: the body: text (sent as UTF-8), bytes, or any body of the standard library; empty for no body.
            headers: names and values; in the log, those that carry credentials are masked.
            timeout: seconds for connecting and for each read; ``None`` means no limit.

        Returns:
            The response object of the standard library.

        Raises:
            urllib.error.HTTPError: the server answered with an error status.
            urllib.error.URLError: there was no response.
        """
        # Imported on use, since HTTP imports TLS and e-mail
        from urllib.request import Request, urlopen

        if not _HAS_SCHEME.match(url):
            url = f"http://{url}"
        sent_headers = dict(headers or {})
        logger = getattr(self, "logger", None)
        if logger is not None:
            shown = {name: "***" if name.lower() in _SECRET_HEADERS else value for name, value in sent_headers.items()}
            logger.debug("Sending http request. Url: %s, Data: %s, Headers: %s", url, data, shown)
        body = data.encode("utf-8") if isinstance(data, str) else data
        request = Request(url, data=body or None, headers=sent_headers, method=method)
        response: HTTPResponse = urlopen(request, timeout=timeout)
        return response
