package main

import (
	"fmt"
	"reflect"
	"strings"

	"latchkey/server/simplejwt"

	"github.com/alecthomas/kong"
)

// option is one row of the configuration: its flag, its variable, its key in the file, its help, its line in
// docs/configuration.md and its checks all come from here, so that they can't drift apart.
type option struct {
	// name is the flag without its dashes and the key in the configuration file.
	name string
	// preset is the default as text. An option whose default is "not given" has none, and says so in presetText.
	preset     string
	presetText string
	value      string // what stands for the value in the help
	group      string
	help       string
	list       bool // takes several values: the flag repeated, commas, a YAML list
	secret     bool // has a _FILE form, and its value is never shown
	emptyable  bool // an empty value means something
	set        func(s *settings, text string) error
}

// variable is the option's name in the environment.
func (o *option) variable() string { return variableOf(o.name) }

func variableOf(name string) string {
	return "LATCHKEY_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// usage is the help with the default and the variable.
func (o *option) usage() string {
	switch preset := o.presetShown(); {
	case preset != "":
		return fmt.Sprintf("%s (default %s) [%s]", o.help, preset, o.variable())
	default:
		return fmt.Sprintf("%s [%s]", o.help, o.variable())
	}
}

func (o *option) presetShown() string {
	if o.presetText != "" {
		return o.presetText
	}
	return o.preset
}

// fileForm is the option that names the file which holds a secret. Its set is never called.
func (o *option) fileForm() *option {
	return &option{
		name: o.name + "-file", value: "FILE", group: o.group,
		help: "File that holds --" + o.name + ".",
	}
}

// The groups of options: a command offers whole groups.
const (
	groupDatabase  = "database"
	groupRoot      = "root secret"
	groupLog       = "log"
	groupHashing   = "passwords"
	groupLifetimes = "lifetimes"
	groupServer    = "server"
	groupIssuer    = "issuer"
	groupSimpleJWT = "simplejwt"
)

// allGroups is what a server takes.
var allGroups = [...]string{
	groupServer, groupIssuer, groupDatabase, groupRoot, groupLifetimes, groupHashing, groupLog, groupSimpleJWT,
}

// options is the whole configuration, in the order of the documentation.
func options() []*option {
	return append([]*option{
		{
			name: "listen", preset: "127.0.0.1:8000", value: "HOST:PORT", group: groupServer,
			help: "Public listener.",
			set:  func(s *settings, v string) error { return setAddress(&s.server.Listen, v) },
		},
		{
			name: "admin-listen", preset: "127.0.0.1:8001", value: "HOST:PORT", group: groupServer, emptyable: true,
			help: "Listener of /healthz, /readyz and /metrics; empty = off.",
			set:  func(s *settings, v string) error { return setAddress(&s.server.AdminListen, v) },
		},
		{
			name: "issuer", preset: "http://localhost:8000", value: "URL", group: groupIssuer,
			help: "Issuer identifier: the URL that clients know this server by; https unless the host is loopback.",
			set:  func(s *settings, v string) error { return setIssuer(&s.server.Issuer, v) },
		},
		{
			name: "database-url", preset: "sqlite:latchkey.db", value: "URL", group: groupDatabase, secret: true,
			help: "Database: sqlite:PATH or postgres://….",
			set:  func(s *settings, v string) error { return setDatabase(&s.database, v) },
		},
		{
			name: "secret", value: "TEXT", group: groupRoot, secret: true,
			presetText: "SQLite: made once and kept in PATH.secret; Postgres: required",
			help:       "Root secret of at least 32 bytes, from which token and encryption keys are derived.",
			set:        func(s *settings, v string) error { return setRootSecret(&s.secret, v) },
		},
		{
			name: "secret-previous", value: "TEXT", group: groupRoot, secret: true, list: true, emptyable: true,
			help: "Retired root secrets, which still verify and unseal; its file holds one a line.",
			set:  func(s *settings, v string) error { return setRetiredSecrets(&s.retired, v) },
		},
		{
			name: "registration", preset: "token", value: "off|token|open", group: groupServer,
			help: "Dynamic client registration (RFC 7591): off, token (an initial access token of " +
				"`latchkey registration-token add` is needed) or open.",
			set: func(s *settings, v string) error { return setChoice(&s.server.Registration, v, "off", "token", "open") },
		},
		{
			name: "registration-limit", preset: "10000", value: "N", group: groupServer,
			help: "How many clients that registered themselves and that no user has logged in to yet there may be.",
			set:  func(s *settings, v string) error { return setCount(&s.server.RegistrationLimit, v) },
		},
		{
			name: "client-documents", preset: "off", value: "off|open|HOST", group: groupServer, list: true,
			help: "Clients that nobody registered, whose client_id is the URL of their metadata document: off, open, or the hosts " +
				"whose documents are taken.",
			set: func(s *settings, v string) error { return setClientDocuments(&s.server.ClientDocuments, v) },
		},
		{
			name: "outbound-allow", value: "CIDR", group: groupServer, list: true, emptyable: true,
			help: "Private networks that URLs of clients which the operator added may point to (jwks_uri, logo_uri, " +
				"backchannel_logout_uri). URLs of other clients never reach them.",
			set: func(s *settings, v string) error { return setPrefixes(&s.server.OutboundAllow, v) },
		},
		{
			name: "trusted-proxies", value: "CIDR", group: groupServer, list: true, emptyable: true,
			help: "Networks whose X-Forwarded-* and Forwarded headers count.",
			set:  func(s *settings, v string) error { return setPrefixes(&s.server.TrustedProxies, v) },
		},
		{
			name: "cors-origins", value: "ORIGIN", group: groupServer, list: true, emptyable: true,
			help: "Browser origins allowed besides those of registered clients.",
			set:  func(s *settings, v string) error { return setOrigins(&s.server.CORSOrigins, v) },
		},
		{
			name: "log-format", value: "text|json", group: groupLog,
			presetText: "text on a terminal, else json",
			help:       "How log lines are written.",
			set:        func(s *settings, v string) error { return setChoice(&s.logFormat, v, "text", "json") },
		},
		{
			name: "log-level", preset: "info", value: "LEVEL", group: groupLog,
			help: "Least level that is logged: debug, info, warn or error.",
			set:  func(s *settings, v string) error { return setLevel(&s.logLevel, v) },
		},
		{
			name: "access-token-ttl", preset: "15m", value: "DURATION", group: groupLifetimes,
			help: "Life of an access token; a client's own comes first.",
			set:  func(s *settings, v string) error { return setLifetime(&s.server.AccessTokenTTL, v) },
		},
		{
			name: "refresh-token-ttl", preset: "30d", value: "DURATION", group: groupLifetimes,
			help: "Absolute end of a session; a client's own comes first.",
			set:  func(s *settings, v string) error { return setLifetime(&s.server.RefreshTokenTTL, v) },
		},
		{
			name: "refresh-token-idle-ttl", preset: "14d", value: "DURATION", group: groupLifetimes,
			help: "End of a session that nobody refreshes; a client's own comes first.",
			set:  func(s *settings, v string) error { return setLifetime(&s.server.RefreshTokenIdleTTL, v) },
		},
		{
			name: "browser-session-ttl", preset: "24h", value: "DURATION", group: groupServer,
			help: "How long a browser stays signed in at most.",
			set:  func(s *settings, v string) error { return setLifetime(&s.server.BrowserSessionTTL, v) },
		},
		{
			name: "browser-session-idle-ttl", preset: "8h", value: "DURATION", group: groupServer,
			help: "End of a browser's sign-in that nobody uses.",
			set:  func(s *settings, v string) error { return setLifetime(&s.server.BrowserSessionIdleTTL, v) },
		},
		{
			name: "browser-session-remember-ttl", preset: "30d", value: "DURATION", group: groupServer,
			help: "How long a browser stays signed in whose user wants to be remembered; there is no idle end then.",
			set:  func(s *settings, v string) error { return setLifetime(&s.server.BrowserSessionRememberTTL, v) },
		},
		{
			name: "pages-dir", value: "FOLDER", group: groupServer, emptyable: true,
			help: "Folder of overrides for the pages: name, logo, colours and texts.",
			set:  func(s *settings, v string) error { return setFolder(&s.server.PagesDir, v) },
		},
		{
			name: "login-throttle", preset: "on", value: "on|off", group: groupServer,
			help: "Guessing protection for passwords; off is for load tests.",
			set:  func(s *settings, v string) error { return setSwitch(&s.server.LoginThrottle, v) },
		},
		{
			name: "argon2", preset: "m=19456,t=2,p=1", value: "m=,t=,p=", group: groupHashing,
			help: "Cost of new password hashes (argon2id): KiB of memory, passes, lanes.",
			set:  func(s *settings, v string) error { return setArgon2(&s.server.Argon2, v) },
		},
		{
			name: "resource-policy", preset: "registered", value: "registered|any", group: groupServer,
			help: "Which resource (RFC 8707) a client without a list of its own may ask for: those added with " +
				"`latchkey resource add`, or any absolute URI.",
			set: func(s *settings, v string) error { return setResourcePolicy(&s.server.AnyResource, v) },
		},
	}, simpleJWTOptions()...)
}

// simpleJWTOptions are named after the settings of djangorestframework-simplejwt.
func simpleJWTOptions() []*option {
	return []*option{
		{
			name: "simplejwt", preset: "on", value: "on|off", group: groupSimpleJWT,
			help: "The routes under /api/token/; off answers 404.",
			set:  func(s *settings, v string) error { return setSwitch(&s.server.SimpleJWT.Enabled, v) },
		},
		{
			name: "simplejwt-sunset", value: "TIME", group: groupSimpleJWT, emptyable: true,
			presetText: "none",
			help: "When these routes will go away, as 2027-01-31 or RFC 3339: announced in a Sunset header (RFC 8594). " +
				"They go on to answer until --simplejwt is off.",
			set: func(s *settings, v string) error { return setMoment(&s.server.SimpleJWT.Sunset, v) },
		},
		{
			name: "simplejwt-algorithm", preset: "HS256", value: "ALG", group: groupSimpleJWT,
			help: "ALGORITHM: HS256, HS384, HS512, RS256, RS384, RS512, ES256 or EdDSA.",
			set: func(s *settings, v string) error {
				return setChoice(&s.server.SimpleJWT.Algorithm, v,
					"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "EdDSA")
			},
		},
		{
			name: "simplejwt-signing-key", value: "TEXT", group: groupSimpleJWT, secret: true, emptyable: true,
			presetText: "derived from the root secret",
			help: "SIGNING_KEY for HS*: Django's SECRET_KEY here keeps downstream APIs and tokens in flight working. " +
				"The other algorithms use keys of Latchkey's own.",
			set: func(s *settings, v string) error { return setSecret(&s.server.SimpleJWT.SigningKey, v) },
		},
		{
			name: "simplejwt-access-token-lifetime", preset: "5m", value: "DURATION", group: groupSimpleJWT,
			help: "ACCESS_TOKEN_LIFETIME.",
			set:  func(s *settings, v string) error { return setLifetime(&s.server.SimpleJWT.AccessTokenLifetime, v) },
		},
		{
			name: "simplejwt-refresh-token-lifetime", preset: "1d", value: "DURATION", group: groupSimpleJWT,
			help: "REFRESH_TOKEN_LIFETIME. Each rotation's token lives this long anew, up to --refresh-token-ttl.",
			set:  func(s *settings, v string) error { return setLifetime(&s.server.SimpleJWT.RefreshTokenLifetime, v) },
		},
		{
			name: "simplejwt-compat", preset: "5.2", value: "5.2|5.5", group: groupSimpleJWT,
			help: "The release whose words are used where releases differ.",
			set:  func(s *settings, v string) error { return setChoice(&s.server.SimpleJWT.Compat, v, "5.2", "5.5") },
		},
		{
			name: "simplejwt-rotation", preset: "confirmed", value: "POLICY", group: groupSimpleJWT,
			help: "How refresh tokens are rotated: strict, confirmed, reissue or off.",
			set: func(s *settings, v string) error {
				return setChoice(&s.server.SimpleJWT.Rotation, v, "strict", "confirmed", "reissue", "off")
			},
		},
		{
			name: "simplejwt-rotation-overlap", value: "DURATION", group: groupSimpleJWT,
			presetText: "confirmed: 10s, strict: 0s",
			help:       "How long a replaced refresh token still works.",
			set:        func(s *settings, v string) error { return setOptionalWait(&s.server.SimpleJWT.RotationOverlap, v) },
		},
		{
			name: "simplejwt-on-reuse", preset: "revoke", value: "revoke|reject", group: groupSimpleJWT,
			help: "What a retired refresh token does: revoke ends its session, reject only refuses it.",
			set: func(s *settings, v string) error {
				return setChoice(&s.server.SimpleJWT.OnReuse, v, "revoke", "reject")
			},
		},
		{
			name: "simplejwt-user-id-claim", preset: "user_id", value: "NAME", group: groupSimpleJWT,
			help: "USER_ID_CLAIM.",
			set:  func(s *settings, v string) error { return setClaim(&s.server.SimpleJWT.UserIDClaim, v) },
		},
		{
			name: "simplejwt-user-id-type", value: "string|integer", group: groupSimpleJWT,
			presetText: "compat 5.2: integer, 5.5: string",
			help:       "How the user's id is written in the claim.",
			set:        func(s *settings, v string) error { return setChoice(&s.userIDType, v, "string", "integer") },
		},
		{
			name: "simplejwt-issuer", value: "TEXT", group: groupSimpleJWT, emptyable: true,
			presetText: "none",
			help:       "ISSUER.",
			set:        func(s *settings, v string) error { s.server.SimpleJWT.Issuer = v; return nil },
		},
		{
			name: "simplejwt-audience", value: "TEXT", group: groupSimpleJWT, emptyable: true,
			presetText: "none",
			help:       "AUDIENCE.",
			set:        func(s *settings, v string) error { s.server.SimpleJWT.Audience = v; return nil },
		},
		{
			name: "simplejwt-leeway", preset: "0s", value: "DURATION", group: groupSimpleJWT,
			help: "LEEWAY: how far expiry and issue times may be off.",
			set:  func(s *settings, v string) error { return setWait(&s.server.SimpleJWT.Leeway, v) },
		},
		{
			name: "simplejwt-claims", value: "NAME", group: groupSimpleJWT, list: true, emptyable: true,
			presetText: "none",
			help: "Claims of the user that tokens carry besides its id, computed anew at each refresh: " +
				strings.Join(simplejwt.UserClaims(), ", ") + ".",
			set: func(s *settings, v string) error { return setUserClaims(&s.server.SimpleJWT.Claims, v) },
		},
		{
			name: "simplejwt-sliding", preset: "off", value: "on|off", group: groupSimpleJWT,
			help: "Sliding tokens: /api/token/sliding/ and /api/token/sliding/refresh/; off answers 404.",
			set:  func(s *settings, v string) error { return setSwitch(&s.server.SimpleJWT.Sliding, v) },
		},
		{
			name: "simplejwt-sliding-token-lifetime", preset: "5m", value: "DURATION", group: groupSimpleJWT,
			help: "SLIDING_TOKEN_LIFETIME.",
			set:  func(s *settings, v string) error { return setLifetime(&s.server.SimpleJWT.SlidingTokenLifetime, v) },
		},
		{
			name: "simplejwt-sliding-token-refresh-lifetime", preset: "1d", value: "DURATION", group: groupSimpleJWT,
			help: "SLIDING_TOKEN_REFRESH_LIFETIME: how long a sliding token can be refreshed after the login, up to --refresh-token-ttl.",
			set: func(s *settings, v string) error {
				return setLifetime(&s.server.SimpleJWT.SlidingTokenRefreshLifetime, v)
			},
		},
		{
			name: "simplejwt-update-last-login", preset: "off", value: "on|off", group: groupSimpleJWT,
			help: "UPDATE_LAST_LOGIN: whether a login on these routes sets the user's last login.",
			set:  func(s *settings, v string) error { return setSwitch(&s.server.SimpleJWT.UpdateLastLogin, v) },
		},
		{
			name: "simplejwt-refresh-cookie", value: "NAME", group: groupSimpleJWT, emptyable: true,
			presetText: "none",
			help: "Keeps the refresh token in a cookie __Host-NAME that scripts can't read, instead of in the bodies; " +
				"only pages of the issuer's own origin and of --cors-origins may use it.",
			set: func(s *settings, v string) error { return setCookieName(&s.server.SimpleJWT.RefreshCookie, v) },
		},
	}
}

// optionsOf selects the options of the groups.
func optionsOf(groups ...string) []*option {
	var selected []*option
	for _, o := range options() {
		for _, g := range groups {
			if o.group == g {
				selected = append(selected, o)
			}
		}
	}
	return selected
}

// flagsFor makes the flags of the groups' options, for a command to embed. Each is a pointer or a slice, so that
// what was not given can be told from what was given empty, and none is checked by kong: it stops at the first fault.
func flagsFor(groups ...string) kong.Plugins {
	var fields []reflect.StructField
	add := func(o *option) {
		typ := reflect.TypeFor[*string]()
		separator := ""
		if o.list {
			typ, separator = reflect.TypeFor[[]string](), ` sep:"none"`
		}
		fields = append(fields, reflect.StructField{
			Name: fieldName(o.name),
			Type: typ,
			Tag: reflect.StructTag(fmt.Sprintf(`name:%q help:%q placeholder:%q group:"Configuration:" option:"true"`,
				o.name, o.usage(), o.value) + separator),
		})
	}
	for _, o := range optionsOf(groups...) {
		add(o)
		if o.secret {
			add(o.fileForm())
		}
	}
	add(configFileOption())
	return kong.Plugins{reflect.New(reflect.StructOf(fields)).Interface()}
}

// configFileOption names the configuration file; it can't stand in the file itself.
func configFileOption() *option {
	return &option{name: "config", value: "FILE", help: "Configuration file (YAML); its keys are the flags without dashes."}
}

func fieldName(name string) string {
	return "Option" + strings.ReplaceAll(name, "-", "_")
}
