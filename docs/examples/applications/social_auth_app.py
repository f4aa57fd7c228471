"""social-auth-app-django 5.0 or 8.0, with Django in one file.

Debian: python3-social-django python3-jose.
"""

import os
from urllib.parse import urlencode

from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    SECRET_KEY="COOKIE_SECRET",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "app.db", "OPTIONS": {"timeout": 60}}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "social_django"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    AUTHENTICATION_BACKENDS=["social_core.backends.open_id_connect.OpenIdConnectAuth"],
    SOCIAL_AUTH_OIDC_OIDC_ENDPOINT="https://id.example.com",
    SOCIAL_AUTH_OIDC_KEY="CLIENT_ID",
    SOCIAL_AUTH_OIDC_SECRET="CLIENT_SECRET",
    # Without it the backend does not know when an access token expires.
    SOCIAL_AUTH_OIDC_EXTRA_DATA=[("expires_in", "expires")],
    LOGIN_REDIRECT_URL="/",
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["console"]},
    },
)

import django

django.setup()

import requests
from django.contrib.auth import logout as forget
from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.urls import include, path
from django.utils.html import format_html
from social_django.utils import load_strategy


def index(request):
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    # Refreshes the access token if it has expired.
    token = request.user.social_auth.get().get_access_token(load_strategy(request))
    answer = requests.get("https://id.example.com/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    answer.raise_for_status()
    return JsonResponse({**answer.json(), "django": request.user.get_username()})


def login(request):
    # Version 8 wants a form; before, a link would do.
    token = format_html('<input type="hidden" name="csrfmiddlewaretoken" value="{}">', get_token(request))
    return HttpResponse(f'<form method="post" action="/login/oidc/">{token}<button>Sign in</button></form>')


def logout(request):
    hint = request.user.social_auth.get().extra_data["id_token"] if request.user.is_authenticated else ""
    forget(request)
    back = {"id_token_hint": hint, "post_logout_redirect_uri": "https://app.example.com/goodbye"}
    return redirect("https://id.example.com/oauth2/logout?" + urlencode(back))


urlpatterns = [
    path("", index),
    path("login", login),
    path("logout", logout),
    path("", include("social_django.urls")),  # /login/oidc/ begins a login, /complete/oidc/ ends it
]

if __name__ == "__main__":
    execute_from_command_line(["manage", "migrate", "--verbosity", "0"])
    execute_from_command_line(["manage", "runserver", "--noreload", "127.0.0.1:" + os.environ.get("PORT", "8000")])
