package row

import (
	"slices"
	"time"

	"latchkey/storage"
)

// User lists the columns of users.
func User(u *storage.User) []Column {
	return UserWithProfile(u)
}

// Presence lists what is read of users to find those without an account; "seen" is an expression.
func Presence(p *storage.Presence) []Column {
	return []Column{{"id", &p.ID}, {"subject", (*NullText)(&p.Subject)}, {"seen", &p.Seen}, {"absent_since", &p.AbsentSince}}
}

// UserWithProfile lists the columns of users that are read together with another row where applications receive claims about the user.
func UserWithProfile(u *storage.User) []Column {
	return append(UserWithoutProfile(u), userProfile(&u.UserProfile)...)
}

// UserWithoutProfile lists the columns of users that decide whether they may do something; they are read with each refresh.
func UserWithoutProfile(u *storage.User) []Column {
	return []Column{
		{"id", (*NullInt)(&u.ID)},
		{"username", &u.Username},
		{"email", &u.Email},
		{"active", &u.Active},
		{"staff", &u.Staff},
		{"auth_epoch", &u.AuthEpoch},
		{"created_at", &u.CreatedAt},
		{"last_login", &u.LastLogin},
		{"subject", (*NullText)(&u.Subject)},
		{"password_hash", &u.PasswordHash},
	}
}

func userProfile(p *storage.UserProfile) []Column {
	return []Column{
		{"email_verified", &p.EmailVerified},
		{"name", &p.Name},
		{"given_name", &p.GivenName},
		{"family_name", &p.FamilyName},
		{"picture", &p.Picture},
		{"locale", &p.Locale},
		{"zoneinfo", &p.ZoneInfo},
		{"groups", (*Texts)(&p.Groups)},
		{"attributes", &p.Attributes},
		{"updated_at", &p.UpdatedAt},
	}
}

// UserChange lists the columns that a change of a user sets.
func UserChange(c *storage.UserChange, now *time.Time) []Column {
	columns := []Column{{"updated_at", now}}
	add := func(name string, field any, given bool) {
		if given {
			columns = append(columns, Column{name, field})
		}
	}
	add("username", c.Username, c.Username != nil)
	add("email", c.Email, c.Email != nil)
	add("email_verified", c.EmailVerified, c.EmailVerified != nil)
	add("staff", c.Staff, c.Staff != nil)
	add("name", c.Name, c.Name != nil)
	add("given_name", c.GivenName, c.GivenName != nil)
	add("family_name", c.FamilyName, c.FamilyName != nil)
	add("picture", c.Picture, c.Picture != nil)
	add("locale", c.Locale, c.Locale != nil)
	add("zoneinfo", c.ZoneInfo, c.ZoneInfo != nil)
	add("groups", (*Texts)(c.Groups), c.Groups != nil)
	add("attributes", c.Attributes, c.Attributes != nil)
	return columns
}

// UserState lists the columns that UserChange can change, with what u has in them.
func UserState(u *storage.User) []Column {
	return UserChange(&storage.UserChange{
		Username: &u.Username, Email: &u.Email, EmailVerified: &u.EmailVerified, Staff: &u.Staff, Name: &u.Name, GivenName: &u.GivenName,
		FamilyName: &u.FamilyName, Picture: &u.Picture, Locale: &u.Locale, ZoneInfo: &u.ZoneInfo, Groups: &u.Groups, Attributes: &u.Attributes,
	}, nil)[1:]
}

// ProvisionedChange lists the columns that a change sets, besides the epoch. UpdatedAt is about the profile and what is kept beside it.
func ProvisionedChange(c *storage.ProvisionedChange) []Column {
	columns := UserChange(&c.UserChange, &c.Now)
	if len(columns) == 1 && c.Attributes == nil {
		columns = nil
	}
	if c.Active != nil {
		columns = append(columns, Column{"active", c.Active})
	}
	if c.PasswordHash != nil {
		columns = append(columns, Column{"password_hash", c.PasswordHash})
	}
	return columns
}

// ProvisionedState lists the columns that a provisioned user must have as u has them for a change of what was read.
func ProvisionedState(u *storage.User) []Column {
	return append(UserState(u), Column{"active", &u.Active})
}

// Client lists the columns of clients.
func Client(c *storage.Client) []Column {
	return []Column{
		{"id", &c.ID},
		{"metadata", &c.Metadata},
		{"secret_mac", &c.SecretMAC},
		{"previous_secret_mac", &c.PreviousSecretMAC},
		{"previous_secret_expires_at", &c.PreviousSecretExpiresAt},
		{"disabled", &c.Disabled},
		{"auth_epoch", &c.AuthEpoch},
		{"version", &c.Version},
		{"created_at", &c.CreatedAt},
		{"updated_at", &c.UpdatedAt},
		{"origin", (*string)(&c.Origin)},
		{"registration_mac", &c.RegistrationMAC},
		{"registration_key", &c.RegistrationKey},
		{"expires_at", &c.ExpiresAt},
	}
}

