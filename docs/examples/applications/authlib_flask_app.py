"""Authlib's client for Flask, 1.2. Debian: python3-authlib python3-flask python3-requests."""

import os
from urllib.parse import urlencode

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, session

app = Flask(__name__)
app.secret_key = "COOKIE_SECRET"


def update_token(name, token, refresh_token=None, access_token=None):
    session["token"] = {**session["token"], **token}


oauth = OAuth(app, update_token=update_token, fetch_token=lambda name: session.get("token"))
oauth.register(
    "latchkey",
    server_metadata_url="https://id.example.com/.well-known/openid-configuration",
    client_id="CLIENT_ID",
    client_secret="CLIENT_SECRET",
    client_kwargs={"scope": "openid profile email"},
)


@app.get("/login")
def login():
    return oauth.latchkey.authorize_redirect("https://app.example.com/callback")


@app.get("/callback")
def callback():
    token = oauth.latchkey.authorize_access_token()
    token.pop("userinfo")  # the cookie holds 4 KB
    session["token"] = token
    return redirect("/")


@app.get("/")
def index():
    if "token" not in session:
        return "", 401
    return oauth.latchkey.userinfo()  # refreshes the access token if it has expired


@app.get("/logout")
def logout():
    hint = session.pop("token", {}).get("id_token", "")
    back = {"id_token_hint": hint, "post_logout_redirect_uri": "https://app.example.com/goodbye"}
    return redirect("https://id.example.com/oauth2/logout?" + urlencode(back))


if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ.get("PORT", 5000)))
