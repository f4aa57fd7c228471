"""A whole project in one file, to try the guard:

    latchkey resource add http://localhost:9000/mcp --name Tools --scope tools:read
    LATCHKEY_ISSUER=http://localhost:8000 RESOURCE=http://localhost:9000/mcp python3 project.py runserver 9000 --noreload

Debian: python3-djangorestframework python3-jwt python3-cryptography.
"""

import os
import sys

from django.conf import settings

settings.configure(
    SECRET_KEY=os.urandom(32).hex(),
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["rest_framework"],
    LATCHKEY_ISSUER=os.environ.get("LATCHKEY_ISSUER", "http://localhost:8000"),
    LATCHKEY_RESOURCE=os.environ.get("RESOURCE", "http://localhost:9000/mcp"),
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["guard.LatchkeyAuthentication"],
        "UNAUTHENTICATED_USER": None,  # there is no table of users
    },
)

import django  # noqa: E402

django.setup()

from django.urls import path  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from guard import HasScope  # noqa: E402


class MCP(APIView):
    permission_classes = [HasScope]
    required_scope = "tools:read"

    def post(self, request):
        return Response({"hello": request.user.id, "client": request.user.client_id})


urlpatterns = [path("mcp", MCP.as_view())]

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
