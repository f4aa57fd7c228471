package django

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Script returns the script for `manage.py shell` that describes a site. It prints no secret.
func Script() string { return script }

//go:embed describe_site.py
var script string

// site is what Script prints.
type site struct {
	SimpleJWT string `json:"simplejwt"`
	User      struct {
		UsernameField string `json:"username_field"`
		Table         string `json:"table"`
		Key           struct {
			Name   string `json:"name"`
			Column string `json:"column"`
			Type   string `json:"type"`
		} `json:"key"`
		Columns map[string]string `json:"columns"`
		Groups  struct {
			Table string `json:"table"`
			User  string `json:"user"`
			Group string `json:"group"`
		} `json:"groups"`
	} `json:"user"`
	Backends []string `json:"backends"`
	Hashers  []string `json:"hashers"`
	Routes   []struct {
		Path       string   `json:"path"`
		View       string   `json:"view"`
		Bases      []string `json:"bases"`
		Serializer string   `json:"serializer"`
	} `json:"routes"`
	CORS struct {
		All         bool     `json:"all"`
		Origins     []string `json:"origins"`
		Patterns    int      `json:"patterns"`
		Credentials bool     `json:"credentials"`
	} `json:"cors"`
	Cookies map[string]any `json:"cookies"`
}

// TranslateSite judges what Script printed. Everything that differs from the stock views blocks: without a blocking finding the site
// can move as it is.
func TranslateSite(document map[string]any) (*Translation, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("read the description of the site: %w", err)
	}
	var s site
	if err := json.Unmarshal(text, &s); err != nil || s.User.Key.Type == "" {
		return nil, fmt.Errorf("the description of the site is not whole: print it again with the script of `latchkey django inspect`")
	}
	settings, _ := document["simple_jwt"].(map[string]any)
	t := translate(settings, &Translation{routedSliding: s.routesSliding(), knownRelease: s.SimpleJWT != ""})
	for _, judge := range []func(*Translation, *site){judgeRelease, judgeUser, judgeBackends, judgeHashers, judgeRoutes, judgeCORS, judgeCookies} {
		judge(t, &s)
	}
	return t, nil
}

func (t *Translation) found(key string, verdict Verdict, finding, remedy string) {
	t.Findings = append(t.Findings, Finding{key, verdict, finding, remedy, false})
}

// set adds an option that no key of SIMPLE_JWT has.
func (t *Translation) set(key, name, text string) {
	t.given[key] = true
	if t.put(key, line{name: name, text: text, quoted: true}) {
		t.found(key, TakenOver, name+": "+text, "")
	}
}

func judgeRelease(t *Translation, s *site) {
	var major, minor int
	if _, err := fmt.Sscanf(s.SimpleJWT, "%d.%d", &major, &minor); err != nil {
		t.block("simplejwt", "Its release is not known", "Set simplejwt-compat to 5.2, or to 5.5 for 5.5 and later, by hand.")
	} else if major > 5 || major == 5 && minor >= 5 {
		t.set("simplejwt", "simplejwt-compat", "5.5")
	}
	if s.SimpleJWT == "5.5.0" && integerKey(s) { // the last one that left an integer key a number
		t.set("simplejwt", "simplejwt-user-id-type", "integer")
	}
}

func integerKey(s *site) bool {
	return strings.HasSuffix(s.User.Key.Type, "AutoField") || strings.HasSuffix(s.User.Key.Type, "IntegerField")
}

func judgeUser(t *Translation, s *site) {
	const key = "user key"
	switch {
	case integerKey(s):
		t.found(key, TakenOver, s.User.Key.Name+" is a number, which tokens carry", "")
	case slices.Contains([]string{"UUIDField", "CharField", "SlugField", "TextField"}, s.User.Key.Type):
		t.set(key, "simplejwt-user-id-type", "string")
	default:
		t.block(key, s.User.Key.Name+" is a "+s.User.Key.Type+", which tokens can't carry", "Use an integer, a UUID or a text as the key.")
	}
	if s.User.UsernameField != "username" {
		t.set("USERNAME_FIELD", "simplejwt-username-field", s.User.UsernameField)
	}
}

func judgeBackends(t *Translation, s *site) {
	for _, name := range s.Backends {
		if name != "django.contrib.auth.backends.ModelBackend" {
			t.block("AUTHENTICATION_BACKENDS", name+" is not run at a login",
				"Logins by e-mail address or without regard to case are login-names and login-case; then leave the backend out of the list and inspect again.")
		}
	}
}

