"""Access tokens of Latchkey for Django REST framework, with PyJWT. No table of users, no secret.

settings.py:

    LATCHKEY_ISSUER = "http://localhost:8000"
    # The identifier that `latchkey resource add` was given: the URL that clients use.
    LATCHKEY_RESOURCE = "http://localhost:9000/mcp"

    REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": ["guard.LatchkeyAuthentication"]}
"""

from urllib.parse import urlencode

import jwt
from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission

# Fetches the key set when it meets a key that it does not know, and keeps it otherwise.
keys = jwt.PyJWKClient(settings.LATCHKEY_ISSUER + "/oauth2/jwks")


class KeysUnavailable(APIException):
    status_code = 503
    default_detail = "The keys of the authorization server can't be had now."


class TokenUser:
    """Who the request comes from."""

    is_authenticated = True
    is_active = True

    def __init__(self, claims):
        self.pk = self.id = claims["sub"]
        self.client_id = claims["client_id"]
        self.scopes = claims.get("scope", "").split()


def challenge(error="", scope=""):
    """Sends the client to Latchkey: the header leads to a document that names it (RFC 9728, section 5.1)."""
    query = urlencode({"resource": settings.LATCHKEY_RESOURCE})
    header = f'Bearer resource_metadata="{settings.LATCHKEY_ISSUER}/oauth2/resources?{query}"'
    if scope:
        header += f', scope="{scope}"'
    if error:  # RFC 6750, section 3.1: no error where no token was sent
        header += f', error="{error}"'
    return header


def verify(token):
    """Checks everything that RFC 9068, section 4 asks for."""
    # The type keeps ID tokens out, the audience tokens for other servers.
    if jwt.get_unverified_header(token).get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    return jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token).key,
        algorithms=["ES256", "EdDSA", "RS256"],
        issuer=settings.LATCHKEY_ISSUER,
        audience=settings.LATCHKEY_RESOURCE,
        options={"require": ["exp", "iss", "aud", "sub", "client_id"]},
    )


class LatchkeyAuthentication(BaseAuthentication):
    def authenticate(self, request):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        try:
            claims = verify(token)
        except jwt.PyJWTError as error:
            if isinstance(error.__context__, OSError):  # the key set can't be had: no fault of the token
                raise KeysUnavailable()
            raise AuthenticationFailed("The access token is invalid or has expired.")
        return TokenUser(claims), claims

    def authenticate_header(self, request):
        return challenge("invalid_token" if "Authorization" in request.headers else "")


class HasScope(BasePermission):
    """Wants the scope that the view names: required_scope = "tools:read"."""

    def has_permission(self, request, view):
        if not request.user or not request.user.is_authenticated:
            return False  # 401
        if view.required_scope not in getattr(request.user, "scopes", []):
            refused = PermissionDenied("The access token lacks a scope.")
            refused.auth_header = challenge("insufficient_scope", view.required_scope)
            raise refused
        return True
