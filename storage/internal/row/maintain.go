package row

import "latchkey/storage"

// End says which rows of a table are removed when they have ended.
type End struct {
	// Removed is where they are counted.
	Removed    *int64
	Table, Key string
	// Changes is what Watch reports then, if anything.
	Changes storage.ChangeKind
}

// Ending lists the tables whose rows have an end, without grants.
func Ending(m *storage.Maintenance) []End {
	return []End{
		{&m.RevokedTokens, "revoked_tokens", "jti", ""},
		{&m.IssuedTokens, "issued_tokens", "jti", ""},
		{&m.Throttles, "throttles", "key", ""},
		{&m.BrowserSessions, "browser_sessions", "hash", ""},
		{&m.AuthorizationCodes, "authorization_codes", "hash", ""},
		{&m.DeviceCodes, "device_codes", "hash", ""},
		{&m.UsedJTIs, "used_jtis", "client_id, jti", ""},
		{&m.PushedRequests, "pushed_requests", "hash", ""},
		{&m.LogoutNotices, "logout_notices", "id", ""},
		{&m.RegistrationTokens, "registration_tokens", "id", ""},
		{&m.IdempotencyKeys, "idempotency_keys", "hash", ""},
		{&m.AccountTokens, "account_tokens", "hash", ""},
		{&m.OutboxMessages, "outbox", "id", ""},
		{&m.UndeliveredLetters, "undelivered_letters", "id", ""},
		{&m.Factors, "factors", "id", ""},
		{&m.Clients, "clients", "id", storage.ChangeClient}, // servers cache them
	}
}
