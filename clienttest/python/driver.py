"""The running server, as the test that started this process describes it (see ../python_test.go), and a person with a browser."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

ISSUER = os.environ["LATCHKEY_ISSUER"]

# Where answers go; nothing listens there, since the driver stops before.
CALLBACK = "http://127.0.0.1/callback"


def latchkey(*args):
    """Runs a command of the binary on the server's database and gives the JSON that it prints."""
    return json.loads(subprocess.run([os.environ["LATCHKEY_TEST_BINARY"], *args], check=True, stdout=subprocess.PIPE).stdout)


def add_client(*flags):
    """Adds a client of the code flow and gives the registration response."""
    return latchkey(
        "client", "add", "--client-name=Client test", "--redirect-uri=" + CALLBACK,
        "--grant-type=authorization_code,refresh_token", "--scope=openid profile email offline_access", *flags)


class Browser:
    """Signs in and allows whatever pages ask for. It keeps its cookies by itself, since no jar sends Secure cookies over
    http, which browsers do for this machine."""

    def __init__(self):
        self.cookies = {}
        self.shown = []  # the pages that the person saw, by path

    def visit(self, address, until):
        """Goes where links and forms lead until it is sent to an address that begins with until, and gives that."""
        form = None
        for _ in range(12):
            status, location, text = self._send(address, form)
            if location:
                address, form = urljoin(address, location), None
                if address.startswith(until):
                    return address
                continue
            self.shown.append(urlsplit(address).path)
            page = Page(text)
            form = page.filled_in()
            if form is None:
                raise AssertionError(f"{address} answered {status} and leads no further: {page.text}")
            address = urljoin(address, page.action)
        raise AssertionError(f"{address} leads nowhere; the pages on the way: {self.shown}")

    def _send(self, address, form):
        request = urllib.request.Request(address, data=form and urlencode(form).encode())
        if self.cookies:
            request.add_header("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        if form:
            request.add_header("Origin", "{0.scheme}://{0.netloc}".format(urlsplit(address)))
        try:
            answer = _OPENER.open(request)
        except urllib.error.HTTPError as e:
            answer = e
        with answer:
            text = answer.read().decode()
        for line in answer.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            if "max-age=0" in line.lower():
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer.status, answer.headers.get("Location"), text


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


_OPENER = urllib.request.build_opener(_Stay, urllib.request.ProxyHandler({}))


class Page(HTMLParser):
    """The first form of a login or consent page: that of a passkey comes after it."""

    def __init__(self, text):
        super().__init__()
        self.text, self.action, self.hidden, self.names, self.ended = text, None, [], set(), False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if self.ended:
            return
        if tag == "form" and self.action is None:
            self.action = attributes["action"]
        if tag in ("input", "button") and attributes.get("name"):
            self.names.add(attributes["name"])
            if attributes.get("type") == "hidden":
                self.hidden.append((attributes["name"], attributes.get("value", "")))

    def handle_endtag(self, tag):
        self.ended = self.ended or tag == "form"

    def filled_in(self):
        if "password" in self.names:
            return self.hidden + [("username", os.environ["CLIENTTEST_USERNAME"]), ("password", os.environ["CLIENTTEST_PASSWORD"])]
        if "decision" in self.names:
            return self.hidden + [("decision", "allow")]
        return None