func judgeHashers(t *Translation, s *site) {
	for _, name := range s.Hashers {
		if !strings.HasPrefix(name, "django.contrib.auth.hashers.") {
			t.block("PASSWORD_HASHERS", name+" is the site's own, so hashes that it made can't be verified here",
				"Let these users log in once with one of Django's hashers first in the list, and remove it; others need a new password.")
		}
	}
}

// stock are the package's views with the routes here.
var stock = map[string]string{
	"TokenObtainPairView": "/api/token/", "TokenRefreshView": "/api/token/refresh/", "TokenVerifyView": "/api/token/verify/",
	"TokenBlacklistView": "/api/token/blacklist/", "TokenObtainSlidingView": "/api/token/sliding/", "TokenRefreshSlidingView": "/api/token/sliding/refresh/",
}

const packageViews = "rest_framework_simplejwt.views."

// routesSliding reports whether a view of the package that issues sliding tokens is where it is here.
func (s *site) routesSliding() bool {
	for _, r := range s.Routes {
		view, of := strings.CutPrefix(r.View, packageViews)
		if of && strings.Contains(view, "Sliding") && r.Path == stock[view] {
			return true
		}
	}
	return false
}

func judgeRoutes(t *Translation, s *site) {
	const serializers = "rest_framework_simplejwt.serializers."
	if len(s.Routes) == 0 {
		t.block("routes", "No view of simplejwt is routed", "Run the script in the project that serves the tokens.")
	}
	for _, r := range s.Routes {
		path, isStock := stock[strings.TrimPrefix(r.View, packageViews)]
		switch {
		case slices.ContainsFunc(r.Bases, func(name string) bool { return strings.HasPrefix(name, "dj_rest_auth.") }):
			t.block(r.Path, r.View+" is dj-rest-auth's, whose answers and cookies differ", "Move its clients to /api/token/ first, or keep this route in Django.")
		case !isStock || !strings.HasPrefix(r.View, packageViews):
			t.block(r.Path, r.View+" is the site's own view, which is not run", "Check what it adds to the package's, then route the package's view, or keep this route in Django.")
		case !strings.HasPrefix(r.Serializer, serializers):
			t.block(r.Path, r.Serializer+" is the site's own serializer, which is not run",
				"Claims of the user are simplejwt-claims. Serve what else it adds from an API, then set the package's serializer.")
		case r.Path != path:
			t.block(r.Path, "The route here is "+path, "Let the proxy in front rewrite "+r.Path+" to "+path+", and route "+path+" in Django as well so that this finding ends.")
		default:
			t.found(r.Path, TakenOver, "It is the package's view with its serializer", "")
		}
	}
}

func judgeCORS(t *Translation, s *site) {
	switch {
	case s.CORS.All:
		t.block("CORS_ALLOW_ALL_ORIGINS", "Every origin may call the routes; here origins are named", "List the applications' origins in CORS_ALLOWED_ORIGINS, and inspect again.")
	case s.CORS.Patterns > 0:
		t.block("CORS_ALLOWED_ORIGIN_REGEXES", "Origins are patterns; here origins are named", "List the applications' origins in CORS_ALLOWED_ORIGINS, and inspect again.")
	}
	if len(s.CORS.Origins) > 0 {
		t.set("CORS_ALLOWED_ORIGINS", "cors-origins", strings.Join(s.CORS.Origins, "\n"))
	}
	if s.CORS.Credentials {
		t.set("CORS_ALLOW_CREDENTIALS", "cors-credentials", "on")
	}
}

func judgeCookies(t *Translation, s *site) {
	for _, key := range slices.Sorted(maps.Keys(s.Cookies)) {
		value, _ := s.Cookies[key].(string)
		switch key {
		case "JWT_AUTH_REFRESH_COOKIE":
			cookie := value
			for setting, attribute := range map[string]string{"JWT_AUTH_REFRESH_COOKIE_PATH": "Path", "JWT_AUTH_COOKIE_DOMAIN": "Domain"} {
				if v, _ := s.Cookies[setting].(string); v != "" && v != "/" {
					cookie += ";" + attribute + "=" + v
				}
			}
			t.set(key, "simplejwt-refresh-cookie-legacy", cookie)
			t.set(key, "simplejwt-refresh-cookie", "refresh")
		case "JWT_AUTH_REFRESH_COOKIE_PATH", "JWT_AUTH_COOKIE_DOMAIN":
		default:
			t.block(key, "The site keeps access tokens in a cookie of its own, which is not written here",
				"Let the clients send access tokens in the Authorization header; then leave the setting out.")
		}
	}
}
