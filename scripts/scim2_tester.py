"""Runs every check of scim2-tester with an access token as Entra ID gets it: client_credentials, without scope and resource.

Arguments: the issuer's address, the address of SCIM, the secret of the client "directory".
"""

import sys

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

issuer, base, secret = sys.argv[1:]
answer = httpx2.post(f"{issuer}/oauth2/token", data={"grant_type": "client_credentials"}, auth=("directory", secret))
token = answer.raise_for_status().json()["access_token"]

# A random text is no language and no time zone: these are refused, as they should be.
REFUSED = ("locale", "timezone")

failed = 0
with httpx2.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
    scim = SyncSCIMClient(http)
    scim.discover()
    results = check_server(scim)
for result in results:
    if result.status in (Status.SUCCESS, Status.SKIPPED, Status.ACCEPTABLE):
        continue
    if any(f"'{name}'" in (result.reason or "") or f":{name}'" in (result.reason or "") for name in REFUSED):
        continue
    failed += 1
    print(f"{result.status.name} {result.title}: {result.reason}\n  {result.data}")
print(f"{len(results)} checks, {failed} failed")
sys.exit(failed > 0)
