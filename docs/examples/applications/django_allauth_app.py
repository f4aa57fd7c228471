"""django-allauth 65, with Django in one file: pip install 'django-allauth[socialaccount]'"""

import os

from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    SECRET_KEY="COOKIE_SECRET",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "app.db", "OPTIONS": {"timeout": 60}}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.openid_connect",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "allauth.account.middleware.AccountMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
    SOCIALACCOUNT_PROVIDERS={
        "openid_connect": {
            # Without it the client needs --no-require-pkce: there is no nonce.
            "OAUTH_PKCE_ENABLED": True,
            "APPS": [
                {
                    "provider_id": "latchkey",
                    "name": "Latchkey",
                    "client_id": "CLIENT_ID",
                    "secret": "CLIENT_SECRET",
                    "settings": {"server_url": "https://id.example.com"},
                }
            ],
        }
    },
    LOGIN_REDIRECT_URL="/",
    ACCOUNT_LOGOUT_REDIRECT_URL="/goodbye",
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
    return JsonResponse({"name": request.user.get_full_name(), "email": request.user.email, "username": request.user.get_username()})


urlpatterns = [
    path("", index),
    path("accounts/", include("allauth.urls")),  # oidc/latchkey/login/ begins a login, oidc/latchkey/login/callback/ ends it
]

if __name__ == "__main__":
    execute_from_command_line(["manage", "migrate", "--verbosity", "0"])
    execute_from_command_line(["manage", "runserver", "--noreload", "127.0.0.1:" + os.environ.get("PORT", "8000")])
