"""mozilla-django-oidc 5.0, with Django in one file: pip install mozilla-django-oidc"""

import os

from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    SECRET_KEY="COOKIE_SECRET",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "app.db", "OPTIONS": {"timeout": 60}}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "mozilla_django_oidc"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        # Asks again, with prompt=none, when OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS have passed.
        "mozilla_django_oidc.middleware.SessionRefresh",
    ],
    AUTHENTICATION_BACKENDS=["mozilla_django_oidc.auth.OIDCAuthenticationBackend"],
    OIDC_RP_CLIENT_ID="CLIENT_ID",
    OIDC_RP_CLIENT_SECRET="CLIENT_SECRET",
    OIDC_RP_SIGN_ALGO="RS256",
    OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS=15 * 60,
    OIDC_OP_AUTHORIZATION_ENDPOINT="https://id.example.com/oauth2/authorize",
    OIDC_OP_TOKEN_ENDPOINT="https://id.example.com/oauth2/token",
    OIDC_OP_USER_ENDPOINT="https://id.example.com/oauth2/userinfo",
    OIDC_OP_JWKS_ENDPOINT="https://id.example.com/oauth2/jwks",
    LOGIN_REDIRECT_URL="/",
    LOGOUT_REDIRECT_URL="/goodbye",
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["console"]},
    },
)

import django

django.setup()

from django.http import HttpResponse, JsonResponse
from django.urls import include, path


def index(request):
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    return JsonResponse({"email": request.user.email})


urlpatterns = [
    path("", index),
    path("oidc/", include("mozilla_django_oidc.urls")),  # authenticate/ begins a login, callback/ ends it, logout/
]

if __name__ == "__main__":
    execute_from_command_line(["manage", "migrate", "--verbosity", "0"])
    execute_from_command_line(["manage", "runserver", "--noreload", "127.0.0.1:" + os.environ.get("PORT", "8000")])
