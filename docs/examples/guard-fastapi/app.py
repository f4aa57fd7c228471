"""A server whose resource is protected by Latchkey, with FastAPI and PyJWT.

    latchkey resource add http://localhost:9000/mcp --name Tools --scope tools:read
    LATCHKEY_ISSUER=http://localhost:8000 RESOURCE=http://localhost:9000/mcp uvicorn app:app --port 9000

Debian: python3-fastapi python3-uvicorn python3-jwt python3-cryptography.
"""

import os
from urllib.parse import urlencode

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request

ISSUER = os.environ.get("LATCHKEY_ISSUER", "http://localhost:8000")
# The identifier that `latchkey resource add` was given: the URL that clients use.
RESOURCE = os.environ.get("RESOURCE", "http://localhost:9000/mcp")

# Fetches the key set when it meets a key that it does not know, and keeps it otherwise.
keys = jwt.PyJWKClient(ISSUER + "/oauth2/jwks")
metadata = ISSUER + "/oauth2/resources?" + urlencode({"resource": RESOURCE})


def refusal(status: int, scope: str, error: str = "") -> HTTPException:
    """Sends the client to Latchkey: the header leads to a document that names it (RFC 9728, section 5.1)."""
    header = f'Bearer resource_metadata="{metadata}", scope="{scope}"'
    if error:  # RFC 6750, section 3.1: no error where no token was sent
        header += f', error="{error}"'
    expose = "WWW-Authenticate"  # for clients in a browser
    return HTTPException(status, headers={"WWW-Authenticate": header, "Access-Control-Expose-Headers": expose})


def verify(token: str) -> dict:
    """Checks everything that RFC 9068, section 4 asks for."""
    # The type keeps ID tokens out, the audience tokens for other servers.
    if jwt.get_unverified_header(token).get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    return jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token).key,
        algorithms=["ES256", "EdDSA", "RS256"],
        issuer=ISSUER,
        audience=RESOURCE,
        options={"require": ["exp", "iss", "aud", "sub", "client_id"]},
    )


def requires(scope: str):
    """A dependency that wants a token with the scope and gives its claims."""

    def dependency(request: Request) -> dict:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise refusal(401, scope)
        try:
            claims = verify(token)
        except jwt.PyJWTError as error:
            if isinstance(error.__context__, OSError):  # the key set can't be had: no fault of the token
                raise HTTPException(503, "The keys of the authorization server can't be had now.")
            raise refusal(401, scope, "invalid_token")
        if scope not in claims.get("scope", "").split():
            raise refusal(403, scope, "insufficient_scope")
        return claims

    return dependency


app = FastAPI()


@app.post("/mcp")
def mcp(claims: dict = Depends(requires("tools:read"))):
    return {"hello": claims["sub"], "client": claims["client_id"]}
