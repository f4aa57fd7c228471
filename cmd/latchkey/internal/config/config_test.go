package config

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

func TestConfigurationDocumentIsTheTable(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "..", "..", "docs", "configuration.md")
	want := configurationDocument()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the options say. Write it anew with: go test ./cmd/latchkey/internal/config -run Document -update", path)
	}
}

// configurationDocument is docs/configuration.md.
func configurationDocument() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Flags take precedence over environment variables, those over the file of ` + "`--config FILE`" + ` (` + "`LATCHKEY_CONFIG`" + `), and that over the
defaults. The file is YAML; its keys are the flags without dashes (` + "`access-token-ttl: 15m`" + `). Unknown keys, flags and ` + "`LATCHKEY_*`" + `
variables are errors, and all errors are reported at once. The variables that Kubernetes sets for services, such as
` + "`LATCHKEY_PORT=tcp://10.0.0.1:8000`" + `, are ignored with a line in the log. Durations have Go's syntax plus ` + "`d`" + ` for days. Lists are
separated by commas, a repeated flag, or a YAML list. Options marked † have a second form that names a file:
` + "`--secret-file`, `LATCHKEY_SECRET_FILE`" + `.

<!-- Generated from cmd/latchkey/internal/config/table.go: go test ./cmd/latchkey/internal/config -run Document -update -->

