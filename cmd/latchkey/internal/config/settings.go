package config

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"latchkey/server"
	"latchkey/server/claims"
	"latchkey/server/factors"
	"latchkey/server/keys"
	"latchkey/server/mail"
	"latchkey/server/simplejwt"
	"latchkey/storage"
)

// Settings is the configuration once it has been read and checked.
type Settings struct {
	// Server is the configuration of the server except its Store, Root, Logger and Now.
	Server   server.Config
	Database Database
	// UsersFrom is latchkey or django; then DjangoUsers is the path of the column map, empty for that of auth_user.
	UsersFrom      string
	DjangoDatabase DjangoDatabase
	DjangoUsers    string
	// ClaimsQuery is the site's own query about a user.
	ClaimsQuery string
	// BlacklistWriteback says that sessions that end here are ended in Django's database.
	BlacklistWriteback bool

	// SMTP is the transport of letters; nil without one.
	SMTP *mail.SMTP
	// Remote is the server that a command works on through its API, if not on the database.
	Remote Remote

	Secret  storage.Secret
	Retired []storage.Secret
	// LogFormat is empty if it depends on whether the log goes to a terminal.
	LogFormat string
	LogLevel  slog.Level

	// userIDType is empty if it follows the compat release.
	userIDType string
	file       string // the path of the configuration file
	// secretFiles are the paths of the files that secrets were read from, by option.
	secretFiles           map[string]string
	smtpURL, smtpPassword storage.Secret
	// claimRules and claimScopes become Server.Claims.
	claimRules  []claims.Rule
	claimScopes []claims.Scope
	sources     map[string]Source
	// Elsewhere is true if a server is configured for commands, and this command does not take that option.
	Elsewhere bool
	// Ignored are the names of variables that Kubernetes has set for services.
	Ignored []string
}

// Source is where the value of an option came from; empty for its default.
type Source string

// The sources, from the first that counts to the last.
const (
	FromFlag        Source = "flag"
	FromEnvironment Source = "environment"
	FromFile        Source = "configuration file"
	FromSecretFile  Source = "secret file"
)

// Source returns where the value of an option came from.
func (s *Settings) Source(name string) Source { return s.sources[name] }

// Given reports whether an option was given rather than left at its default.
func (s *Settings) Given(name string) bool { return s.sources[name] != "" }

// subject names an option, and the file that it was read from.
func (s *Settings) subject(name string) string {
	switch s.sources[name] {
	case FromFile:
		return label(name) + " in the configuration file " + s.file
	case FromSecretFile:
		return label(name) + " in the file " + s.secretFiles[name]
	}
	return label(name)
}

// Database is where everything is stored: one of the two.
type Database struct {
	Path string         // SQLite
	URL  storage.Secret // Postgres
}

// Remote is a server with its API for operators. Server is empty without one. Token, or ClientID and ClientSecret, are for scripts; without
// them the login of `latchkey login` counts.
type Remote struct {
	Server                 string
	Token                  storage.Secret
	ClientID, ClientSecret storage.Secret
}

// DjangoDatabase is where Django's tables are; without a URL in Latchkey's database. Path is the file of an SQLite database.
type DjangoDatabase struct {
	URL  storage.Secret
	Path string
}

// Postgres reports whether the database is Postgres.
func (d Database) Postgres() bool { return d.URL != "" }

// SecretPath returns the path of the file in which the root secret of an SQLite database is kept.
func (d Database) SecretPath() string { return d.Path + ".secret" }

// Root returns the root secret with the retired ones. For SQLite it is kept in a file; whether a missing one is generated is for missing to say.
func (s *Settings) Root(missing func() (Missing, error)) (*keys.Root, error) {
	secret := s.Secret
	if secret == "" {
		var err error
		if secret, err = rootSecretFile(s.Database.SecretPath(), missing); err != nil {
			return nil, err
		}
	}
	return keys.NewRoot(secret, s.Retired...)
}

