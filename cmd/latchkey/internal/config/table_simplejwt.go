package config

import (
	"strings"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/simplejwt"
	"latchkey/storage"
)

// simpleJWTOptions are named after the settings of djangorestframework-simplejwt.
func simpleJWTOptions(jwt *server.SimpleJWT, s *Settings) []*option {
	return []*option{
		{
			name: "simplejwt", preset: "on", value: "on|off", group: GroupSimpleJWT,
			help: "The routes under /api/token/; off returns 404.", set: to(&jwt.Enabled, setSwitch),
		},
		{
			name: "simplejwt-sunset", value: "TIME", group: GroupSimpleJWT, emptyable: true,
			help: "When these routes will be removed, as 2027-01-31 or RFC 3339: announced in a Sunset header (RFC 8594). " +
				"They keep working until --simplejwt is off.",
			set: to(&jwt.Sunset, setMoment),
		},
		{
			name: "simplejwt-algorithm", preset: "HS256", value: "ALG", group: GroupSimpleJWT,
			help: "ALGORITHM: HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512 or EdDSA.",
			set:  choice(&jwt.Algorithm, "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"),
		},
		{
			name: "simplejwt-signing-key", value: "TEXT", group: GroupSimpleJWT, secret: true, emptyable: true,
			presetText: "HS*: derived from the root secret; else Latchkey's own keys",
			help: "SIGNING_KEY: with Django's (SECRET_KEY, or the private key in PEM for RS*, ES* and EdDSA), downstream APIs and existing tokens " +
				"keep working. The public key is published at /oauth2/jwks.",
			set: to(&jwt.SigningKey, setText),
		},
		{
			name: "simplejwt-verifying-key", value: "PEM", group: GroupSimpleJWT, secret: true, emptyable: true,
			help: "VERIFYING_KEY for RS*, ES* and EdDSA: the public key in PEM, where Django's private key is to stay away from here. Its tokens are " +
				"accepted, and Latchkey signs with its own keys, which the APIs read by JWK_URL.",
			set: to(&jwt.VerifyingKey, setText),
		},
		{
			name: "simplejwt-adopt-until", value: "TIME", group: GroupSimpleJWT, emptyable: true,
			help: "Until when refresh and sliding tokens that Django signed with the key of --simplejwt-signing-key or --simplejwt-verifying-key are accepted, as 2027-01-31 or " +
				"RFC 3339. Set it to the end of the last token that Django has issued: until then every holder of the key can make such tokens.",
			set: to(&jwt.AdoptUntil, setMoment),
		},
		{
			name: "simplejwt-blacklist-writeback", preset: "off", value: "on|off", group: GroupSimpleJWT,
			help: "Until --simplejwt-adopt-until, write the refresh tokens of sessions that end here to Django's blacklist in --django-database-url, " +
				"so that no session lives again on a way back. Its role needs SELECT and INSERT on both tables of token_blacklist.",
			set: to(&s.BlacklistWriteback, setSwitch),
		},
		{
			name: "simplejwt-access-token-lifetime", preset: "5m", value: "DURATION", group: GroupSimpleJWT,
			help: "ACCESS_TOKEN_LIFETIME.", set: to(&jwt.AccessTokenLifetime, setLifetime),
		},
		{
			name: "simplejwt-refresh-token-lifetime", preset: "1d", value: "DURATION", group: GroupSimpleJWT,
			help: "REFRESH_TOKEN_LIFETIME. Each rotation starts it again, up to --refresh-token-ttl.", set: to(&jwt.RefreshTokenLifetime, setLifetime),
		},
		{
			name: "simplejwt-compat", preset: "5.2", value: "5.2|5.5", group: GroupSimpleJWT,
			help: "Release of simplejwt to follow where releases differ.", set: choice(&jwt.Compat, "5.2", "5.5"),
		},
		{
			name: "simplejwt-rotation", preset: "confirmed", value: "POLICY", group: GroupSimpleJWT,
			help: "How refresh tokens are rotated: strict, confirmed, reissue or off.", set: choice(&jwt.Rotation, "strict", "confirmed", "reissue", "off"),
		},
		{
			name: "password-grant-second-factor", preset: "refuse", value: "refuse|ignore|append", group: GroupSimpleJWT,
			help: "What /api/token/ does for users who have a second factor: refuse them, ignore it, or expect the six digits of their app " +
				"appended to the password.",
			set: choice(&jwt.SecondFactor, clients.SecondFactorRefuse, clients.SecondFactorIgnore, clients.SecondFactorAppend),
		},
		{
			name: "simplejwt-rotation-overlap", value: "DURATION", group: GroupSimpleJWT,
			presetText: "confirmed: 10s, strict: 0s",
			help:       "How long a rotated refresh token still works.", set: to(&jwt.RotationOverlap, setOptionalWait),
		},
		{
			name: "simplejwt-on-reuse", preset: "revoke", value: "revoke|reject", group: GroupSimpleJWT,
			help: "What happens when a retired refresh token is used: revoke ends its session, reject only refuses it.",
			set:  choice(&jwt.OnReuse, "revoke", "reject"),
		},
		{
			name: "simplejwt-username-field", preset: "username", value: "NAME", group: GroupSimpleJWT,
			help: "Name of the login field in bodies and error messages: the user model's USERNAME_FIELD.", set: to(&jwt.UsernameField, setField),
		},
		{
			name: "simplejwt-user-id-claim", preset: "user_id", value: "NAME", group: GroupSimpleJWT,
			help: "USER_ID_CLAIM.", set: to(&jwt.UserIDClaim, setClaim),
		},
		{
			name: "simplejwt-user-id-type", value: "string|integer", group: GroupSimpleJWT,
			presetText: "compat 5.2: integer, 5.5: string",
			help:       "JSON type of the user's id in the claim; sub is always a string.", set: choice(&s.userIDType, "string", "integer"),
		},
		{
			name: "simplejwt-issuer", value: "TEXT", group: GroupSimpleJWT, emptyable: true,
			help: "ISSUER.", set: to(&jwt.Issuer, setText),
		},
		{
			name: "simplejwt-audience", value: "TEXT", group: GroupSimpleJWT, list: true, emptyable: true,
			help: "AUDIENCE: written into tokens, as a list if it is several; a token is accepted if it has one of them.", set: to(&jwt.Audience, setTexts),
		},
		{
			name: "simplejwt-leeway", preset: "0s", value: "DURATION", group: GroupSimpleJWT,
			help: "LEEWAY: allowed clock difference for expiry and issue times.", set: to(&jwt.Leeway, setWait),
		},
		{
			name: "simplejwt-claims", value: "NAME", group: GroupSimpleJWT, list: true, emptyable: true,
			help: "User claims added to tokens, read again at each refresh: " +
				strings.Join(simplejwt.UserClaims(), ", ") + ".",
			set: to(&jwt.Claims, setUserClaims),
		},
		{
			name: "simplejwt-claims-query", value: "SQL", group: GroupSimpleJWT, emptyable: true,
			help: "Claims of the site's own: a SELECT with the user's id as $1, one row, whose columns become claims at each login and refresh. It runs in " +
				"the database that has Django's tables (Postgres), in a transaction that can't write (docs/django-users.md).",
			set: to(&s.ClaimsQuery, setText[string]),
		},
		{
			name: "simplejwt-answer-claims", value: "NAME", group: GroupSimpleJWT, list: true, emptyable: true,
			help: "Claims that the answer of a login has beside its tokens.", set: to(&jwt.AnswerClaims, setAnswerClaims),
		},
		{
			name: "django-hook", value: "URL", group: GroupSimpleJWT, emptyable: true,
			help: "URL of the site's that is asked at each login on these routes for more claims and more fields of the answer (docs/django-users.md).",
			set:  to(&jwt.HookURL, setLink("https://www.example.com/latchkey/login/")),
		},
		{
			name: "django-hook-key", value: "TEXT", group: GroupSimpleJWT, secret: true, emptyable: true,
			help: "Key of the MAC by which the site knows that Latchkey asks: at least 32 bytes, which only both have.", set: to(&jwt.HookKey, setText[storage.Secret]),
		},
		{
			name: "simplejwt-sliding", preset: "off", value: "on|off", group: GroupSimpleJWT,
			help: "Sliding tokens: /api/token/sliding/ and /api/token/sliding/refresh/; off returns 404.", set: to(&jwt.Sliding, setSwitch),
		},
		{
			name: "simplejwt-sliding-token-lifetime", preset: "5m", value: "DURATION", group: GroupSimpleJWT,
			help: "SLIDING_TOKEN_LIFETIME.", set: to(&jwt.SlidingTokenLifetime, setLifetime),
		},
		{
			name: "simplejwt-sliding-token-refresh-lifetime", preset: "1d", value: "DURATION", group: GroupSimpleJWT,
			help: "SLIDING_TOKEN_REFRESH_LIFETIME: how long after the login a sliding token can be refreshed, up to --refresh-token-ttl.",
			set:  to(&jwt.SlidingTokenRefreshLifetime, setLifetime),
		},
		{
			name: "simplejwt-update-last-login", preset: "off", value: "on|off", group: GroupSimpleJWT,
			help: "UPDATE_LAST_LOGIN: whether a login on these routes updates the user's last login.", set: to(&jwt.UpdateLastLogin, setSwitch),
		},
		{
			name: "simplejwt-refresh-cookie", value: "NAME", group: GroupSimpleJWT, emptyable: true,
			help: "Keeps the refresh token in the HttpOnly cookie __Host-NAME instead of the bodies; only pages of the issuer's " +
				"origin and of --cors-origins may use it.",
			set: to(&jwt.RefreshCookie, setCookieName),
		},
		{
			name: "simplejwt-refresh-cookie-legacy", value: "NAME", group: GroupSimpleJWT, list: true, emptyable: true,
			help: "Cookies in which Django keeps the refresh token, such as JWT_AUTH_REFRESH_COOKIE of dj-rest-auth, as NAME or " +
				"NAME;Path=/auth;Domain=example.com. Until --simplejwt-adopt-until they are read beside --simplejwt-refresh-cookie and " +
				"hold the same token, so that Django finds the session on a way back; then they are removed.",
			set: to(&jwt.LegacyCookies, setLegacyCookies),
		},
	}
}
