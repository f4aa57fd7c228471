"""Signs a user in with a browser and calls the userinfo endpoint: code + PKCE with requests-oauthlib.

    ISSUER=http://localhost:8000 CLIENT_ID=demo-app python3 requests_oauthlib_app.py

Debian: python3-requests-oauthlib.
"""

import os
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer

import requests
from oauthlib.oauth2 import WebApplicationClient
from requests_oauthlib import OAuth2Session

ISSUER = os.environ.get("ISSUER", "http://localhost:8000")
CLIENT_ID = os.environ.get("CLIENT_ID", "demo-app")
if ISSUER.startswith("http://localhost:"):  # for a demo on this machine
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

server = requests.get(ISSUER + "/.well-known/openid-configuration", timeout=10).json()


class Callback(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.answer = self.path
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"You can close this window.")

    def log_message(self, *args):  # the address has the code in it
        pass


# Any port: a loopback redirect URI is registered without one.
callback = HTTPServer(("127.0.0.1", 0), Callback)
redirect_uri = f"http://127.0.0.1:{callback.server_port}/callback"

# Older releases of the library know no PKCE; what it takes is in oauthlib.
pkce = WebApplicationClient(CLIENT_ID)
verifier = pkce.create_code_verifier(64)
session = OAuth2Session(CLIENT_ID, redirect_uri=redirect_uri, scope=["openid", "profile", "offline_access"])
address, state = session.authorization_url(
    server["authorization_endpoint"],
    code_challenge=pkce.create_code_challenge(verifier, "S256"),
    code_challenge_method="S256",
)
print("Sign in at", address, flush=True)
webbrowser.open(address)
callback.handle_request()

session.fetch_token(
    server["token_endpoint"],
    authorization_response=redirect_uri + callback.answer.removeprefix("/callback"),
    code_verifier=verifier,
    include_client_id=True,
)
print("Signed in:", session.get(server["userinfo_endpoint"]).json())

session.refresh_token(server["token_endpoint"], client_id=CLIENT_ID)
print("Refreshed:", session.get(server["userinfo_endpoint"]).json())
