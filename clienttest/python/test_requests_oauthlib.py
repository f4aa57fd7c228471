import time
import unittest

import requests
from oauthlib.oauth2 import InvalidGrantError, WebApplicationClient
from requests_oauthlib import OAuth2Session

from driver import CALLBACK, ISSUER, Browser, add_client

SCOPE = ["openid", "profile", "email", "offline_access"]


class RequestsOAuthlib(unittest.TestCase):
    def setUp(self):
        self.server = requests.get(ISSUER + "/.well-known/openid-configuration").json()

    def log_in(self, client):
        """The code flow; the library leaves PKCE to its caller, and oauthlib has what it takes."""
        pkce = WebApplicationClient(client["client_id"])
        verifier = pkce.create_code_verifier(64)
        session = OAuth2Session(client["client_id"], redirect_uri=CALLBACK, scope=SCOPE)
        address, _ = session.authorization_url(
            self.server["authorization_endpoint"],
            code_challenge=pkce.create_code_challenge(verifier, "S256"), code_challenge_method="S256")
        answer = Browser().visit(address, CALLBACK)
        # state is checked by the session; a scope that differs from the one asked for would raise a Warning.
        session.fetch_token(
            self.server["token_endpoint"], authorization_response=answer, code_verifier=verifier,
            client_secret=client.get("client_secret"), include_client_id=True)
        return session

    def check(self, client):
        session = self.log_in(client)
        info = session.get(self.server["userinfo_endpoint"]).json()
        self.assertEqual((info["preferred_username"], info["email"]), ("demo", "demo@example.com"))
        for _ in range(3):
            before = session.token
            session.refresh_token(self.server["token_endpoint"], **self.credentials(client))
            self.assertNotEqual(session.token["access_token"], before["access_token"])
            self.assertNotEqual(session.token["refresh_token"], before["refresh_token"])
        return session

    def credentials(self, client):
        secret = client.get("client_secret")
        return {"client_id": client["client_id"], **({"client_secret": secret} if secret else {})}

    def end(self, session, client):
        """RFC 7009, whose request oauthlib prepares."""
        address, headers, body = session._client.prepare_token_revocation_request(
            self.server["revocation_endpoint"], session.token["refresh_token"], "refresh_token", **self.credentials(client))
        self.assertEqual(requests.post(address, data=body, headers=headers).status_code, 200)
        with self.assertRaises(InvalidGrantError):
            session.refresh_token(self.server["token_endpoint"], **self.credentials(client))

    def test_confidential(self):
        client = add_client()
        session = self.check(client)
        seen = requests.post(
            self.server["introspection_endpoint"], data={"token": session.token["access_token"]},
            auth=(client["client_id"], client["client_secret"])).json()
        self.assertIs(seen["active"], True)
        self.end(session, client)

    def test_public(self):
        client = add_client("--token-endpoint-auth-method=none", "--application-type=native")
        self.end(self.check(client), client)

    def test_a_session_refreshes_by_itself(self):
        client, kept = add_client(), []
        session = OAuth2Session(
            client["client_id"], token={**self.log_in(client).token, "expires_at": time.time() - 1},
            auto_refresh_url=self.server["token_endpoint"], auto_refresh_kwargs=self.credentials(client), token_updater=kept.append)
        self.assertEqual(session.get(self.server["userinfo_endpoint"]).status_code, 200)
        self.assertEqual(len(kept), 1)


if __name__ == "__main__":
    unittest.main()