// Grant lists the columns of grants.
func Grant(g *storage.Grant) []Column {
	return []Column{
		{"id", &g.ID},
		{"client_id", &g.ClientID},
		{"user_id", &g.UserID},
		{"scope", &g.Scope},
		{"audience", &g.Audience},
		{"offered", &g.Offered},
		{"user_epoch", &g.UserEpoch},
		{"client_epoch", &g.ClientEpoch},
		{"session_id", &g.SessionID},
		{"auth_time", &g.AuthTime},
		{"amr", &g.AMR},
		{"claims", &g.Claims},
		{"dpop_jkt", (*NullText)(&g.DPoPKey)},
		{"created_at", &g.CreatedAt},
		{"expires_at", &g.ExpiresAt},
		{"address", &g.Address},
		{"user_agent", &g.UserAgent},
		{"current_id", (*Token)(&g.Current)},
		{"generation", &g.Generation},
		{"current_expires_at", &g.CurrentExpiresAt},
		{"window_at", &g.WindowAt},
		{"windows", &g.Windows},
		{"previous_id", &g.Previous},
		{"previous_retired_at", &g.PreviousRetiredAt},
		{"network", (*NullInt)(&g.Sharing.Network)},
		{"elsewhere", &g.Sharing.Elsewhere},
		{"joins", &g.Sharing.Joins},
		{"joined_generation", &g.Sharing.JoinedGeneration},
		{"last_used_at", &g.LastUsedAt},
		{"revoked_at", &g.RevokedAt},
		{"revoke_reason", &g.RevokeReason},
	}
}

// judged are the columns of grants that no token is made of: the guards of an attempt have judged them, or they are for operators.
var judged = []string{
	"offered", "client_epoch", "dpop_jkt", "address", "user_agent", "previous_id", "previous_retired_at", "network", "elsewhere", "joins",
	"joined_generation", "revoked_at", "revoke_reason",
}

// moved are the indexes of the other columns in what Grant returns: each refresh asks for them.
var moved = func() (indexes []int) {
	for i, c := range Grant(&storage.Grant{}) {
		if !slices.Contains(judged, c.Name) {
			indexes = append(indexes, i)
		}
	}
	return indexes
}()

// MovedGrant lists what an answer to an attempt has of the grant: what tokens are made of.
func MovedGrant(g *storage.Grant) []Column {
	all := Grant(g)
	for i, index := range moved {
		all[i] = all[index]
	}
	return all[:len(moved)]
}

// GrantClient lists what is read of the client c of a grant.
func GrantClient(g *storage.LiveGrant) []Column {
	return []Column{
		{"c.id IS NOT NULL", &g.ClientExists}, {"c.disabled", &g.ClientDisabled}, {"c.auth_epoch", &g.ClientAuthEpoch},
	}
}

// AuthorizationCode lists the columns of authorization_codes.
func AuthorizationCode(c *storage.AuthorizationCode) []Column {
	return []Column{
		{"hash", &c.Hash},
		{"client_id", &c.ClientID},
		{"user_id", &c.UserID},
		{"session_id", &c.SessionID},
		{"user_epoch", &c.UserEpoch},
		{"client_epoch", &c.ClientEpoch},
		{"redirect_uri", &c.RedirectURI},
		{"code_challenge", &c.CodeChallenge},
		{"scope", &c.Scope},
		{"audience", &c.Audience},
		{"offered", &c.Offered},
		{"nonce", &c.Nonce},
		{"auth_time", &c.AuthTime},
		{"amr", &c.AMR},
		{"claims", &c.Claims},
		{"dpop_jkt", (*NullText)(&c.DPoPKey)},
		{"created_at", &c.CreatedAt},
		{"valid_until", &c.ValidUntil},
		{"expires_at", &c.ExpiresAt},
		{"redeemed_at", &c.RedeemedAt},
		{"grant_id", &c.GrantID},
	}
}

