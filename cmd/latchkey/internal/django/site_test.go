package django

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"latchkey/latchkeytest/debian"
)

const (
	stockURLs = `
from django.urls import path
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView
urlpatterns = [path("api/token/", TokenObtainPairView.as_view()), path("api/token/refresh/", TokenRefreshView.as_view())]
`
	slidingURLs = `
from django.urls import path
from rest_framework_simplejwt.views import TokenObtainSlidingView, TokenRefreshSlidingView
urlpatterns = [path("api/token/sliding/", TokenObtainSlidingView.as_view()), path("api/token/sliding/refresh/", TokenRefreshSlidingView.as_view())]
`
	ownURLs = `
from django.urls import include, path
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView
class WithTenant(TokenObtainPairSerializer): pass
urlpatterns = [path("auth/", include([path("login/", TokenObtainPairView.as_view(serializer_class=WithTenant)), path("refresh/", TokenRefreshView.as_view())]))]
`
	ownModel = `
import uuid
from django.contrib.auth.models import AbstractBaseUser
from django.db import models
class Person(AbstractBaseUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    email = models.EmailField(unique=True)
    USERNAME_FIELD = "email"
    class Meta: app_label = "people"
`
)

// inspect runs the script in a site with these files, as `manage.py shell` does.
func inspect(t *testing.T, settings, urls string) *Translation {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"settings.py": "SECRET_KEY = 'canary'\nROOT_URLCONF = 'urls'\nINSTALLED_APPS = ['django.contrib.auth', 'django.contrib.contenttypes']\n" + settings,
		"urls.py":     urls, "people/__init__.py": "", "people/models.py": ownModel,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/usr/bin/python3", "-m", "django", "shell")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(Script())
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "PYTHONNOUSERSITE=1", "PYTHONPATH=" + dir, "DJANGO_SETTINGS_MODULE=settings"}
	out, err := cmd.Output()
	if err != nil || strings.Contains(string(out), "canary") {
		t.Fatalf("%v: %s", err, out)
	}
	document, err := Read(strings.NewReader("a line of the site's own\n"+string(out)), "site.json")
	if err != nil {
		t.Fatal(err)
	}
	translation, err := TranslateSite(document)
	if err != nil {
		t.Fatal(err)
	}
	return translation
}

func TestInspectedSites(t *testing.T) {
	t.Parallel()
	look := func() error {
		return exec.Command("/usr/bin/python3", "-c", "import django, rest_framework_simplejwt").Run()
	}
	if os.Getenv("LATCHKEY_TEST_DJANGO") != "" {
		debian.Need(t, look, "python3-djangorestframework-simplejwt")
	}
	if look() != nil {
		t.Skip("no Django: LATCHKEY_TEST_DJANGO=require installs it")
	}
	good := inspect(t, "CORS_ALLOWED_ORIGINS = ['https://app.example']\nCORS_ALLOW_CREDENTIALS = True\n", stockURLs)
	if b := good.Blocking(); len(b) > 0 {
		t.Errorf("the stock site is blocked by %v", b)
	}
	for _, line := range []string{`cors-origins: "https://app.example"`, `cors-credentials: "on"`} {
		if !strings.Contains(good.File(), line) {
			t.Errorf("%s is not in %s", line, good.File())
		}
	}
	if also := good.Also(); len(also) != 1 {
		t.Errorf("the release is known, and yet: %q", also)
	}
	if strings.Contains(good.File(), "simplejwt-sliding") {
		t.Errorf("sliding tokens of a site that has none: %s", good.File())
	}
	sliding := inspect(t, "from datetime import timedelta\nSIMPLE_JWT = {'SLIDING_TOKEN_LIFETIME': timedelta(minutes=10)}\n", slidingURLs)
	if b := sliding.Blocking(); len(b) > 0 {
		t.Errorf("the site with sliding tokens is blocked by %v", b)
	}
	for _, line := range []string{"simplejwt-sliding: on", "simplejwt-sliding-token-lifetime: 10m"} {
		if !strings.Contains(sliding.File(), line) {
			t.Errorf("%s is not in %s", line, sliding.File())
		}
	}
	uuid := inspect(t, "INSTALLED_APPS += ['people']\nAUTH_USER_MODEL = 'people.Person'\n", stockURLs)
	if b := uuid.Blocking(); len(b) > 0 {
		t.Errorf("the site with UUIDs and logins by e-mail is blocked by %v", b)
	}
	for _, line := range []string{`simplejwt-user-id-type: "string"`, `simplejwt-username-field: "email"`} {
		if !strings.Contains(uuid.File(), line) {
			t.Errorf("%s is not in %s", line, uuid.File())
		}
	}
	own := inspect(t, "AUTHENTICATION_BACKENDS = ['people.Backend']\nPASSWORD_HASHERS = ['people.Hasher']\nCORS_ALLOW_ALL_ORIGINS = True\n"+
		"REST_AUTH = {'JWT_AUTH_COOKIE': 'access', 'JWT_AUTH_REFRESH_COOKIE': 'my-refresh', 'JWT_AUTH_REFRESH_COOKIE_PATH': '/auth'}\n", ownURLs)
	blocking := own.Blocking()
	slices.Sort(blocking)
	want := []string{"/auth/login/", "/auth/refresh/", "AUTHENTICATION_BACKENDS", "CORS_ALLOW_ALL_ORIGINS", "JWT_AUTH_COOKIE", "PASSWORD_HASHERS"}
	if !slices.Equal(blocking, want) {
		t.Errorf("blocked by %v, want %v", blocking, want)
	}
	for _, line := range []string{`simplejwt-refresh-cookie-legacy: "my-refresh;Path=/auth"`, `simplejwt-refresh-cookie: "refresh"`} {
		if !strings.Contains(own.File(), line) {
			t.Errorf("%s is not in %s", line, own.File())
		}
	}
	for _, f := range own.Findings {
		if f.Blocks && f.Remedy == "" {
			t.Errorf("%s says nothing to do", f.Key)
		}
	}
}
