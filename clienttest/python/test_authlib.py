import json
import time
import unittest

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, jwt
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url

from driver import CALLBACK, ISSUER, Browser, add_client

SCOPE = "openid profile email offline_access"
VERIFIER = "a-verifier-of-43-characters-or-more-0123456789"


def discover():
    return OAuth2Session().get(get_well_known_url(ISSUER, external=True), withhold_token=True).json()


class Authlib(unittest.TestCase):
    def setUp(self):
        self.server = discover()
        self.assertEqual(self.server["issuer"], ISSUER)

    def session(self, client, secret=None, **more):
        return OAuth2Session(
            client["client_id"], secret or client.get("client_secret"), scope=SCOPE, redirect_uri=CALLBACK,
            code_challenge_method="S256", token_endpoint_auth_method=client["token_endpoint_auth_method"],
            revocation_endpoint_auth_method=client["token_endpoint_auth_method"],
            token_endpoint=self.server["token_endpoint"], **more)

    def log_in(self, session):
        address, state = session.create_authorization_url(
            self.server["authorization_endpoint"], code_verifier=VERIFIER, nonce="the nonce")
        answer = Browser().visit(address, CALLBACK)
        return session.fetch_token(authorization_response=answer, state=state, code_verifier=VERIFIER)

    def check_id_token(self, session, token):
        keys = JsonWebKey.import_key_set(session.get(self.server["jwks_uri"], withhold_token=True).json())
        claims = jwt.decode(token["id_token"], keys, claims_cls=CodeIDToken, claims_options={
            "iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": session.client_id},
            "nonce": {"value": "the nonce"},
        }, claims_params={"access_token": token["access_token"], "nonce": "the nonce", "client_id": session.client_id})
        claims.validate()
        return claims

    def go_through(self, session):
        token = self.log_in(session)
        claims = self.check_id_token(session, token)
        info = session.get(self.server["userinfo_endpoint"]).json()
        self.assertEqual(info["sub"], claims["sub"])
        self.assertEqual((info["preferred_username"], info["email"]), ("demo", "demo@example.com"))
        for _ in range(3):
            before = session.token
            session.refresh_token(self.server["token_endpoint"])
            self.assertNotEqual(session.token["access_token"], before["access_token"])
            self.assertNotEqual(session.token["refresh_token"], before["refresh_token"])

    def end(self, session):
        last = session.token["refresh_token"]
        answer = session.revoke_token(self.server["revocation_endpoint"], last, token_type_hint="refresh_token")
        self.assertEqual(answer.status_code, 200)
        with self.assertRaises(OAuthError) as caught:
            session.refresh_token(self.server["token_endpoint"], refresh_token=last)
        self.assertEqual(caught.exception.error, "invalid_grant")

    def test_confidential(self):
        for method in "client_secret_basic", "client_secret_post":
            with self.subTest(method):
                session = self.session(add_client("--token-endpoint-auth-method=" + method))
                self.go_through(session)
                seen = session.introspect_token(self.server["introspection_endpoint"], session.token["access_token"]).json()
                self.assertIs(seen["active"], True)
                self.end(session)
                seen = session.introspect_token(self.server["introspection_endpoint"], session.token["access_token"]).json()
                self.assertEqual(seen, {"active": False})

    def test_public(self):
        session = self.session(add_client("--token-endpoint-auth-method=none", "--application-type=native"))
        self.go_through(session)
        self.end(session)

    def test_a_session_refreshes_by_itself(self):
        kept = []
        session = self.session(add_client(), update_token=lambda token, **_: kept.append(token))
        self.log_in(session)
        session.token = {**session.token, "expires_at": int(time.time()) - 1}
        self.assertEqual(session.get(self.server["userinfo_endpoint"]).status_code, 200)
        self.assertEqual([token["access_token"] for token in kept], [session.token["access_token"]])

    def test_private_key_jwt(self):
        key = new_key()
        client = add_client(
            "--token-endpoint-auth-method=private_key_jwt", "--jwks=" + json.dumps({"keys": [key.as_dict(is_private=False)]}))
        session = self.session(client, secret=key)
        session.register_client_auth_method(ShortAssertion(ISSUER, alg="ES256"))
        self.go_through(session)
        self.end(session)

    def test_private_key_jwt_as_the_library_makes_it(self):
        """Row O: the audience is the token endpoint, or what it is made with, and the assertion lives an hour."""
        for method in (PrivateKeyJWT(self.server["token_endpoint"], alg="ES256"), PrivateKeyJWT(alg="ES256"), PrivateKeyJWT(ISSUER, alg="ES256")):
            key = new_key()
            client = add_client(
                "--token-endpoint-auth-method=private_key_jwt", "--jwks=" + json.dumps({"keys": [key.as_dict(is_private=False)]}))
            session = self.session(client, secret=key)
            session.register_client_auth_method(method)
            self.go_through(session)
            self.end(session)


def new_key():
    """A key whose coordinates have 32 octets, as RFC 7518 §6.2.1.2 wants them: Authlib 1.2 leaves leading zeros out."""
    while True:
        key = JsonWebKey.generate_key("EC", "P-256", {"kid": "one"}, is_private=True)
        public = key.as_dict(is_private=False)
        if len(public["x"]) == len(public["y"]) == 43:
            return key


class ShortAssertion(PrivateKeyJWT):
    """The audience of Authlib's assertions is what it is made with: the issuer (draft-ietf-oauth-rfc7523bis), not the token
    endpoint. They live an hour; Latchkey takes one for five minutes."""

    def sign(self, auth, token_endpoint):
        self.claims = {"exp": int(time.time()) + 60}
        return super().sign(auth, token_endpoint)


if __name__ == "__main__":
    unittest.main()