// DeviceCode lists the columns of device_codes.
func DeviceCode(c *storage.DeviceCode) []Column {
	return []Column{
		{"hash", &c.Hash},
		{"user_code", &c.UserCode},
		{"client_id", &c.ClientID},
		{"client_epoch", &c.ClientEpoch},
		{"scope", &c.Scope},
		{"audience", &c.Audience},
		{"offered", &c.Offered},
		{"address", &c.Address},
		{"user_agent", &c.UserAgent},
		{"created_at", &c.CreatedAt},
		{"valid_until", &c.ValidUntil},
		{"expires_at", &c.ExpiresAt},
		{"poll_interval", &c.Interval},
		{"polled_at", &c.PolledAt},
		{"slowed", &c.Slowed},
		{"decision", (*string)(&c.Decision)},
		{"user_id", (*NullInt)(&c.UserID)},
		{"user_epoch", &c.UserEpoch},
		{"auth_time", &c.AuthTime},
		{"amr", &c.AMR},
		{"redeemed_at", &c.RedeemedAt},
		{"grant_id", &c.GrantID},
	}
}

// BrowserSession lists the columns of browser_sessions.
func BrowserSession(b *storage.BrowserSession) []Column {
	return []Column{
		{"hash", &b.Hash},
		{"id", &b.ID},
		{"user_id", &b.UserID},
		{"user_epoch", &b.UserEpoch},
		{"created_at", &b.CreatedAt},
		{"auth_time", &b.AuthTime},
		{"amr", &b.AMR},
		{"last_seen_at", &b.LastSeenAt},
		{"expires_at", &b.ExpiresAt},
		{"remember", &b.Remember},
		{"address", &b.Address},
		{"user_agent", &b.UserAgent},
	}
}

// Consent lists the columns of consents.
func Consent(c *storage.Consent) []Column {
	return []Column{
		{"user_id", &c.UserID},
		{"client_id", &c.ClientID},
		{"scope", &c.Scope},
		{"audience", &c.Audience},
		{"fingerprint", &c.Fingerprint},
		{"created_at", &c.CreatedAt},
		{"updated_at", &c.UpdatedAt},
		{"resources", &c.At},
		{"resources_fingerprint", &c.AtFingerprint},
	}
}

// PushedRequest lists the columns of pushed_requests.
func PushedRequest(p *storage.PushedRequest) []Column {
	return []Column{
		{"hash", &p.Hash}, {"client_id", &p.ClientID}, {"parameters", &p.Parameters}, {"created_at", &p.CreatedAt}, {"expires_at", &p.ExpiresAt},
	}
}

// IdempotencyKey lists the columns of idempotency_keys.
func IdempotencyKey(k *storage.IdempotencyKey) []Column {
	return []Column{
		{"hash", &k.Hash}, {"request", &k.Request}, {"result", &k.Result}, {"created_at", &k.CreatedAt}, {"expires_at", &k.ExpiresAt},
	}
}

// Factor lists the columns of factors.
func Factor(f *storage.Factor) []Column {
	return []Column{
		{"id", &f.ID},
		{"user_id", &f.UserID},
		{"kind", (*string)(&f.Kind)},
		{"lookup", &f.Lookup},
		{"name", &f.Name},
		{"data", &f.Data},
		{"counter", &f.Counter},
		{"user_epoch", &f.UserEpoch},
		{"created_at", &f.CreatedAt},
		{"last_used_at", &f.LastUsedAt},
		{"expires_at", &f.ExpiresAt},
	}
}

// LogoutNotice lists the columns of logout_notices.
func LogoutNotice(n *storage.LogoutNotice) []Column {
	return []Column{
		{"id", &n.ID},
		{"client_id", &n.ClientID},
		{"user_id", &n.UserID},
		{"session_id", &n.SessionID},
		{"created_at", &n.CreatedAt},
		{"next_attempt_at", &n.NextAttemptAt},
		{"attempts", &n.Attempts},
		{"expires_at", &n.ExpiresAt},
		{"subject", (*NullText)(&n.Subject)},
	}
}

// AccountToken lists the columns of account_tokens.
func AccountToken(t *storage.AccountToken) []Column {
	return []Column{
		{"hash", &t.Hash},
		{"purpose", &t.Purpose},
		{"request_id", &t.RequestID},
		{"user_id", (*NullInt)(&t.UserID)},
		{"user_epoch", &t.UserEpoch},
		{"data", &t.Data},
		{"created_at", &t.CreatedAt},
		{"expires_at", &t.ExpiresAt},
	}
}

// OutboxMessage lists the columns of outbox.
func OutboxMessage(m *storage.OutboxMessage) []Column {
	return []Column{
		{"id", &m.ID},
		{"kind", &m.Kind},
		{"key", &m.Key},
		{"payload", &m.Payload},
		{"created_at", &m.CreatedAt},
		{"next_attempt_at", &m.NextAttemptAt},
		{"attempts", &m.Attempts},
		{"give_up_at", &m.GiveUpAt},
		{"expires_at", &m.ExpiresAt},
	}
}

