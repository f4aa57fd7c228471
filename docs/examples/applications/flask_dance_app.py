"""Flask-Dance 6.2. Debian: python3-flask-dance.

Flask-Dance 7 has use_pkce=True; before, there is neither PKCE nor a nonce.
"""

import os
from urllib.parse import urlencode

from flask import Flask, redirect
from flask_dance.consumer import OAuth2ConsumerBlueprint

app = Flask(__name__)
app.secret_key = "COOKIE_SECRET"

latchkey = OAuth2ConsumerBlueprint(
    "latchkey",
    __name__,
    client_id="CLIENT_ID",
    client_secret="CLIENT_SECRET",
    base_url="https://id.example.com",
    authorization_url="https://id.example.com/oauth2/authorize",
    token_url="https://id.example.com/oauth2/token",
    auto_refresh_url="https://id.example.com/oauth2/token",
    scope=["openid", "profile", "email"],
)
app.register_blueprint(latchkey)  # /latchkey begins a login, /latchkey/authorized ends it


@app.get("/")
def index():
    if not latchkey.session.authorized:
        return "", 401
    return latchkey.session.get("/oauth2/userinfo").json()


@app.get("/logout")
def logout():
    hint = latchkey.token["id_token"] if latchkey.token else ""
    del latchkey.token
    back = {"id_token_hint": hint, "post_logout_redirect_uri": "https://app.example.com/goodbye"}
    return redirect("https://id.example.com/oauth2/logout?" + urlencode(back))


if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ.get("PORT", 5000)))
