"""Signs a user in with a browser and calls the userinfo endpoint: code + PKCE with a standard library (Authlib).

    ISSUER=http://localhost:8000 CLIENT_ID=demo-app python3 app.py

Debian: python3-authlib python3-requests.
"""

import os
import secrets
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer

import requests
from authlib.integrations.requests_client import OAuth2Session

ISSUER = os.environ.get("ISSUER", "http://localhost:8000")
CLIENT_ID = os.environ.get("CLIENT_ID", "demo-app")

# Everything else is found here.
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

session = OAuth2Session(
    CLIENT_ID,
    redirect_uri=redirect_uri,
    scope="openid profile offline_access",
    token_endpoint_auth_method="none",
    code_challenge_method="S256",
)
verifier = secrets.token_urlsafe(48)
address, state = session.create_authorization_url(server["authorization_endpoint"], code_verifier=verifier)
print("Sign in at", address, flush=True)
webbrowser.open(address)
callback.handle_request()

session.fetch_token(
    server["token_endpoint"],
    authorization_response=redirect_uri + callback.answer.removeprefix("/callback"),
    state=state,
    code_verifier=verifier,
)
print("Signed in:", session.get(server["userinfo_endpoint"]).json())

session.refresh_token(server["token_endpoint"])
print("Refreshed:", session.get(server["userinfo_endpoint"]).json())