| flag | variable | default | meaning |
|---|---|---|---|
`)
	for _, o := range options(&Settings{}) {
		mark := ""
		if o.secret {
			mark = " †"
		}
		preset := o.presetShown()
		switch {
		case preset == "":
			preset = "none"
		case o.presetText == "":
			preset = "`" + preset + "`"
		}
		b.WriteString("| `--" + o.name + "`" + mark + " | `" + o.variable() + "` | " + preset + " | " + strings.ReplaceAll(o.help, "|", `\|`) + " |\n")
	}
	return b.String()
}

// everyOption reads all options, with the given flags and environment.
func everyOption(flags values, environ ...string) (*Settings, Faults) {
	return Read(knownNames(), flags, environ)
}

func TestDefaultsAreGood(t *testing.T) {
	t.Parallel()
	s, found := everyOption(values{})
	if found != nil {
		t.Fatal(found)
	}
	c := s.Server
	if c.Listen != "127.0.0.1:8000" || c.AdminListen != "127.0.0.1:8001" || c.Issuer != "http://localhost:8000" ||
		s.Database.Path != "latchkey.db" || c.Registration != "token" || c.AccessTokenTTL != 15*time.Minute ||
		c.RefreshTokenTTL != 30*24*time.Hour || c.RefreshTokenIdleTTL != 14*24*time.Hour || !c.LoginThrottle ||
		c.Argon2 != "m=19456,t=2,p=1" || c.AnyResource ||
		c.BrowserSessionTTL != 24*time.Hour || c.BrowserSessionIdleTTL != 8*time.Hour || c.BrowserSessionRememberTTL != 30*24*time.Hour ||
		c.PagesDir != "" || c.OutboundAllow != nil || c.RegistrationLimit != 20 || c.RegistrationUnusedLimit != 10000 || c.AuditRetention != 365*24*time.Hour || c.AssertionsForIssuerOnly ||
		c.RotationOverlap != nil || c.KeepPasswordHashes || !c.ClientDocuments.Off() || !c.SimpleJWT.Sunset.IsZero() {
		t.Errorf("defaults: %+v", c)
	}
	j := c.SimpleJWT
	if !j.Enabled || j.Algorithm != "HS256" || j.AccessTokenLifetime != 5*time.Minute || j.RefreshTokenLifetime != 24*time.Hour ||
		j.Compat != "5.2" || j.Rotation != "confirmed" || j.RotationOverlap != nil || j.OnReuse != "revoke" ||
		j.UserIDClaim != "user_id" || !j.UserIDInteger || j.Leeway != 0 || j.Issuer != "" || j.Audience != nil {
		t.Errorf("defaults: %+v", j)
	}
}

func TestUserIDTypeFollowsCompat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		environ []string
		integer bool
	}{
		{[]string{"LATCHKEY_SIMPLEJWT_COMPAT=5.2"}, true},
		{[]string{"LATCHKEY_SIMPLEJWT_COMPAT=5.5"}, false},
		{[]string{"LATCHKEY_SIMPLEJWT_COMPAT=5.5", "LATCHKEY_SIMPLEJWT_USER_ID_TYPE=integer"}, true},
		{[]string{"LATCHKEY_SIMPLEJWT_USER_ID_TYPE=string"}, false},
		{[]string{"LATCHKEY_SIMPLEJWT_COMPAT=5.2", "LATCHKEY_SIMPLEJWT_USER_ID_CLAIM=sub"}, false},
	} {
		s, found := everyOption(values{}, c.environ...)
		if found != nil || s.Server.SimpleJWT.UserIDInteger != c.integer {
			t.Errorf("%v: integer %v, want %v; %v", c.environ, s.Server.SimpleJWT.UserIDInteger, c.integer, found)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 4)
	for _, c := range []struct {
		name, value string
		good        bool
	}{
		{"listen", ":8000", true},
		{"listen", "[::1]:0", true},
		{"listen", "localhost", false},
		{"listen", "127.0.0.1:http", false},
		{"listen", "127.0.0.1:65536", false},
		{"listen", "http://127.0.0.1:80", false},
		{"listen", "", false},
		{"admin-listen", "", true},
		{"issuer", "https://id.example.com", true},
		{"issuer", "https://id.example.com/auth", true},
		{"issuer", "http://127.0.0.1:8000", true},
		{"issuer", "http://[::1]:8000", true},
		{"issuer", "http://localhost.example.com", false},
		{"issuer", "http://id.example.com", false},
		{"issuer", "https://id.example.com/", false},
		{"issuer", "https://id.example.com?x", false},
		{"issuer", "https://id.example.com#", false},
		{"issuer", "https://user@id.example.com", false},
		{"issuer", "https://id.example.com/{tenant}", false},
		{"issuer", "ftp://id.example.com", false},
		{"issuer", "id.example.com", false},
		{"database-url", "sqlite:x.db", true},
		{"database-url", "sqlite:", false},
		{"database-url", "sqlite::memory:", false},
		{"database-url", "x.db", false},
		{"database-url", "postgres:host", false},
		{"secret", long, true},
		{"secret", long[:31], false},
		{"secret-previous", long + "," + long, true},
		{"secret-previous", long + ",short", false},
		{"secret-previous", "", true},
		{"registration", "open", true},
		{"registration", "Open", false},
		{"registration-unused-limit", "1", true},
		{"registration-unused-limit", "0", false},
		{"registration-unused-limit", "-1", false},
		{"registration-unused-limit", "many", false},
		{"client-documents", "off", true},
		{"client-documents", "open", true},
		{"client-documents", "", false},
		{"client-documents", "app.example.com,tools.example:8443", true},
		{"client-documents", "open,app.example.com", false},
		{"client-documents", "https://app.example.com", false},
		{"client-documents", "App.example.com", false},
		{"client-documents", "app.example.com/path", false},
		{"client-documents", "*", false},
		{"outbound-allow", "10.1.0.0/16,fd00::/8", true},
		{"outbound-allow", "internal", false},
		{"browser-session-ttl", "12h", true},
		{"browser-session-ttl", "1h", true}, // shorter than the idle end's default, which never counts then
		{"browser-session-idle-ttl", "25h", false},
		{"browser-session-idle-ttl", "0s", false},
		{"browser-session-remember-ttl", "90d", true},
		{"pages-dir", ".", true},
		{"pages-dir", "", true},
		{"pages-dir", "no-such-folder", false},
		{"pages-dir", "table.go", false},
		{"simplejwt-sunset", "2027-01-31", true},
		{"simplejwt-sunset", "2027-01-31T06:00:00+01:00", true},
		{"simplejwt-sunset", "", true},
		{"simplejwt-sunset", "soon", false},
		{"trusted-proxies", "10.0.0.0/8, 2001:db8::/32,127.0.0.1", true},
		{"trusted-proxies", "10.0.0.0/33", false},
		{"trusted-proxies", "proxy.example.com", false},
		{"cors-origins", "https://app.example.com,http://localhost:3000", true},
		{"cors-origins", "https://app.example.com/", false},
		{"cors-origins", "*", false},
		{"cors-origins", "null", false},
		{"cors-credentials", "on", true},
		{"cors-credentials", "*", false},
		{"log-level", "debug", true},
		{"log-level", "trace", false},
		{"django-database-url", "postgres://u:p%2Fw%40@h:5432/db?sslmode=require", true},
		{"django-database-url", "postgres://u:p@w@h/db", true},
		{"django-database-url", "postgres:///db?host=/run/postgresql", true},
		{"django-database-url", "postgres://a:1,b:2/a%40b", true},
		{"database-url", "postgres://u:12/w@127.0.0.1/db", false},
		{"database-url", "postgres://u:12/w@127.0.0.1:5432", false},
		{"database-url", "postgres://u:12?w@127.0.0.1/db", false},
		{"database-url", "postgres://u:12#w@127.0.0.1/db", false},
		{"django-database-url", "postgres://u:12/w@127.0.0.1/db", false},
		{"django-database-url", "mysql://u:12/w@127.0.0.1/db", false},
		{"access-token-ttl", "1d", true},
		{"access-token-ttl", "1d12h", true},
		{"shutdown-delay", "1h", true},
		{"shutdown-delay", "365d", false},
		{"simplejwt-answer-claims", "first_name,email", true},
		{"simplejwt-answer-claims", "first_name,refresh", false},
		{"simplejwt-answer-claims", "access", false},
		{"access-token-ttl", "0s", false},
		{"access-token-ttl", "-5m", false},
		{"access-token-ttl", "15", false},
		{"login-throttle", "off", true},
		{"login-throttle", "no", false},
		{"argon2", "m=65536,t=3,p=4", true},
		{"argon2", "m=65536,t=3", false},
		{"argon2", "m=8,t=1,p=2", false},
		{"argon2", "m=19456,t=2,p=1,m=1", false},
		{"resource-policy", "any", true},
		{"resource-policy", "none", false},
		{"simplejwt-algorithm", "EdDSA", true},
		{"simplejwt-algorithm", "none", false},
		{"simplejwt-compat", "5.3", false},
		{"simplejwt-rotation", "reissue", true},
		{"simplejwt-rotation-overlap", "0s", true},
		{"simplejwt-rotation-overlap", "-1s", false},
		{"simplejwt-on-reuse", "ignore", false},
		{"simplejwt-user-id-claim", "uid", true},
		{"simplejwt-user-id-claim", "sub", true},
		{"simplejwt-user-id-claim", "exp", false},
		{"simplejwt-user-id-claim", "sid", false},
		{"simplejwt-leeway", "10s", true},
		{"simplejwt-claims", "username, is_staff,email", true},
		{"simplejwt-claims", "", true},
		{"simplejwt-claims", "username,last_login", false},
		{"simplejwt-claims", "user_id", false},
		{"simplejwt-sliding", "on", true},
		{"simplejwt-sliding", "yes", false},
		{"simplejwt-sliding-token-lifetime", "90s", true},
		{"simplejwt-sliding-token-lifetime", "0s", false},
		{"simplejwt-sliding-token-refresh-lifetime", "7d", true},
		{"simplejwt-sliding-token-refresh-lifetime", "1w", false},
		{"simplejwt-refresh-cookie", "refresh", true},
		{"simplejwt-refresh-cookie", "my.refresh_token", true},
		{"simplejwt-refresh-cookie", "", true},
		{"simplejwt-refresh-cookie", "__Host-refresh", false},
		{"simplejwt-refresh-cookie-legacy", "refresh\nrefresh", false},
		{"simplejwt-refresh-cookie-legacy", "refresh;Secure", false},
		{"simplejwt-refresh-cookie", "__secure-refresh", false},
		{"simplejwt-refresh-cookie", "two words", false},
		{"simplejwt-refresh-cookie", "a=b", false},
		{"simplejwt-refresh-cookie", "a;b", false},
		{"simplejwt-refresh-cookie", "jetón", false},
		{"simplejwt-refresh-cookie", strings.Repeat("x", 65), false},
		{"product-name", "Acme ID", true},
		{"product-name", "a\u202eb", false},
		{"product-name", "a\nb", false},
		{"product-name", strings.Repeat("é", 81), false},
		{"accent", "#0b6b4f", true},
		{"accent", "0B6B4F", true},
		{"accent", "#ffee00", false},
		{"accent", "green", false},
		{"accent-dark", "#7fd8b8", true},
		{"accent-dark", "#0b6b4f", false},
		{"terms-url", "https://acme.example/terms", true},
		{"terms-url", "javascript:alert(1)", false},
		{"privacy-url", "/privacy", false},
		{"breached-passwords-url", "https://api.pwnedpasswords.com/range/", true},
		{"breached-passwords-url", "http://127.0.0.1:8080/range", true},
		{"breached-passwords-url", "http://api.pwnedpasswords.com/range/", false},
		{"breached-passwords-url", "https://api.pwnedpasswords.com/range/?a=", false},
		{"support-url", "mailto:help@acme.example", true},
		{"support-url", "https://acme.example/help", true},
		{"support-url", "mailto:", false},
		{"support-url", "data:,x", false},
		{"logo", "config_test.go", false},
		{"logo", "gone.png", false},
	} {
		_, found := everyOption(values{c.name: {c.value}})
		if good := len(found) == 0; good != c.good {
			t.Errorf("--%s %q: %v", c.name, c.value, found)
		}
		for _, f := range found {
			if !strings.Contains(f.Subject, "--"+c.name) || !strings.Contains(f.Subject, variableOf(c.name)) || f.Problem == "" || f.Remedy == "" {
				t.Errorf("--%s %q: the fault lacks the flag, the variable, the problem or the remedy: %+v", c.name, c.value, f)
			}
		}
	}
}

// The example in a fault is one for its option, and would be accepted.
func TestExamplesFitTheirOptions(t *testing.T) {
	t.Parallel()
	for name, example := range map[string]string{
		"account-url": "https://www.example.com/account/", "terms-url": "https://www.example.com/terms/", "privacy-url": "https://www.example.com/privacy/",
		"django-hook": "https://www.example.com/latchkey/login/", "breached-passwords-url": "https://api.pwnedpasswords.com/range/",
		"support-url": "https://www.example.com/help",
	} {
		_, found := everyOption(values{name: {"example"}})
		if len(found) != 1 || !strings.HasPrefix(found[0].Remedy, "Write it like "+example) {
			t.Errorf("--%s: %v", name, found)
		}
		_, found = everyOption(values{name: {example}})
		for _, f := range found { // others: the option may need another one
			if f.Subject == "--"+name+" ("+variableOf(name)+")" && strings.Contains(f.Problem, "URL") {
				t.Errorf("--%s %s: %v", name, example, f)
			}
		}
	}
}

func TestClaimsOfTheUser(t *testing.T) {
	t.Parallel()
	s, found := everyOption(values{"simplejwt-claims": {"username,email", "username"}})
	if len(found) > 0 || !slices.Equal(s.Server.SimpleJWT.Claims, []string{"username", "email"}) {
		t.Errorf("%v, %v", s.Server.SimpleJWT.Claims, found)
	}
	_, found = everyOption(values{"simplejwt-claims": {"email,phone"}})
	if len(found) != 1 || !strings.Contains(found[0].Problem, `"phone"`) || strings.Contains(found[0].Problem, "email") {
		t.Errorf("%v", found)
	}
	// Two things of one name: whichever came last would be the user of every API.
	_, found = everyOption(values{"simplejwt-claims": {"email,username"}, "simplejwt-user-id-claim": {"username"}})
	if len(found) != 1 || !strings.Contains(found[0].Subject, "--simplejwt-claims") {
		t.Errorf("%v", found)
	}
}

// Every option that is a secret, given in every wrong way: no message may repeat it.
func TestFaultsNeverShowASecret(t *testing.T) {
	t.Parallel()
	const canary = "c4n4ry-v4lue"
	dir := t.TempDir()
	secretFile := filepath.Join(dir, "file")
	config := filepath.Join(dir, "config.yaml")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(how string, found Faults) {
		if strings.Contains(found.Error(), canary) {
			t.Errorf("%s: %v", how, found)
		}
	}
	for _, o := range options(&Settings{}) {
		if !o.secret {
			continue
		}
		write(secretFile, canary)
		_, found := everyOption(values{o.name: {canary}})
		check("flag "+o.name, found)
		_, found = everyOption(values{o.name: {"postgres://u:" + canary + "@%zz/x"}})
		check("URL in flag "+o.name, found)
		_, found = everyOption(values{}, o.variable()+"="+canary, o.variable()+"_FILE="+secretFile)
		check("both variables of "+o.name, found)
		if len(found) == 0 {
			t.Errorf("%s and its file were both accepted", o.variable())
		}
		_, found = everyOption(values{o.name + "-file": {secretFile}})
		check("file of "+o.name, found)
		for _, yaml := range []string{
			o.name + ": " + canary + "\nlisten: 1\n", o.name + ": *" + canary + "\n", o.name + ": {" + canary + ": 1}\n",
			o.name + ": " + canary + "\n" + o.name + ": " + canary + "\n", o.name + " " + canary + ": [\n",
		} {
			write(config, yaml)
			_, found = everyOption(values{"config": {config}})
			check("file "+yaml, found)
			if len(found) == 0 {
				t.Errorf("accepted: %s", yaml)
			}
		}
	}
}

func TestListsInEveryForm(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("cors-origins: [\"https://a.example\", \"https://b.example\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for how, read := range map[string]func() (*Settings, Faults){
		"repeated flag": func() (*Settings, Faults) {
			return everyOption(values{"cors-origins": {"https://a.example", "https://b.example"}})
		},
		"commas": func() (*Settings, Faults) {
			return everyOption(values{}, "LATCHKEY_CORS_ORIGINS=https://a.example, https://b.example")
		},
		"YAML list": func() (*Settings, Faults) { return everyOption(values{"config": {config}}) },
	} {
		s, found := read()
		if got := strings.Join(s.Server.CORSOrigins, " "); got != "https://a.example https://b.example" {
			t.Errorf("%s: %q, %v", how, got, found)
		}
	}
}

// docs/configuration.md: empty = nothing. For lists with a default that is not the same as a list that is not there.
func TestAnEmptyValueIsNone(t *testing.T) {
	t.Parallel()
	s, found := everyOption(values{"redirect-schemes": {""}, "account-fields": {""}, "admin-listen": {""}, "terms-url": {""}, "simplejwt-sunset": {""}})
	if len(found) > 0 {
		t.Fatal(found)
	}
	if s.Server.RedirectSchemes == nil || s.Server.AccountFields == nil || len(s.Server.RedirectSchemes)+len(s.Server.AccountFields) > 0 {
		t.Errorf("schemes %#v, fields %#v", s.Server.RedirectSchemes, s.Server.AccountFields)
	}
	if s.Server.AdminListen != "" || s.Server.Look.TermsURL != "" || !s.Server.SimpleJWT.Sunset.IsZero() {
		t.Errorf("%q, %q, %s", s.Server.AdminListen, s.Server.Look.TermsURL, s.Server.SimpleJWT.Sunset)
	}
}

// A retired secret may hold a comma: in its file only lines count.
func TestRetiredSecretsOneALine(t *testing.T) {
	t.Parallel()
	first, second := strings.Repeat("a,", 20), strings.Repeat("b", 40)
	path := filepath.Join(t.TempDir(), "retired")
	if err := os.WriteFile(path, []byte(first+"\n"+second+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, found := everyOption(values{}, "LATCHKEY_SECRET_PREVIOUS_FILE="+path)
	if found != nil || len(s.Retired) != 2 || s.Retired[0].Reveal() != first || s.Retired[1].Reveal() != second {
		t.Errorf("%d secrets, %v", len(s.Retired), found)
	}
}

func TestR55VariablesOfKubernetesServicesAreIgnored(t *testing.T) {
	t.Parallel()
	links := []string{
		"LATCHKEY_PORT=tcp://10.0.0.1:8000", "LATCHKEY_SERVICE_HOST=10.0.0.1", "LATCHKEY_SERVICE_PORT=8000", "LATCHKEY_SERVICE_PORT_PUBLIC=8000",
		"LATCHKEY_PORT_8000_TCP=tcp://10.0.0.1:8000", "LATCHKEY_PORT_8000_TCP_PROTO=tcp", "LATCHKEY_PORT_8000_TCP_PORT=8000",
		"LATCHKEY_PORT_8000_TCP_ADDR=10.0.0.1", "LATCHKEY_ADMIN_SERVICE_HOST=fd00::1", "LATCHKEY_ADMIN_SERVICE_PORT=8001", "LATCHKEY_ADMIN_PORT=tcp://[fd00::1]:8001",
		"LATCHKEY_ADMIN_PORT_53_UDP=udp://10.0.0.2:53",
	}
	s, found := everyOption(values{}, links...)
	if len(found) > 0 || len(s.Ignored) != len(links) {
		t.Errorf("%v, ignored: %v", found, s.Ignored)
	}
	for _, other := range []string{
		"LATCHKEY_PORT=8000", "LATCHKEY_SERVICE_PORT=http", "LATCHKEY_SERVICE_NAME=x", "LATCHKEY_ADMIN_PORT=8001", "LATCHKEY_PORT_TCP=tcp://10.0.0.1:1",
		"LATCHKEY_PORT_8000_TCP=10.0.0.1", "LATCHKEY_HOST=10.0.0.1",
	} {
		if _, found := everyOption(values{}, other); len(found) != 1 {
			t.Errorf("%s: %v", other, found)
		}
	}
}

// RFC 7519 §4.1.2: sub is a string.
func TestSubIsNeverAnInteger(t *testing.T) {
	t.Parallel()
	_, found := everyOption(values{}, "LATCHKEY_SIMPLEJWT_USER_ID_CLAIM=sub", "LATCHKEY_SIMPLEJWT_USER_ID_TYPE=integer")
	if len(found) != 1 || !strings.Contains(found[0].Subject, "--simplejwt-user-id-type") {
		t.Errorf("%v", found)
	}
}

func TestSettingsWithoutEffectAreRefused(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("k", 32)
	for _, c := range []struct {
		flags values
		want  string // the fault's option; empty for none
	}{
		{values{"django-hook-key": {key}}, "django-hook-key"},
		{values{"django-hook-key": {key}, "django-hook": {"https://site.example/hook"}}, ""},
		{values{"django-users": {"site.json"}}, "django-users"},
		{values{"account-url": {"https://site.example/me"}}, "account-url"},
		{values{"account-url": {"https://site.example/me"}, "users-from": {"django"}, "django-database-url": {"postgres://u@h/db"}}, ""},
		{values{"console": {"on"}}, "console"},
		{values{"console": {"on"}, "admin-group": {"operators"}}, ""},
		{values{"listen": {"127.0.0.1:8001"}}, "admin-listen"},
		{values{"listen": {":8001"}}, "admin-listen"},
		{values{"listen": {"0.0.0.0:8001"}}, "admin-listen"},
		{values{"listen": {"[::1]:8001"}}, ""},
		{values{"listen": {"0.0.0.0:8001"}, "admin-listen": {"[::1]:8001"}}, ""},
		{values{"listen": {"127.0.0.1:0"}, "admin-listen": {"127.0.0.1:0"}}, ""},
		{values{"listen": {"127.0.0.1:8001"}, "admin-listen": {""}}, ""},
	} {
		_, found := everyOption(c.flags)
		if c.want == "" && len(found) > 0 || c.want != "" && (len(found) != 1 || !strings.HasPrefix(found[0].Subject, "--"+c.want+" ")) {
			t.Errorf("%v: %v", c.flags, found)
		}
	}
}
