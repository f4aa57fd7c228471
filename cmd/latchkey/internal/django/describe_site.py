# Describes this site to Latchkey as one JSON object without secrets: latchkey django inspect | python manage.py shell > site.json
def describe_site():
    import datetime
    import json

    import django
    import rest_framework_simplejwt
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.urls import get_resolver
    from django.utils.module_loading import import_string

    def plain(value):
        if isinstance(value, datetime.timedelta):
            return value.total_seconds()
        if isinstance(value, (list, tuple, set)):
            return [plain(one) for one in value]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        return str(value)

    def name(cls):
        return cls.__module__ + "." + cls.__qualname__

    def serializer(view):
        cls = getattr(view, "serializer_class", None)
        if cls is None and getattr(view, "_serializer_class", ""):
            cls = import_string(view._serializer_class)
        return name(cls) if cls else ""

    def routes(patterns, prefix):
        for p in patterns:
            path = prefix + str(p.pattern).lstrip("^").rstrip("$").replace("/?", "/")
            if hasattr(p, "url_patterns"):
                yield from routes(p.url_patterns, path)
                continue
            view = getattr(p.callback, "view_class", None) or getattr(p.callback, "cls", None)
            bases = [name(cls) for cls in getattr(view, "__mro__", ())]
            if any(b.startswith(("rest_framework_simplejwt.views.", "dj_rest_auth.")) for b in bases):
                yield {"path": path, "view": name(view), "bases": bases, "serializer": serializer(view)}

    user = get_user_model()
    key = user._meta.pk
    while key.remote_field:
        key = key.target_field
    groups = {}
    for f in user._meta.many_to_many:
        if f.name == "groups":
            groups = {"table": f.m2m_db_table(), "user": f.m2m_column_name(), "group": f.m2m_reverse_name()}
    hidden = ("SIGNING_KEY", "VERIFYING_KEY")
    setting = lambda *names: next((getattr(settings, n) for n in names if hasattr(settings, n)), None)
    rest_auth = setting("REST_AUTH") or {}
    cookie_settings = ("JWT_AUTH_COOKIE", "JWT_AUTH_REFRESH_COOKIE", "JWT_AUTH_REFRESH_COOKIE_PATH", "JWT_AUTH_COOKIE_DOMAIN")
    cookies = {n: plain(rest_auth[n]) for n in cookie_settings if rest_auth.get(n)}
    cookies.update({n: plain(getattr(settings, n)) for n in cookie_settings if getattr(settings, n, None)})
    print(json.dumps({
        "latchkey_inspect": 1,
        "django": django.__version__,
        "simplejwt": str(rest_framework_simplejwt.__version__),
        "simple_jwt": {k: plain(v) for k, v in getattr(settings, "SIMPLE_JWT", {}).items() if k not in hidden},
        "user": {
            "model": name(user), "table": user._meta.db_table, "username_field": user.USERNAME_FIELD,
            "key": {"name": user._meta.pk.name, "column": user._meta.pk.column, "type": key.get_internal_type()},
            "columns": {f.name: f.column for f in user._meta.concrete_fields},
            "groups": groups,
        },
        "backends": plain(settings.AUTHENTICATION_BACKENDS),
        "hashers": plain(settings.PASSWORD_HASHERS),
        "routes": list(routes(get_resolver().url_patterns, "/")),
        "cors": {
            "all": bool(setting("CORS_ALLOW_ALL_ORIGINS", "CORS_ORIGIN_ALLOW_ALL")),
            "origins": plain(setting("CORS_ALLOWED_ORIGINS", "CORS_ORIGIN_WHITELIST") or []),
            "patterns": len(setting("CORS_ALLOWED_ORIGIN_REGEXES", "CORS_ORIGIN_REGEX_WHITELIST") or []),
            "credentials": bool(setting("CORS_ALLOW_CREDENTIALS")),
        },
        "cookies": cookies,
    }))


describe_site()