// validate checks what no option can check alone, and fills in what follows from others.
func (s *Settings) validate(names []string) (found Faults) {
	fault := func(name, problem, remedy string) { found = append(found, Fault{label(name), problem, remedy}) }
	if slices.Contains(names, "secret") && s.Database.Postgres() && !s.Given("secret") && s.Remote.Server == "" {
		fault("secret", "is required with Postgres",
			"Generate one with `openssl rand -base64 32`, keep it, and use the same for every server and command, preferably as LATCHKEY_SECRET_FILE.")
	}
	if s.UsersFrom == "django" && !s.Database.Postgres() && s.DjangoDatabase.URL == "" {
		fault("django-database-url", "is missing: with --users-from django and SQLite, Django's users are in another database", "Name Django's database.")
	}
	if s.UsersFrom == "django" && s.Given("password-rehash") && !s.Server.KeepPasswordHashes {
		fault("password-rehash", "can't be on with --users-from django: the hashes are Django's, which hashes anew by its own settings", "Leave it out.")
	}
	if sameFile(s.DjangoDatabase.Path, s.Database.Path) {
		fault("django-database-url", "is the file of --database-url (LATCHKEY_DATABASE_URL), and Latchkey's SQLite file is its own", "Name two files.")
	}
	if (s.Remote.ClientID == "") != (s.Remote.ClientSecret == "") {
		fault("server-client-id", "and --server-client-secret need each other", "Set both, or neither.")
	}
	s.validateEffects(names, fault)
	second := &s.Server.SecondFactor
	switch {
	case s.UsersFrom == "django" && *second != "" && *second != factors.Off:
		fault("second-factor", "can't be used with --users-from django: a login in Django itself would not ask for it",
			"Leave it out, and use second factors of Django's.")
	case *second == "" && s.UsersFrom == "django":
		*second = factors.Off
	case *second == "":
		*second = factors.Optional
	}
	if *second == factors.Off && len(s.Server.SecondFactorGroups) > 0 {
		fault("second-factor-groups", "has no effect: there are no second factors", "Set --second-factor to optional.")
	}
	jwt := &s.Server.SimpleJWT
	if s.BlacklistWriteback && !s.Database.Postgres() && s.DjangoDatabase.URL == "" {
		fault("simplejwt-blacklist-writeback", "has no database of Django's", "Set --django-database-url (LATCHKEY_DJANGO_DATABASE_URL).")
	}
	if s.BlacklistWriteback && jwt.SigningKey == "" && jwt.VerifyingKey == "" && slices.Contains(names, "simplejwt") {
		fault("simplejwt-blacklist-writeback", "has no effect without Django's key: Django accepts no token of this server then",
			"Set --simplejwt-signing-key (LATCHKEY_SIMPLEJWT_SIGNING_KEY).")
	}
	if slices.Contains(names, "simplejwt") && jwt.Algorithm != "" {
		found = append(found, s.validateDjangoKeys()...)
	}
	if len(jwt.LegacyCookies) > 0 && jwt.RefreshCookie == "" {
		fault("simplejwt-refresh-cookie-legacy", "has no effect without --simplejwt-refresh-cookie",
			"Set --simplejwt-refresh-cookie to the name that the cookie gets here, like refresh.")
	}
	if slices.ContainsFunc(jwt.LegacyCookies, func(l simplejwt.LegacyCookie) bool { return l.Name == "__Host-"+jwt.RefreshCookie }) {
		fault("simplejwt-refresh-cookie-legacy", "names the cookie of --simplejwt-refresh-cookie itself", "Leave it out, or use another name there.")
	}
	s.validateMail(fault)
	s.validateClaims(func(name, problem, remedy string) {
		found = append(found, Fault{s.subject(name), problem, remedy})
	})
	if jwt.HookURL != "" && len(jwt.HookKey) < 32 {
		fault("django-hook-key", "has less than 32 bytes, and --django-hook is set", "Generate one with `openssl rand -base64 32`, and give it to the site too.")
	}
	if slices.Contains(jwt.Claims, jwt.UserIDClaim) {
		fault("simplejwt-claims", "contains "+jwt.UserIDClaim+", which is already the claim of --simplejwt-user-id-claim", "Remove it from one of the two.")
	}
	if jwt.UserIDClaim == "sub" && s.userIDType == "integer" { // RFC 7519 §4.1.2; PyJWT 2.10 and later refuse a number
		fault("simplejwt-user-id-type", "is integer, and --simplejwt-user-id-claim is sub, which must be a string", "Use string, or another claim.")
	}
	if s.Given("browser-session-idle-ttl") && s.Server.BrowserSessionIdleTTL > s.Server.BrowserSessionTTL {
		fault("browser-session-idle-ttl", "is longer than --browser-session-ttl, so it would have no effect",
			"Make it shorter, or raise --browser-session-ttl (LATCHKEY_BROWSER_SESSION_TTL).")
	}
	jwt.UserIDInteger = jwt.UserIDClaim != "sub" && (s.userIDType == "integer" || s.userIDType == "" && jwt.Compat == "5.2")
	return found
}

func variableOf(name string) string {
	return "LATCHKEY_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// label returns the flag and the variable, for messages.
func label(name string) string { return fmt.Sprintf("--%s (%s)", name, variableOf(name)) }

// sameFile reports whether two paths, each of which may be empty, are those of one file.
func sameFile(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	one, err := os.Stat(a)
	other, errOther := os.Stat(b)
	if err != nil || errOther != nil {
		return filepath.Clean(a) == filepath.Clean(b)
	}
	return os.SameFile(one, other)
}
