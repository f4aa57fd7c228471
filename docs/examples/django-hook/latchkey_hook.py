"""Answers Latchkey's hook at each login with what the site's own serializer adds: claims of the tokens, and fields of the answer.

    urlpatterns += [path("latchkey/login/", latchkey_hook.login)]
    LATCHKEY_HOOK_KEY = os.environ["LATCHKEY_HOOK_KEY"]         # that of --django-hook-key
    SIMPLE_JWT = {"TOKEN_OBTAIN_SERIALIZER": "site.serializers.TokenObtainPairSerializer", ...}
"""
import hashlib
import hmac
import json
import time

from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpResponseForbidden, HttpResponseNotFound, JsonResponse
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from rest_framework_simplejwt.serializers import TokenObtainSerializer
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import RefreshToken

TOKENS = {"access", "refresh"}
OWN = {"token_type", "exp", "iat", "nbf", "jti", "iss", "aud", "hash_password", api_settings.USER_ID_CLAIM}


class Known(TokenObtainSerializer):
    """Stands where the package checks the password, which Latchkey has done."""

    def validate(self, attrs):
        self.user = self.context["user"]
        return {}


def signed(request):
    at, _, given = request.headers.get("Latchkey-Signature", "")[2:].partition(",v1=")
    text = at.encode() + b"." + request.body
    right = hmac.new(settings.LATCHKEY_HOOK_KEY.encode(), text, hashlib.sha256).hexdigest()
    return hmac.compare_digest(right, given) and abs(time.time() - int(at)) < 300


@csrf_exempt
@require_POST
def login(request):
    if not signed(request):
        return HttpResponseForbidden()
    user = get_user_model().objects.filter(pk=json.loads(request.body)["user"], is_active=True).first()
    if user is None:
        return HttpResponseNotFound()
    serializer = type("Hook", (import_string(settings.SIMPLE_JWT["TOKEN_OBTAIN_SERIALIZER"]), Known), {})
    data = serializer(context={"request": request, "user": user}).validate({})
    claims = {k: v for k, v in RefreshToken(data["refresh"]).payload.items() if k not in OWN}
    answer = {k: v for k, v in data.items() if k not in TOKENS}
    return JsonResponse({"claims": claims, "answer": answer})