// UndeliveredLetter lists the columns of undelivered_letters.
func UndeliveredLetter(l *storage.UndeliveredLetter) []Column {
	return []Column{
		{"id", &l.ID},
		{"name", &l.Name},
		{"user_id", (*NullInt)(&l.UserID)},
		{"request_id", &l.RequestID},
		{"recipient", &l.Recipient},
		{"lang", &l.Lang},
		{"details", &l.Details},
		{"queued_at", &l.QueuedAt},
		{"attempts", &l.Attempts},
		{"refused", &l.Refused},
		{"last_error", &l.LastError},
		{"abandoned_at", &l.AbandonedAt},
		{"expires_at", &l.ExpiresAt},
	}
}

// Webhook lists the columns of webhooks.
func Webhook(w *storage.Webhook) []Column {
	return []Column{
		{"id", &w.ID},
		{"url", &w.URL},
		{"name", &w.Name},
		{"event_types", &w.Types},
		{"secret", &w.Secret},
		{"previous_secret", &w.PreviousSecret},
		{"previous_secret_expires_at", &w.PreviousSecretExpiresAt},
		{"version", &w.Version},
		{"created_at", &w.CreatedAt},
		{"updated_at", &w.UpdatedAt},
		{"disabled_at", &w.DisabledAt},
		{"disabled_reason", &w.DisabledReason},
		{"cursor", &w.Cursor},
		{"relay_owner", &w.RelayOwner},
		{"relay_until", &w.RelayUntil},
		{"last_attempt_at", &w.LastAttemptAt},
		{"last_success_at", &w.LastSuccessAt},
		{"last_status", &w.LastStatus},
		{"last_error", &w.LastError},
		{"failing_since", &w.FailingSince},
		{"abandoned", &w.Abandoned},
	}
}

// RegistrationToken lists the columns of registration_tokens.
func RegistrationToken(t *storage.RegistrationToken) []Column {
	return []Column{
		{"id", &t.ID},
		{"hash", &t.Hash},
		{"name", &t.Name},
		{"uses", &t.Uses},
		{"policy", &t.Policy},
		{"created_at", &t.CreatedAt},
		{"expires_at", &t.ExpiresAt},
	}
}

// SigningKey lists the columns of signing_keys.
func SigningKey(k *storage.SigningKey) []Column {
	return []Column{
		{"kid", &k.KID},
		{"algorithm", &k.Algorithm},
		{"sequence", &k.Sequence},
		{"sealed", &k.Sealed},
		{"public_key", &k.Public},
		{"created_at", &k.CreatedAt},
		{"activates_at", &k.ActivatesAt},
		{"retires_at", &k.RetiresAt},
		{"expires_at", &k.ExpiresAt},
	}
}

// Resource lists the columns of resources.
func Resource(r *storage.Resource) []Column {
	return []Column{{"identifier", &r.Identifier}, {"name", &r.Name}, {"scopes", &r.Scopes}, {"created_at", &r.CreatedAt}}
}

// AuditEvent lists the columns of audit_events.
func AuditEvent(e *storage.AuditEvent) []Column {
	return []Column{
		{"id", &e.ID},
		{"at", &e.At},
		{"action", &e.Action},
		{"actor", &e.Actor},
		{"user_id", (*NullInt)(&e.UserID)},
		{"client_id", (*NullText)(&e.ClientID)},
		{"grant_id", &e.GrantID},
		{"address", &e.Address},
		{"request_id", &e.RequestID},
		{"outcome", &e.Outcome},
		{"reason", &e.Reason},
		{"details", &e.Details},
		{"actor_id", (*NullText)(&e.ActorID)},
	}
}

// ProvisionedGroup lists the columns of provisioned_groups.
func ProvisionedGroup(g *storage.ProvisionedGroup) []Column {
	return []Column{
		{"id", &g.ID},
		{"name", &g.Name},
		{"created_at", &g.CreatedAt},
		{"updated_at", &g.UpdatedAt},
	}
}

// Replica lists the columns of replicas.
func Replica(r *storage.Replica) []Column {
	return []Column{
		{"id", &r.ID},
		{"host", &r.Host},
		{"release", &r.Release},
		{"schema_version", &r.Schema},
		{"clock_ahead", &r.ClockAhead},
		{"started_at", &r.StartedAt},
		{"seen_at", &r.SeenAt},
		{"issuer", &r.Issuer},
	}
}

// EventCount lists the columns of event_counts.
func EventCount(c *storage.EventCount) []Column {
	return []Column{{"hour", &c.Hour}, {"action", &c.Action}, {"n", &c.N}}
}
