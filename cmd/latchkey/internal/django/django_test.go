package django

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/cmd/latchkey/internal/config"
)

func TestDjangoDurations(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		text string
		want time.Duration
	}{
		// seconds
		{"900", 15 * time.Minute},
		{"900.0", 15 * time.Minute},
		{"6.048e5", 7 * day},
		{"0", 0},
		{"0.000001", time.Microsecond},
		{"-5", -5 * time.Second},
		// ISO 8601, Django's own form of it too
		{"P7D", 7 * day},
		{"PT15M", 15 * time.Minute},
		{"P1DT2H3M4.5S", day + 2*time.Hour + 3*time.Minute + 4500*time.Millisecond},
		{"P7DT00H15M00S", 7*day + 15*time.Minute},
		{"P2W", 14 * day},
		{"-P1D", -day},
		// str(timedelta)
		{"0:15:00", 15 * time.Minute},
		{"1 day, 0:00:00", day},
		{"7 days, 0:00:00", 7 * day},
		{"7 days, 1:02:03.000004", 7*day + time.Hour + 2*time.Minute + 3*time.Second + 4*time.Microsecond},
		{"-1 day, 23:55:00", -5 * time.Minute},
		{"36500 days, 0:00:00", 36500 * day},
		// Django REST framework
		{"7 00:00:00", 7 * day},
		{"00:15:00", 15 * time.Minute},
		{"1 00:00:00.500000", day + 500*time.Millisecond},
		{"7 days", 7 * day},
	} {
		if got, err := parseDuration(c.text); err != nil || got != c.want {
			t.Errorf("%q: %v, %v, want %v", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{
		"", " ", "15m", "7d", "P", "PT", "P1DT", "P1M", "P1Y", "PT.S", "P1.2.3D", "15:00", "0:60:00", "0:00:60", "7 days,0:00:00", "day", "0x10", "inf",
		"nan", "1e", "--5", "900 ", "٩٠٠", "1 day, 0:00:00\n", "timedelta(days=7)",
	} {
		if got, err := parseDuration(text); !errors.Is(err, errNotDuration) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"36501 days, 0:00:00", "P36501D", "1e300", "1e999", "-1e999", strings.Repeat("9", 400), "999999999999999:00:00", "36500 1:00:00"} {
		if got, err := parseDuration(text); !errors.Is(err, errLongDuration) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// pythonDuration writes a timedelta as Python's str does.
func pythonDuration(d time.Duration) string {
	days := int64(math.Floor(float64(d) / float64(24*time.Hour)))
	rest := d - time.Duration(days)*24*time.Hour
	text := ""
	switch days {
	case 0:
	case 1, -1:
		text = fmt.Sprintf("%d day, ", days)
	default:
		text = fmt.Sprintf("%d days, ", days)
	}
	text += fmt.Sprintf("%d:%02d:%02d", int(rest.Hours()), int(rest.Minutes())%60, int(rest.Seconds())%60)
	if part := rest % time.Second / time.Microsecond; part != 0 {
		text += fmt.Sprintf(".%06d", part)
	}
	return text
}

// Whatever is read is within bounds, exact in every other form, and a duration to Latchkey.
func FuzzDjangoDuration(f *testing.F) {
	for _, seed := range []string{"900", "P7DT15M", "7 days, 0:00:00", "7 00:00:00", "-1 day, 23:55:00", "1e9", "PT0.000001S", "-P1.5W", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDuration(text)
		if err != nil {
			return
		}
		if d.Abs() > clients.MaxDuration.Std() || d%time.Microsecond != 0 {
			t.Fatalf("%q: %v", text, d)
		}
		for _, same := range []string{
			pythonDuration(d), fmt.Sprintf("%.6f", d.Seconds()), strings.Replace(fmt.Sprintf("PT%.6fS", d.Seconds()), "PT-", "-PT", 1),
		} {
			if again, err := parseDuration(same); err != nil || again != d {
				t.Fatalf("%q is %v; %q is %v, %v", text, d, same, again, err)
			}
		}
		if own, err := clients.ParseDuration(clients.Duration(d).String()); d >= 0 && (err != nil || own.Std() != d) {
			t.Fatalf("%q is %v, which is %v here, %v", text, d, own, err)
		}
	})
}

// translated reads the dictionary as the command does.
func translated(t *testing.T, dictionary string) *Translation {
	t.Helper()
	read, err := Read(strings.NewReader(dictionary), "standard input")
	if err != nil {
		t.Fatal(err)
	}
	return Translate(read)
}

// The keys of simplejwt 5.5.1, as its documentation lists them, and the two that came later.
func TestDjangoKnowsEverySetting(t *testing.T) {
	t.Parallel()
	want := strings.Fields(`ACCESS_TOKEN_LIFETIME REFRESH_TOKEN_LIFETIME ROTATE_REFRESH_TOKENS BLACKLIST_AFTER_ROTATION UPDATE_LAST_LOGIN
		ALGORITHM SIGNING_KEY VERIFYING_KEY AUDIENCE ISSUER JSON_ENCODER JWK_URL LEEWAY AUTH_HEADER_TYPES AUTH_HEADER_NAME USER_ID_FIELD
		USER_ID_CLAIM USER_AUTHENTICATION_RULE ON_LOGIN_SUCCESS ON_LOGIN_FAILED AUTH_TOKEN_CLASSES TOKEN_TYPE_CLAIM JTI_CLAIM TOKEN_USER_CLASS
		SLIDING_TOKEN_REFRESH_EXP_CLAIM SLIDING_TOKEN_LIFETIME SLIDING_TOKEN_REFRESH_LIFETIME TOKEN_OBTAIN_SERIALIZER
		TOKEN_REFRESH_SERIALIZER TOKEN_VERIFY_SERIALIZER TOKEN_BLACKLIST_SERIALIZER SLIDING_TOKEN_OBTAIN_SERIALIZER
		SLIDING_TOKEN_REFRESH_SERIALIZER CHECK_REVOKE_TOKEN REVOKE_TOKEN_CLAIM CHECK_USER_IS_ACTIVE`)
	var got []string
	for _, r := range allRules() {
		got = append(got, r.key)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the rules are for %q", got)
	}
}

// Each key by itself: its verdict, the line that it makes in the file, and whether the result can be used.
func TestDjangoSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dictionary, key string
		verdict         Verdict
		line            string
		blocks          bool
	}{
		{`{"ACCESS_TOKEN_LIFETIME": 900}`, "ACCESS_TOKEN_LIFETIME", TakenOver, "simplejwt-access-token-lifetime: 15m", false},
		{`{"ACCESS_TOKEN_LIFETIME": "900"}`, "ACCESS_TOKEN_LIFETIME", TakenOver, "simplejwt-access-token-lifetime: 15m", false},
		{`{"SIMPLE_JWT": {"ACCESS_TOKEN_LIFETIME": 9e2}}`, "ACCESS_TOKEN_LIFETIME", TakenOver, "simplejwt-access-token-lifetime: 15m", false},
		{`{"ACCESS_TOKEN_LIFETIME": 0}`, "ACCESS_TOKEN_LIFETIME", NeedsDecision, "# ACCESS_TOKEN_LIFETIME can't be used as it is.", true},
		{`{"ACCESS_TOKEN_LIFETIME": "-1 day, 23:55:00"}`, "ACCESS_TOKEN_LIFETIME", NeedsDecision, "", true},
		{`{"ACCESS_TOKEN_LIFETIME": null}`, "ACCESS_TOKEN_LIFETIME", NeedsDecision, "", true},
		{`{"REFRESH_TOKEN_LIFETIME": "7 days, 0:00:00"}`, "REFRESH_TOKEN_LIFETIME", TakenOver, "simplejwt-refresh-token-lifetime: 7d", false},
		{`{"REFRESH_TOKEN_LIFETIME": "P90D"}`, "REFRESH_TOKEN_LIFETIME", TakenOver, "refresh-token-ttl: 90d", false},
		{`{"ROTATE_REFRESH_TOKENS": false}`, "ROTATE_REFRESH_TOKENS", TakenOver, "simplejwt-rotation: off", false},
		{`{"ROTATE_REFRESH_TOKENS": true}`, "ROTATE_REFRESH_TOKENS", TakenOver, "simplejwt-rotation: reissue", false},
		{`{"ROTATE_REFRESH_TOKENS": true, "BLACKLIST_AFTER_ROTATION": true}`, "ROTATE_REFRESH_TOKENS", TakenOver, "simplejwt-rotation: confirmed", false},
		{`{"ROTATE_REFRESH_TOKENS": true, "BLACKLIST_AFTER_ROTATION": true}`, "BLACKLIST_AFTER_ROTATION", NeedsDecision, "simplejwt-rotation: confirmed", false},
		{`{"BLACKLIST_AFTER_ROTATION": true}`, "BLACKLIST_AFTER_ROTATION", NoEffect, "simplejwt-rotation: off", false},
		{`{"ROTATE_REFRESH_TOKENS": "False"}`, "ROTATE_REFRESH_TOKENS", NeedsDecision, "# ROTATE_REFRESH_TOKENS can't be used as it is.", true},
		{`{"ROTATE_REFRESH_TOKENS": 1, "BLACKLIST_AFTER_ROTATION": true}`, "BLACKLIST_AFTER_ROTATION", NeedsDecision, "", true},
		{`{"UPDATE_LAST_LOGIN": true}`, "UPDATE_LAST_LOGIN", TakenOver, "simplejwt-update-last-login: on", false},
		{`{"ALGORITHM": "HS512"}`, "ALGORITHM", TakenOver, "simplejwt-algorithm: HS512", false},
		{`{"ALGORITHM": "RS256"}`, "ALGORITHM", TakenOver, "simplejwt-algorithm: RS256", false},
		{`{"ALGORITHM": "ES512"}`, "ALGORITHM", TakenOver, "simplejwt-algorithm: ES512", false},
		{`{"ALGORITHM": "RS256"}`, "SIGNING_KEY", NeedsDecision, "", false},
		{`{"ALGORITHM": "RS256", "SIGNING_KEY": "secret"}`, "SIGNING_KEY", NeedsDecision, "", true},
		{`{"SIGNING_KEY": "-----BEGIN PRIVATE KEY-----\n"}`, "SIGNING_KEY", NeedsDecision, "", true},
		{`{"ALGORITHM": "none"}`, "ALGORITHM", NeedsDecision, "# ALGORITHM can't be used as it is.", true},
		{`{}`, "SIGNING_KEY", NeedsDecision, "simplejwt-algorithm: HS256", false},
		{`{"SIGNING_KEY": "key"}`, "SIGNING_KEY", NeedsDecision, "", false},
		{`{"SIGNING_KEY": 5}`, "SIGNING_KEY", NeedsDecision, "", true},
		{`{"SIGNING_KEY": "key", "ALGORITHM": "ES256"}`, "SIGNING_KEY", NeedsDecision, "", true},
		{`{"VERIFYING_KEY": ""}`, "VERIFYING_KEY", NoEffect, "", false},
		{`{"VERIFYING_KEY": "key", "ALGORITHM": "ES256"}`, "VERIFYING_KEY", NeedsDecision, "", false},
		{`{"AUDIENCE": null}`, "AUDIENCE", TakenOver, "", false},
		{`{"AUDIENCE": "null"}`, "AUDIENCE", TakenOver, `simplejwt-audience: "null"`, false},
		{`{"AUDIENCE": ["api"]}`, "AUDIENCE", TakenOver, `simplejwt-audience: "api"`, false},
		{`{"AUDIENCE": ["api", "web"]}`, "AUDIENCE", TakenOver, `simplejwt-audience: "api\nweb"`, false},
		{`{"AUDIENCE": []}`, "AUDIENCE", NeedsDecision, "", true},
		{`{"AUDIENCE": ["api", 1]}`, "AUDIENCE", NeedsDecision, "", true},
		{`{"AUDIENCE": "api,web"}`, "AUDIENCE", NeedsDecision, "", true},
		{`{"AUDIENCE": ""}`, "AUDIENCE", NeedsDecision, "", true},
		{`{"ISSUER": "https://a.example"}`, "ISSUER", TakenOver, `simplejwt-issuer: "https://a.example"`, false},
		{`{"ISSUER": {}}`, "ISSUER", NeedsDecision, "", true},
		{`{"JSON_ENCODER": null}`, "JSON_ENCODER", NoEffect, "", false},
		{`{"JSON_ENCODER": "app.Encoder"}`, "JSON_ENCODER", NeedsDecision, "", false},
		{`{"JWK_URL": "https://a.example", "ALGORITHM": "HS256"}`, "JWK_URL", NoEffect, "", false},
		{`{"JWK_URL": "https://a.example", "ALGORITHM": "RS256"}`, "JWK_URL", NeedsDecision, "", false},
		{`{"LEEWAY": 10.0}`, "LEEWAY", TakenOver, "simplejwt-leeway: 10s", false},
		{`{"LEEWAY": null}`, "LEEWAY", TakenOver, "simplejwt-leeway: 0s", false},
		{`{"AUTH_HEADER_TYPES": ["Bearer"]}`, "AUTH_HEADER_TYPES", NoEffect, "", false},
		{`{"AUTH_HEADER_TYPES": "JWT"}`, "AUTH_HEADER_TYPES", NoEffect, "", false},
		{`{"AUTH_HEADER_TYPES": 5}`, "AUTH_HEADER_TYPES", NeedsDecision, "", false},
		{`{"AUTH_HEADER_NAME": "HTTP_X"}`, "AUTH_HEADER_NAME", NoEffect, "", false},
		{`{"USER_ID_FIELD": "pk"}`, "USER_ID_FIELD", TakenOver, "", false},
		{`{"USER_ID_FIELD": "uuid"}`, "USER_ID_FIELD", NeedsDecision, "", true},
		{`{"USER_ID_CLAIM": "uid"}`, "USER_ID_CLAIM", TakenOver, `simplejwt-user-id-claim: "uid"`, false},
		{`{"USER_ID_CLAIM": "exp"}`, "USER_ID_CLAIM", NeedsDecision, "", true},
		{`{"USER_ID_CLAIM": ""}`, "USER_ID_CLAIM", NeedsDecision, "", true},
		{`{"USER_AUTHENTICATION_RULE": "rest_framework_simplejwt.authentication.default_user_authentication_rule"}`, "USER_AUTHENTICATION_RULE", NoEffect, "", false},
		{`{"USER_AUTHENTICATION_RULE": "app.rule"}`, "USER_AUTHENTICATION_RULE", NeedsDecision, "", false},
		{`{"ON_LOGIN_SUCCESS": "app.hook"}`, "ON_LOGIN_SUCCESS", NeedsDecision, "", false},
		{`{"ON_LOGIN_FAILED": "rest_framework_simplejwt.serializers.default_on_login_failed"}`, "ON_LOGIN_FAILED", NoEffect, "", false},
		{`{"AUTH_TOKEN_CLASSES": ["<class 'rest_framework_simplejwt.tokens.AccessToken'>"]}`, "AUTH_TOKEN_CLASSES", NoEffect, "", false},
		{`{"AUTH_TOKEN_CLASSES": ["app.Token"]}`, "AUTH_TOKEN_CLASSES", NeedsDecision, "", false},
		{`{"TOKEN_TYPE_CLAIM": "token_type"}`, "TOKEN_TYPE_CLAIM", TakenOver, "", false},
		{`{"TOKEN_TYPE_CLAIM": "typ"}`, "TOKEN_TYPE_CLAIM", NeedsDecision, "", true},
		{`{"JTI_CLAIM": "id"}`, "JTI_CLAIM", NeedsDecision, "", true},
		{`{"TOKEN_USER_CLASS": "app.User"}`, "TOKEN_USER_CLASS", NoEffect, "", false},
		{`{"SLIDING_TOKEN_LIFETIME": 300}`, "SLIDING_TOKEN_LIFETIME", NoEffect, "", false},
		{`{"AUTH_TOKEN_CLASSES": ["app.SlidingToken"]}`, "AUTH_TOKEN_CLASSES", TakenOver, "simplejwt-sliding: on", false},
		{`{"AUTH_TOKEN_CLASSES": ["app.SlidingToken"], "SLIDING_TOKEN_LIFETIME": 600}`, "SLIDING_TOKEN_LIFETIME", TakenOver, "simplejwt-sliding-token-lifetime: 10m", false},
		{
			`{"AUTH_TOKEN_CLASSES": ["app.SlidingToken"], "SLIDING_TOKEN_REFRESH_LIFETIME": "P40D", "REFRESH_TOKEN_LIFETIME": "P35D"}`,
			"SLIDING_TOKEN_REFRESH_LIFETIME", TakenOver, "refresh-token-ttl: 40d", false,
		},
		{`{"SLIDING_TOKEN_REFRESH_LIFETIME": "P40D"}`, "SLIDING_TOKEN_REFRESH_LIFETIME", NoEffect, "", false},
		{`{"AUTH_TOKEN_CLASSES": ["app.SlidingToken"], "SLIDING_TOKEN_REFRESH_EXP_CLAIM": "x"}`, "SLIDING_TOKEN_REFRESH_EXP_CLAIM", NeedsDecision, "", true},
		{`{"SLIDING_TOKEN_REFRESH_EXP_CLAIM": "x"}`, "SLIDING_TOKEN_REFRESH_EXP_CLAIM", NoEffect, "", false},
		{`{"AUTH_TOKEN_CLASSES": ["app.SlidingToken"], "SLIDING_TOKEN_OBTAIN_SERIALIZER": "x"}`, "SLIDING_TOKEN_OBTAIN_SERIALIZER", NeedsDecision, "", false},
		{`{"SLIDING_TOKEN_REFRESH_SERIALIZER": "x"}`, "SLIDING_TOKEN_REFRESH_SERIALIZER", NoEffect, "", false},
		{`{"TOKEN_OBTAIN_SERIALIZER": "rest_framework_simplejwt.serializers.TokenObtainPairSerializer"}`, "TOKEN_OBTAIN_SERIALIZER", NoEffect, "", false},
		{`{"TOKEN_OBTAIN_SERIALIZER": "app.Serializer"}`, "TOKEN_OBTAIN_SERIALIZER", NeedsDecision, "", false},
		{`{"TOKEN_REFRESH_SERIALIZER": "app.Serializer"}`, "TOKEN_REFRESH_SERIALIZER", NeedsDecision, "", false},
		{`{"CHECK_REVOKE_TOKEN": false}`, "CHECK_REVOKE_TOKEN", NoEffect, "", false},
		{`{"CHECK_REVOKE_TOKEN": true}`, "CHECK_REVOKE_TOKEN", NeedsDecision, "", false},
		{`{"REVOKE_TOKEN_CLAIM": "hash_password"}`, "REVOKE_TOKEN_CLAIM", NoEffect, "", false},
		{`{"CHECK_USER_IS_ACTIVE": true}`, "CHECK_USER_IS_ACTIVE", TakenOver, "", false},
		{`{"CHECK_USER_IS_ACTIVE": false}`, "CHECK_USER_IS_ACTIVE", NeedsDecision, "", false},
		{`{"access_token_lifetime": 5}`, "access_token_lifetime", NeedsDecision, "simplejwt-access-token-lifetime: 5m", false},
	} {
		tr := translated(t, c.dictionary)
		i := slices.IndexFunc(tr.Findings, func(f Finding) bool { return f.Key == c.key })
		if i < 0 {
			t.Errorf("%s: nothing is told of %s", c.dictionary, c.key)
			continue
		}
		f := tr.Findings[i]
		if f.Verdict != c.verdict || (len(tr.Blocking()) > 0) != c.blocks || f.Finding == "" || f.Verdict == NeedsDecision && f.Remedy == "" {
			t.Errorf("%s: %+v, blocking: %v", c.dictionary, f, tr.Blocking())
		}
		if c.line != "" && !strings.Contains(tr.File(), "\n"+c.line+"\n") {
			t.Errorf("%s: no line %q in:\n%s", c.dictionary, c.line, tr.File())
		}
	}
}

// serverOptions returns the names of the options that the file may set.
func serverOptions() (names []string) {
	flags := reflect.TypeOf(config.Flags(config.GroupServer, config.GroupLifetimes, config.GroupSimpleJWT)).Elem()
	for i := range flags.NumField() {
		names = append(names, flags.Field(i).Tag.Get("name"))
	}
	return names
}

// The file is one that --config takes, and says what the dictionary said, whatever text is in it.
func TestDjangoFileIsAConfiguration(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "latchkey.yaml")
	read := func(tr *Translation) *config.Settings {
		t.Helper()
		if err := os.WriteFile(path, []byte(tr.File()), 0o600); err != nil {
			t.Fatal(err)
		}
		s, found := config.Read(serverOptions(), map[string][]string{"config": {path}}, nil)
		if found != nil {
			t.Fatalf("%v:\n%s", found, tr.File())
		}
		return s
	}
	j := read(translated(t, `{"ACCESS_TOKEN_LIFETIME": "PT15M", "REFRESH_TOKEN_LIFETIME": "P60D", "ROTATE_REFRESH_TOKENS": true, "UPDATE_LAST_LOGIN": true,
		"ALGORITHM": "HS384", "LEEWAY": 2.5, "USER_ID_CLAIM": "uid"}`)).Server
	if s := j.SimpleJWT; s.AccessTokenLifetime != 15*time.Minute || s.RefreshTokenLifetime != 60*24*time.Hour || s.Rotation != "reissue" || !s.UpdateLastLogin ||
		s.Algorithm != "HS384" || s.Leeway != 2500*time.Millisecond || s.UserIDClaim != "uid" || j.RefreshTokenTTL != 60*24*time.Hour {
		t.Errorf("%+v", j)
	}
	// What simplejwt does where nothing is set is not what Latchkey does.
	if s := read(translated(t, `{}`)).Server.SimpleJWT; s.Rotation != "off" || s.AccessTokenLifetime != 5*time.Minute || s.RefreshTokenLifetime != 24*time.Hour {
		t.Errorf("%+v", s)
	}
	// Sliding tokens, all of them longer than a session is by default: one refresh-token-ttl.
	if s := read(translated(t, `{"AUTH_TOKEN_CLASSES": ["rest_framework_simplejwt.tokens.SlidingToken"], "SLIDING_TOKEN_REFRESH_LIFETIME": "P60D",
		"REFRESH_TOKEN_LIFETIME": "P60D"}`)).Server; !s.SimpleJWT.Sliding || s.SimpleJWT.SlidingTokenLifetime != 5*time.Minute ||
		s.SimpleJWT.SlidingTokenRefreshLifetime != 60*24*time.Hour || s.RefreshTokenTTL != 60*24*time.Hour {
		t.Errorf("%+v", s)
	}
	// What can't be used leaves a file that can be read all the same.
	read(translated(t, `{"ALGORITHM": "none", "ROTATE_REFRESH_TOKENS": 1, "USER_ID_CLAIM": "jti"}`))
	for _, text := range []string{"null", "~", "on", "5.2", " a ", "a: b # c", "'", `"\`, "é\U0001f511", "a\nb\tc", "\x01\x7f\u0085\u2028", "*x", "- y", "…"} {
		tr := Translate(map[string]any{"AUDIENCE": text, "ISSUER": text})
		audience := []string{text}
		if strings.TrimSpace(text) != text || strings.Contains(text, "\n") {
			audience = nil // can't be said
		}
		if s := read(tr).Server.SimpleJWT; !slices.Equal(s.Audience, audience) || s.Issuer != text {
			t.Errorf("%q became %q and %q", text, s.Audience, s.Issuer)
		}
	}
}
