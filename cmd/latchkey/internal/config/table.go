package config

import (
	"strings"

	"latchkey/clients"
	"latchkey/clients/colour"
	"latchkey/server"
	"latchkey/server/claims"
	"latchkey/server/factors"
	"latchkey/server/selfhelp"
	"latchkey/server/users"
	"latchkey/storage"
)

// options returns the whole configuration in the order of the documentation. Values are set in s.
func options(s *Settings) []*option {
	return append([]*option{
		{
			name: "listen", preset: "127.0.0.1:8000", value: "HOST:PORT", group: GroupServer,
			help: "Public listener.", set: to(&s.Server.Listen, setAddress),
		},
		{
			name: "admin-listen", preset: "127.0.0.1:8001", value: "HOST:PORT", group: GroupServer, emptyable: true,
			help: "Listener of /healthz, /readyz, /servez and /metrics, and of /admin/v1 unless --admin-api says otherwise; empty turns it off.", set: to(&s.Server.AdminListen, setAddress),
		},
		{
			name: "admin-api", preset: "admin", value: "off|admin|public", group: GroupServer,
			help: "Where the API for operators, /admin/v1, is: on the admin listener, on the public one, or nowhere. It always needs an access token.",
			set:  choice(&s.Server.AdminAPI, server.AdminAPIOff, server.AdminAPIAdmin, server.AdminAPIPublic),
		},
		{
			name: "admin-group", value: "GROUP", group: GroupServer, emptyable: true,
			help: "Group whose members may use the console, and the API for operators through clients that are registered for its scopes; empty: no person may.",
			set:  to(&s.Server.AdminGroup, setText[string]),
		},
		{
			name: "console", preset: "off", value: "on|off", group: GroupServer,
			help: "Serve the operators' console at /console, to people in the group of --admin-group.",
			set:  either(&s.Server.Console, "off", "on"),
		},
		{
			name: "issuer", preset: "http://localhost:8000", value: "URL", group: GroupIssuer,
			help: "Issuer identifier: the URL by which clients know this server; https unless the host is loopback.", set: to(&s.Server.Issuer, setIssuer),
		},
		{
			name: "database-url", preset: "sqlite:latchkey.db", value: "URL", group: GroupDatabase, secret: true,
			help: "Database: sqlite:PATH or postgres://….", set: to(&s.Database, setDatabase),
		},
		{
			name: "server", value: "URL", group: GroupRemote, emptyable: true,
			help: "Work through the API for operators of this server, and not on the database: the URL of its admin listener, or the issuer where the API is public.",
			set:  to(&s.Remote.Server, setServer),
		},
		{
			name: "token", value: "TEXT", group: GroupRemote, secret: true, emptyable: true,
			help: "Access token for --server, in place of a login with `latchkey login`.", set: to(&s.Remote.Token, setText[storage.Secret]),
		},
		{
			name: "server-client-id", value: "ID", group: GroupRemote, emptyable: true,
			help: "Client whose credentials get access tokens for --server: for scripts.", set: to(&s.Remote.ClientID, setText[storage.Secret]),
		},
		{
			name: "server-client-secret", value: "TEXT", group: GroupRemote, secret: true, emptyable: true,
			help: "Secret of --server-client-id.", set: to(&s.Remote.ClientSecret, setText[storage.Secret]),
		},
		{
			name: "users-from", preset: "latchkey", value: "latchkey|django", group: GroupDatabase,
			help: "Where the users are: in Latchkey's database, or in Django's own table, which is read at each login and refresh (docs/django-users.md).",
			set:  choice(&s.UsersFrom, "latchkey", "django"),
		},
		{
			name: "django-database-url", value: "URL", group: GroupDatabase, secret: true, emptyable: true,
			presetText: "the database of --database-url",
			help:       "Django's database: postgres://…, mysql://… for MySQL and MariaDB, or sqlite:PATH. Its role needs SELECT on the users and their groups, and UPDATE on the users if people may change passwords here.",
			set:        to(&s.DjangoDatabase, setDjangoDatabase),
		},
		{
			name: "django-users", value: "FILE", group: GroupDatabase, emptyable: true,
			presetText: "Django's auth_user",
			help:       "What the script of `latchkey django inspect` printed: it says where Django's users are and what their columns are called.",
			set:        to(&s.DjangoUsers, setText[string]),
		},
		{
			name: "absent-users-after", preset: "30d", value: "DURATION", group: GroupDatabase,
			help: "With --users-from django: how long an account must have been missing in Django's table before what is kept here of its user is removed; 0 means never " +
				"(docs/django-users.md).",
			set: to(&s.Server.AbsentUsersAfter, setWait),
		},
		{
			name: "account-url", value: "URL", group: GroupDatabase, emptyable: true,
			help: "Where people change what Django keeps of them, for a link on the account page: with --users-from django.",
			set:  to(&s.Server.AccountURL, setLink("https://www.example.com/account/")),
		},
		{
			name: "secret", value: "TEXT", group: GroupRootSecret, secret: true,
			presetText: "SQLite: generated and kept in PATH.secret; Postgres: required",
			help:       "Root secret of at least 32 bytes, from which token and encryption keys are derived.", set: to(&s.Secret, setRootSecret),
		},
		{
			name: "secret-previous", value: "TEXT", group: GroupRootSecret, secret: true, list: true, emptyable: true,
			help: "Retired root secrets, still used to verify and to decrypt; in a file, one per line.", set: to(&s.Retired, setRetiredSecrets),
		},
		{
			name: "registration", preset: "token", value: "off|token|open", group: GroupServer,
			help: "Dynamic client registration (RFC 7591): off, token (an initial access token of " +
				"`latchkey registration-token add` is needed) or open.",
			set: choice(&s.Server.Registration, "off", "token", "open"),
		},
		{
			name: "registration-unused-limit", preset: "10000", value: "N", group: GroupServer,
			help: "Maximum number of self-registered clients that no user has signed in to yet.", set: to(&s.Server.RegistrationUnusedLimit, setCount),
		},
		{
			name: "registration-limit", preset: "20", value: "N", group: GroupServer,
			help: "Maximum number of clients that register without an initial access token from one network (an IPv4 address or an " +
				"IPv6 /64) within an hour.",
			set: to(&s.Server.RegistrationLimit, setCount),
		},
		{
			name: "account-fields", value: "FIELD", group: GroupServer, list: true, emptyable: true,
			presetText: strings.Join(users.OwnFields(), ", "),
			help: "What users may change of their profile on the account page, in place of the default, which is all that they may be allowed; empty = nothing. " +
				"A picture is a URL that others load.",
			set: to(&s.Server.AccountFields, setAccountFields),
		},
		{
			name: "redirect-schemes", value: "SCHEME", group: GroupClients, list: true, emptyable: true,
			presetText: strings.Join(clients.RedirectSchemes(), ", "),
			help: "Private-use schemes without a dot that redirect URIs may have, in place of the default: those of common editors and " +
				"agents; empty allows none. Schemes with a dot (com.example.app) are always allowed.",
			set: to(&s.Server.RedirectSchemes, setRedirectSchemes),
		},
		{
			name: "client-documents", preset: "off", value: "off|open|HOST", group: GroupServer, list: true,
			help: "Unregistered clients whose client_id is the URL of their metadata document: off, open, or the hosts whose " +
				"documents are accepted.",
			set: to(&s.Server.ClientDocuments, setClientDocuments),
		},
		{
			name: "outbound-allow", value: "CIDR", group: GroupOutbound, list: true, emptyable: true,
			help: "Private networks that the URLs of clients added by the operator may point to (jwks_uri, logo_uri, " +
				"backchannel_logout_uri), and webhooks. URLs of other clients never reach them.",
			set: to(&s.Server.OutboundAllow, setPrefixes),
		},
		{
			name: "shutdown-delay", preset: "0s", value: "DURATION", group: GroupServer,
			help: "How long the server goes on serving after SIGTERM, not ready, so that load balancers notice before it refuses connections.",
			set:  to(&s.Server.ShutdownDelay, setDelay),
		},
		{
			name: "trusted-proxies", value: "CIDR", group: GroupServer, list: true, emptyable: true,
			help: "Networks of the proxies whose X-Forwarded-* and Forwarded headers are trusted.", set: to(&s.Server.TrustedProxies, setPrefixes),
		},
		{
			name: "cors-origins", value: "ORIGIN", group: GroupServer, list: true, emptyable: true,
			help: "Browser origins allowed in addition to those of registered clients.", set: to(&s.Server.CORSOrigins, setOrigins),
		},
		{
			name: "cors-credentials", preset: "off", value: "on|off", group: GroupServer,
			help: "Pages of --cors-origins may send credentials (Access-Control-Allow-Credentials), as with CORS_ALLOW_CREDENTIALS of django-cors-headers.",
			set:  to(&s.Server.CORSCredentials, setSwitch),
		},
		{
			name: "claims", value: "CLAIM=SOURCE", group: GroupServer, list: true, pairs: true, emptyable: true,
			help: "Claims about users besides the standard ones, or in place of them: CLAIM=SOURCE, or CLAIM=SOURCE in TARGET TARGET. " +
				"Sources: " + strings.Join(claims.Sources(), ", ") + ". Targets: " + strings.Join(claims.Targets(), ", ") + ".",
			set: to(&s.claimRules, setRules),
		},
		{
			name: "scopes", value: "SCOPE=CLAIM", group: GroupServer, list: true, pairs: true, emptyable: true,
			help: "Scopes besides the standard ones, with the claims that they bring: SCOPE=CLAIM CLAIM. A claim of --claims that no scope " +
				"brings is in every token.",
			set: to(&s.claimScopes, setScopes),
		},
		{
			name: "log-format", value: "text|json", group: GroupLog,
			presetText: "text on a terminal, else json",
			help:       "Format of the log.", set: choice(&s.LogFormat, "text", "json"),
		},
		{
			name: "log-level", preset: "info", value: "LEVEL", group: GroupLog,
			help: "Minimum level that is logged: debug, info, warn or error.", set: to(&s.LogLevel, setLevel),
		},
		{
			name: "access-token-ttl", preset: "15m", value: "DURATION", group: GroupLifetimes,
			help: "Lifetime of access tokens, unless the client has its own.", set: to(&s.Server.AccessTokenTTL, setLifetime),
		},
		{
			name: "refresh-token-ttl", preset: "30d", value: "DURATION", group: GroupLifetimes,
			help: "Maximum lifetime of sessions, unless the client has its own.", set: to(&s.Server.RefreshTokenTTL, setLifetime),
		},
		{
			name: "refresh-token-idle-ttl", preset: "14d", value: "DURATION", group: GroupLifetimes,
			help: "Sessions that are not refreshed for this long end, unless the client has its own.", set: to(&s.Server.RefreshTokenIdleTTL, setLifetime),
		},
		{
			name: "rotation", preset: "confirmed", value: "confirmed|strict", group: GroupLifetimes,
			help: "How refresh tokens are rotated, unless the client has its own policy: confirmed (one is retired when its successor is " +
				"first used, and works on for --rotation-overlap) or strict (at once). The simplejwt routes have --simplejwt-rotation.",
			set: choice(&s.Server.Rotation, "confirmed", "strict"),
		},
		{
			name: "rotation-overlap", value: "DURATION", group: GroupLifetimes,
			presetText: "confirmed: 10s, strict: 0s",
			help:       "How long a rotated refresh token still works, unless the client has its own overlap.", set: to(&s.Server.RotationOverlap, setOptionalWait),
		},
		{
			name: "browser-session-ttl", preset: "24h", value: "DURATION", group: GroupServer,
			help: "Maximum time that a browser stays signed in.", set: to(&s.Server.BrowserSessionTTL, setLifetime),
		},
		{
			name: "browser-session-idle-ttl", preset: "8h", value: "DURATION", group: GroupServer,
			help: "A browser that is not used for this long is signed out.", set: to(&s.Server.BrowserSessionIdleTTL, setLifetime),
		},
		{
			name: "browser-session-remember-ttl", preset: "30d", value: "DURATION", group: GroupServer,
			help: "How long a browser stays signed in if the user asked to be remembered; there is no idle timeout then.",
			set:  to(&s.Server.BrowserSessionRememberTTL, setLifetime),
		},
		{
			name: "pages-dir", value: "DIR", group: GroupServer, emptyable: true,
			help: "Directory with overrides for the pages: name, logo, colours and texts.", set: to(&s.Server.PagesDir, setFolder),
		},
		{
			name: "product-name", value: "NAME", group: GroupServer, emptyable: true,
			presetText: "that of brand.json, or Latchkey",
			help:       "Name of the service on pages and in letters.", set: to(&s.Server.Look.Name, setName),
		},
		{
			name: "logo", value: "FILE", group: GroupServer, emptyable: true,
			help: "Image file (SVG, PNG, JPEG, WebP or GIF, at most 1 MiB) above the pages, in place of the name.", set: to(&s.Server.Look.Logo, setLogo),
		},
		{
			name: "accent", value: "#RRGGBB", group: GroupServer, emptyable: true,
			help: "Colour of buttons and links; refused if it is hard to read.", set: to(&s.Server.Look.Accent, setAccent(colour.Light())),
		},
		{
			name: "accent-dark", value: "#RRGGBB", group: GroupServer, emptyable: true,
			presetText: "made from --accent",
			help:       "The same in the dark colour scheme.", set: to(&s.Server.Look.AccentDark, setAccent(colour.Dark())),
		},
		{
			name: "terms-url", value: "URL", group: GroupServer, emptyable: true,
			help: "Terms of service: a link below each page and at sign-up.", set: to(&s.Server.Look.TermsURL, setLink("https://www.example.com/terms/")),
		},
		{
			name: "privacy-url", value: "URL", group: GroupServer, emptyable: true,
			help: "Privacy policy: a link below each page and at sign-up.", set: to(&s.Server.Look.PrivacyURL, setLink("https://www.example.com/privacy/")),
		},
		{
			name: "support-url", value: "URL", group: GroupServer, emptyable: true,
			help: "Help for people who can't sign in: a link below each page, https or mailto.", set: to(&s.Server.Look.SupportURL, setSupport),
		},
		{
			name: "smtp-url", value: "URL", group: GroupServer, secret: true, emptyable: true,
			help: "Mail server that accepts letters: smtp://USER@HOST:587 (STARTTLS, which is demanded) or smtps://USER@HOST:465; ?tls=off for a relay " +
				"without TLS. Without it all that needs mail is off (docs/accounts.md).",
			set: to(&s.smtpURL, setText[storage.Secret]),
		},
		{
			name: "smtp-password", value: "TEXT", group: GroupServer, secret: true, emptyable: true,
			help: "Password of the user of --smtp-url, in place of one in the URL.", set: to(&s.smtpPassword, setText[storage.Secret]),
		},
		{
			name: "mail-from", value: "ADDRESS", group: GroupServer, emptyable: true,
			help: "Sender of letters, like \"Example <no-reply@example.com>\"; required with --smtp-url.", set: to(&s.Server.Mail.From, setMailbox),
		},
		{
			name: "mail-templates", value: "DIR", group: GroupServer, emptyable: true,
			help: "Directory with templates of letters in place of the built-in ones (docs/accounts.md).", set: to(&s.Server.Mail.Templates, setFolder),
		},
		{
			name: "sign-up", preset: "off", value: "off|invite|open", group: GroupServer,
			help: "Sign-up: off, with an invitation of `latchkey user invite`, or open to every person who proves an address (needs --smtp-url).",
			set:  choice(&s.Server.SignUp, selfhelp.SignUpOff, selfhelp.SignUpInvite, selfhelp.SignUpOpen),
		},
		{
			name: "login-throttle", preset: "on", value: "on|off", group: GroupServer,
			help: "Limit on password guessing; off is for load tests. The limits on letters and codes stay on.", set: to(&s.Server.LoginThrottle, setSwitch),
		},
		{
			name: "breached-passwords-url", value: "URL", group: GroupServer, emptyable: true,
			help: "Where new passwords are looked up in a list of those that have leaked, besides the common ones that are refused anyway: the first five digits " +
				"of their SHA-1 hash are appended, as for https://api.pwnedpasswords.com/range/. Without an answer within 3 s a password is accepted.",
			set: to(&s.Server.BreachedPasswordsURL, setRange),
		},
		{
			name: "second-factor", value: "off|optional|required", group: GroupServer,
			presetText: "optional; with --users-from django: off",
			help: "Whether logins need a second factor: off, optional (those who have added one are asked) or required " +
				"(others add one at their next login). See docs/second-factors.md.",
			set: choice(&s.Server.SecondFactor, factors.Off, factors.Optional, factors.Required),
		},
		{
			name: "second-factor-groups", value: "GROUPS", group: GroupServer, emptyable: true,
			help: "Groups whose members need a second factor although it is optional.",
			set:  to(&s.Server.SecondFactorGroups, setGroups),
		},
		{
			name: "audit-retention", preset: "365d", value: "DURATION", group: GroupServer,
			help: "How long audit events are kept; 0 means for ever. Postgres drops whole months.",
			set:  to(&s.Server.AuditRetention, setWait),
		},
		{
			name: "login-names", preset: "username", value: "NAMES", group: GroupLogins,
			help: "Names that a person may sign in with: username, email or username,email. A name that two users have signs in neither.",
			set:  to(&s.Server.LoginNames, setLoginNames),
		},
		{
			name: "login-case", preset: "exact", value: "exact|fold", group: GroupLogins,
			help: "Whether the case of these names matters; fold ignores that of the letters A to Z.", set: either(&s.Server.LoginNames.Fold, "exact", "fold"),
		},
		{
			name: "argon2", preset: "m=19456,t=2,p=1", value: "m=,t=,p=", group: GroupHashing,
			help: "Cost of new password hashes (argon2id): KiB of memory, passes, lanes.", set: to(&s.Server.Argon2, setArgon2),
		},
		{
			name: "password-rehash", preset: "on", value: "on|off", group: GroupLogins,
			presetText: "on; with --users-from django: off",
			help:       "Whether a login replaces a password hash of another format or cost than new ones have. off is for as long as another system reads the hashes too.",
			set:        either(&s.Server.KeepPasswordHashes, "on", "off"),
		},
		{
			name: "require-pkce", preset: "default", value: "default|all", group: GroupServer,
			help: "Who must use PKCE (RFC 7636). default: public clients, and others unless they send an OpenID nonce or have " +
				"--no-require-pkce. all: every client, also those.",
			set: either(&s.Server.RequirePKCE, "default", "all"),
		},
		{
			name: "client-assertion-audience", preset: "any", value: "any|issuer", group: GroupServer,
			help: "Audience of client assertions (private_key_jwt). any: the issuer or the URL of the token or PAR endpoint, also in a list. " +
				"issuer: the issuer as a single string, as FAPI 2.0 demands.",
			set: either(&s.Server.AssertionsForIssuerOnly, "any", "issuer"),
		},
		{
			name: "dpop-nonce", preset: "optional", value: "optional|required", group: GroupServer,
			help: "Nonce of DPoP proofs (RFC 9449, section 8). optional: one is offered, and checked when a proof has one. required: each proof " +
				"must have one, so that none can be made long before it is used; clients repeat their first request.",
			set: either(&s.Server.RequireDPoPNonce, "optional", "required"),
		},
		{
			name: "resource-policy", preset: "registered", value: "registered|any", group: GroupServer,
			help: "Resources (RFC 8707) that a client without a list of its own may request: those added with " +
				"`latchkey resource add`, or any absolute URI.",
			set: either(&s.Server.AnyResource, "registered", "any"),
		},
	}, simpleJWTOptions(&s.Server.SimpleJWT, s)...)
}
