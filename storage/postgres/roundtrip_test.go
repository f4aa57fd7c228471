package postgres_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// open gives a store of this test's own; options are parameters of the URL.
func open(t testing.TB, cfg postgres.Config, options ...string) *postgres.Store {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = postgrestest.URL(t)
	}
	u, err := url.Parse(cfg.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for i := 0; i < len(options); i += 2 {
		q.Set(options[i], options[i+1])
	}
	u.RawQuery = q.Encode()
	cfg.URL = u.String()
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return noon }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := postgres.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.SetClock(cfg.Now)
	return s
}

// act is one call of the store.
type act struct {
	name string
	call func(context.Context) error
}

// acts are calls of every method that a request makes, in an order in which all of them succeed.
func acts(s *postgres.Store) []act {
	event := func(action string) *storage.AuditEvent {
		return &storage.AuditEvent{
			ID: storage.NewID(noon), At: noon, Action: action, Actor: "user", Outcome: "success",
			UserID: 7, ClientID: "c", Details: json.RawMessage(`{"a":"\u0000 \\u0000 \ud800"}`),
		}
	}
	user := &storage.User{ID: 7, Username: "ann", PasswordHash: "hash", Active: true, CreatedAt: noon}
	client := &storage.Client{ID: "c", Metadata: json.RawMessage(`{"client_name":"\u0000"}`), CreatedAt: noon, UpdatedAt: noon, SecretMAC: storage.Digest{1}}
	grant := &storage.Grant{
		ID: storage.NewID(noon), ClientID: "c", UserID: 7, Scope: []string{"a", "b"}, Current: storage.TokenID{1},
		UserEpoch: noon.UnixMicro(), ClientEpoch: noon.UnixMicro(), AuthTime: noon, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour),
		UserAgent: "a\x00b\xff",
	}
	bucket := storage.Bucket{Key: storage.Digest{1}, Burst: 5, Interval: time.Minute}
	other := storage.Bucket{Key: storage.Digest{2}, Burst: 5, Interval: time.Minute}
	login := &storage.Login{
		UserID: 7, GiveBack: []storage.Bucket{bucket, other}, Known: storage.Digest{3}, KnownUntil: noon.Add(time.Hour),
		SetLastLogin: noon, OldHash: "hash", NewHash: "hash2",
	}
	key := &storage.SigningKey{KID: "k", Algorithm: "ES256", Sequence: 1, Sealed: []byte{1}, Public: json.RawMessage(`{"kty":"EC"}`), CreatedAt: noon, ActivatesAt: noon}
	browser := &storage.BrowserSession{
		ID: storage.NewID(noon), Hash: storage.Digest{11}, UserID: 7, UserEpoch: noon.UnixMicro(), CreatedAt: noon, AuthTime: noon, AMR: []string{"pwd"},
		LastSeenAt: noon, ExpiresAt: noon.Add(time.Hour), UserAgent: "a\x00b\xff",
	}
	again := *browser
	again.Hash = storage.Digest{12}
	code := &storage.AuthorizationCode{
		Hash: storage.Digest{13}, ClientID: "c", UserID: 7, SessionID: browser.ID, UserEpoch: noon.UnixMicro(), ClientEpoch: noon.UnixMicro(),
		RedirectURI: "https://c/cb", Scope: []string{"openid"}, Nonce: "a\x00b\xff", Claims: `{"a":null}`,
		AuthTime: noon, CreatedAt: noon, ValidUntil: noon.Add(time.Minute), ExpiresAt: noon.Add(time.Hour),
	}
	redeemed := *grant
	redeemed.ID, redeemed.SessionID, redeemed.AMR, redeemed.Claims = storage.NewID(noon), browser.ID, browser.AMR, code.Claims
	device := &storage.DeviceCode{
		Hash: storage.Digest{19}, UserCode: storage.Digest{20}, ClientID: "c", ClientEpoch: noon.UnixMicro(), Scope: []string{"openid"}, UserAgent: "a\x00b\xff",
		Interval: 5, CreatedAt: noon, ValidUntil: noon.Add(time.Minute), ExpiresAt: noon.Add(time.Hour),
	}
	fromDevice := *grant
	fromDevice.ID = storage.NewID(noon)
	consent := &storage.Consent{UserID: 7, ClientID: "c", Scope: []string{"openid", "email"}, Fingerprint: storage.Digest{14}, CreatedAt: noon, UpdatedAt: noon}
	pushed := &storage.PushedRequest{Hash: storage.Digest{15}, ClientID: "c", Parameters: "a=b", CreatedAt: noon, ExpiresAt: noon.Add(time.Minute)}
	ofPushed := *code
	ofPushed.Hash, ofPushed.Pushed = storage.Digest{21}, pushed.Hash
	notice := func() *storage.LogoutNotice {
		return &storage.LogoutNotice{
			ID: storage.NewID(noon), ClientID: "c", UserID: 7, SessionID: browser.ID, CreatedAt: noon, NextAttemptAt: noon, ExpiresAt: noon.Add(time.Hour),
		}
	}
	first := notice()
	link := &storage.AccountToken{
		Hash: storage.Digest{23}, Purpose: "email", RequestID: storage.NewID(noon), UserID: 7, UserEpoch: noon.UnixMicro(), Data: []byte{1},
		CreatedAt: noon, ExpiresAt: noon.Add(time.Hour),
	}
	signUp := &storage.AccountToken{Hash: storage.Digest{24}, Purpose: "sign-up", RequestID: storage.NewID(noon), Data: []byte{1}, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
	hook := &storage.Webhook{ID: storage.NewID(noon), URL: "https://h", Secret: []byte{1}, Version: 1, CreatedAt: noon, UpdatedAt: noon, Cursor: storage.NewID(noon)}
	mail := &storage.OutboxMessage{
		ID: storage.NewID(noon), Kind: "mail", Key: storage.Digest{22}, Payload: []byte{1}, CreatedAt: noon, NextAttemptAt: noon,
		GiveUpAt: noon.Add(time.Hour), ExpiresAt: noon.Add(2 * time.Hour),
	}
	lost := &storage.UndeliveredLetter{
		ID: storage.NewID(noon), Name: "reset", UserID: 7, Recipient: "a\x00b\xff", Details: json.RawMessage(`{"a":"\u0000"}`), QueuedAt: noon, Attempts: 1, LastError: "a\x00b\xff", AbandonedAt: noon,
		ExpiresAt: noon.Add(time.Hour),
	}
	initial := &storage.RegistrationToken{
		ID: storage.NewID(noon), Hash: storage.Digest{16}, Uses: 1, Policy: json.RawMessage(`{"a":"\u0000"}`), CreatedAt: noon, ExpiresAt: noon.Add(time.Hour),
	}
	byToken := &storage.Client{ID: "by token", Metadata: json.RawMessage(`{}`), CreatedAt: noon, UpdatedAt: noon}
	registered := &storage.Client{
		ID: "r", Metadata: json.RawMessage(`{}`), CreatedAt: noon, UpdatedAt: noon, Origin: storage.OriginRegistration,
		RegistrationKey: storage.Digest{17}, ExpiresAt: noon.Add(time.Hour),
	}
	return []act{
		{"Ping", s.Ping},
		{"CreateUser", func(ctx context.Context) error { return s.CreateUser(ctx, user) }},
		{"User", func(ctx context.Context) error { _, err := s.User(ctx, 7); return err }},
		{"UserByUsername", func(ctx context.Context) error { _, err := s.UserByUsername(ctx, "ann"); return err }},
		{"ListUsers", func(ctx context.Context) error { _, err := s.ListUsers(ctx, 0, 10); return err }},
		{"CreateClient", func(ctx context.Context) error { return s.CreateClient(ctx, client, event("client_created")) }},
		{"Client", func(ctx context.Context) error { _, err := s.Client(ctx, "c"); return err }},
		{"ListClients", func(ctx context.Context) error { _, err := s.ListClients(ctx, "", 10); return err }},
		{"UpdateClient", func(ctx context.Context) error { return s.UpdateClient(ctx, client, event("client_updated")) }},
		{"BeginLogin", func(ctx context.Context) error {
			_, err := s.BeginLogin(ctx, storage.LoginAttempt{
				Username: "ann", Now: noon, Known: storage.Digest{3},
				Always: []storage.Bucket{bucket}, Untrusted: []storage.Bucket{other},
			})
			return err
		}},
		{"CreateGrant", func(ctx context.Context) error {
			return s.CreateGrant(ctx, grant, login, event("login"), event("token_issued"))
		}},
		{"Grant", func(ctx context.Context) error { _, err := s.Grant(ctx, grant.ID); return err }},
		{"AttemptGrant", func(ctx context.Context) error {
			_, _, err := s.AttemptGrant(ctx, storage.GrantAttempt{ID: grant.ID, ClientID: "c", Moves: []storage.AttemptedMove{
				{GrantMove: storage.GrantMove{From: grant.Current, Window: 10 * time.Second}},
			}})
			return err
		}},
		{"MoveGrant", func(ctx context.Context) error {
			_, err := s.MoveGrant(ctx, storage.GrantMove{ID: grant.ID, From: grant.Current, Window: 10 * time.Second}, nil)
			return err
		}},
		{"MoveGrant to another token", func(ctx context.Context) error {
			_, err := s.MoveGrant(ctx, storage.GrantMove{ID: grant.ID, From: grant.Current, To: storage.TokenID{2}, Generation: 1}, nil)
			return err
		}},
		{"MoveGrant with audit", func(ctx context.Context) error {
			_, err := s.MoveGrant(ctx, storage.GrantMove{ID: grant.ID, From: storage.TokenID{2}, To: storage.TokenID{3}, Generation: 2}, event("fast"))
			return err
		}},
		{"ListGrants", func(ctx context.Context) error {
			_, err := s.ListGrants(ctx, storage.GrantFilter{UserID: 7, ClientID: "c", LiveAt: noon, Limit: 3})
			return err
		}},
		{"RevokeGrant", func(ctx context.Context) error {
			_, err := s.RevokeGrant(ctx, grant.ID, "logout", noon, event("revoked"))
			return err
		}},
		{"RevokeGrants", func(ctx context.Context) error {
			_, err := s.RevokeGrants(ctx, storage.GrantFilter{UserID: 7}, "logout", noon, event("revoked"))
			return err
		}},
		{"CreateBrowserSession", func(ctx context.Context) error {
			return s.CreateBrowserSession(ctx, browser, storage.Digest{}, login, event("login"))
		}},
		{"CreateBrowserSession in place of another", func(ctx context.Context) error {
			return s.CreateBrowserSession(ctx, &again, browser.Hash, login, event("login"))
		}},
		{"GrantConsent", func(ctx context.Context) error { return s.GrantConsent(ctx, consent, event("consent")) }},
		{"GrantConsent again", func(ctx context.Context) error { return s.GrantConsent(ctx, consent, event("consent")) }},
		{"BrowserSession", func(ctx context.Context) error { _, err := s.BrowserSession(ctx, again.Hash, "c"); return err }},
		{"TouchBrowserSession", func(ctx context.Context) error { return s.TouchBrowserSession(ctx, again.Hash, noon.Add(time.Second)) }},
		{"ListBrowserSessions", func(ctx context.Context) error { _, err := s.ListBrowserSessions(ctx, 7, noon, 3); return err }},
		{"CreateAuthorizationCode", func(ctx context.Context) error { return s.CreateAuthorizationCode(ctx, code, event("code")) }},
		{"AuthorizationCode", func(ctx context.Context) error { _, err := s.AuthorizationCode(ctx, code.Hash); return err }},
		{"RedeemAuthorizationCode", func(ctx context.Context) error {
			return s.RedeemAuthorizationCode(ctx, code.Hash, &redeemed, event("code"), event("token_issued"))
		}},
		{"CreateDeviceCode", func(ctx context.Context) error { return s.CreateDeviceCode(ctx, device) }},
		{"PendingDeviceCode", func(ctx context.Context) error { _, err := s.PendingDeviceCode(ctx, device.UserCode, noon); return err }},
		{"PollDeviceCode", func(ctx context.Context) error { _, err := s.PollDeviceCode(ctx, device.Hash, "c"); return err }},
		{"AnswerDeviceCode", func(ctx context.Context) error {
			a := storage.DeviceAnswer{
				Hash: device.Hash, Decision: storage.DeviceApproved, UserID: 7, UserEpoch: noon.UnixMicro(), AuthTime: noon, AMR: []string{"pwd"}, Now: noon,
			}
			return s.AnswerDeviceCode(ctx, a, event("device_approved"))
		}},
		{"RedeemDeviceCode", func(ctx context.Context) error {
			return s.RedeemDeviceCode(ctx, device.Hash, &fromDevice, noon.Add(time.Hour), event("device"), event("token_issued"))
		}},
		{"ListGrants of a session", func(ctx context.Context) error {
			_, err := s.ListGrants(ctx, storage.GrantFilter{UserID: 7, SessionID: browser.ID})
			return err
		}},
		{"ListConsents", func(ctx context.Context) error { _, err := s.ListConsents(ctx, 7, 3); return err }},
		{"RevokeConsent", func(ctx context.Context) error {
			_, err := s.RevokeConsent(ctx, storage.ConsentEnd{UserID: 7, ClientID: "c", Reason: "account", Now: noon}, event("consent"))
			return err
		}},
		{"EndBrowserSession", func(ctx context.Context) error {
			e := storage.BrowserSessionEnd{ID: browser.ID, UserID: 7, Reason: "logout", Now: noon, Notices: []*storage.LogoutNotice{first, notice()}}
			_, err := s.EndBrowserSession(ctx, e, event("logout"))
			return err
		}},
		{"ClaimLogoutNotices", func(ctx context.Context) error { _, err := s.ClaimLogoutNotices(ctx, noon, time.Minute, 5); return err }},
		{"RetryLogoutNotice", func(ctx context.Context) error { return s.RetryLogoutNotice(ctx, first.ID, noon) }},
		{"FinishLogoutNotice", func(ctx context.Context) error { return s.FinishLogoutNotice(ctx, first.ID) }},
		{"CreateAccountTokens", func(ctx context.Context) error { return s.CreateAccountTokens(ctx, false, link, signUp) }},
		{"AccountToken", func(ctx context.Context) error { _, err := s.AccountToken(ctx, link.Hash, "email", noon); return err }},
		{"UseAccountToken", func(ctx context.Context) error {
			return s.UseAccountToken(ctx, storage.AccountTokenUse{Hash: link.Hash, Purpose: "email", Now: noon, Email: "ann@example.com"}, event("email"))
		}},
		{"UseAccountToken for a new user", func(ctx context.Context) error {
			u := &storage.User{Username: "new", Active: true, CreatedAt: noon}
			return s.UseAccountToken(ctx, storage.AccountTokenUse{Hash: signUp.Hash, Purpose: "sign-up", Now: noon, User: u}, nil)
		}},
		{"CreateWebhook", func(ctx context.Context) error { return s.CreateWebhook(ctx, hook, 1, event("webhook")) }},
		{"ListWebhooks", func(ctx context.Context) error { _, err := s.ListWebhooks(ctx); return err }},
		{"RelayWebhook", func(ctx context.Context) error {
			return s.RelayWebhook(ctx, storage.WebhookRelay{ID: hook.ID, Owner: hook.ID, Now: noon, Until: noon, Cursor: hook.ID})
		}},
		{"NoteWebhook", func(ctx context.Context) error {
			return s.NoteWebhook(ctx, storage.WebhookOutcome{ID: hook.ID, At: noon, Error: "x"}, event("webhook"))
		}},
		{"UpdateWebhook", func(ctx context.Context) error { return s.UpdateWebhook(ctx, hook, event("webhook")) }},
		{"RemoveWebhook", func(ctx context.Context) error { return s.RemoveWebhook(ctx, hook.ID, event("webhook")) }},
		{"CreateOutboxMessages", func(ctx context.Context) error { return s.CreateOutboxMessages(ctx, mail) }},
		{"ClaimOutboxMessages", func(ctx context.Context) error {
			_, err := s.ClaimOutboxMessages(ctx, "mail", noon, time.Minute, 5)
			return err
		}},
		{"WaitingOutboxMessages", func(ctx context.Context) error { _, _, err := s.WaitingOutboxMessages(ctx, "mail"); return err }},
		{"RetryOutboxMessage", func(ctx context.Context) error { return s.RetryOutboxMessage(ctx, mail.ID, noon) }},
		{"AbandonLetter", func(ctx context.Context) error { return s.AbandonLetter(ctx, mail.ID, lost) }},
		{"ListUndeliveredLetters", func(ctx context.Context) error {
			_, err := s.ListUndeliveredLetters(ctx, storage.UndeliveredLetterFilter{UserID: 7, Limit: 1})
			return err
		}},
		{"UndeliveredLetter", func(ctx context.Context) error { _, err := s.UndeliveredLetter(ctx, lost.ID); return err }},
		{"CountUndeliveredLetters", func(ctx context.Context) error {
			_, err := s.CountUndeliveredLetters(ctx, noon, 5)
			return err
		}},
		{"RemoveUndeliveredLetter", func(ctx context.Context) error { return s.RemoveUndeliveredLetter(ctx, lost.ID, event("letter")) }},
		{"FinishOutboxMessage", func(ctx context.Context) error { return s.FinishOutboxMessage(ctx, mail.ID) }},
		{"CreatePushedRequest", func(ctx context.Context) error { return s.CreatePushedRequest(ctx, pushed) }},
		{"PushedRequest", func(ctx context.Context) error {
			_, err := s.PushedRequest(ctx, pushed.Hash, "c", noon)
			return err
		}},
		{"CreateAuthorizationCode of a pushed request", func(ctx context.Context) error {
			return s.CreateAuthorizationCode(ctx, &ofPushed, event("code"))
		}},
		{"CreatePushedRequest again", func(ctx context.Context) error { return s.CreatePushedRequest(ctx, pushed) }},
		{"TakePushedRequest", func(ctx context.Context) error {
			_, err := s.TakePushedRequest(ctx, pushed.Hash, "c", noon)
			return err
		}},
		{"UseJTI", func(ctx context.Context) error { return s.UseJTI(ctx, "c", storage.Digest{18}, noon) }},
		{"CreateRegistrationToken", func(ctx context.Context) error { return s.CreateRegistrationToken(ctx, initial, event("token")) }},
		{"RegistrationToken", func(ctx context.Context) error { _, err := s.RegistrationToken(ctx, initial.Hash, noon); return err }},
		{"UseRegistrationToken", func(ctx context.Context) error {
			return s.UseRegistrationToken(ctx, initial.Hash, noon, byToken, event("client_registered"))
		}},
		{"ListRegistrationTokens", func(ctx context.Context) error { _, err := s.ListRegistrationTokens(ctx, storage.ID{}, 3); return err }},
		{"RemoveRegistrationToken", func(ctx context.Context) error { return s.RemoveRegistrationToken(ctx, initial.ID, event("token")) }},
		{"CreateRegisteredClient", func(ctx context.Context) error {
			_, err := s.CreateRegisteredClient(ctx, registered, 1, event("client_registered"))
			return err
		}},
		{"CreateRegisteredClient again", func(ctx context.Context) error {
			_, err := s.CreateRegisteredClient(ctx, registered, 1, event("client_registered"))
			return err
		}},
		{"TakeAttempts", func(ctx context.Context) error { _, err := s.TakeAttempts(ctx, noon, other, bucket); return err }},
		{"GiveBackAttempts", func(ctx context.Context) error { return s.GiveBackAttempts(ctx, noon, other, bucket) }},
		{"RevokeToken", func(ctx context.Context) error { return s.RevokeToken(ctx, "jti", noon, event("revoked")) }},
		{"TokenState", func(ctx context.Context) error { _, err := s.TokenState(ctx, "jti", "c"); return err }},
		{"CreateSigningKey", func(ctx context.Context) error { return s.CreateSigningKey(ctx, key, noon, noon, event("key")) }},
		{"ListSigningKeys", func(ctx context.Context) error { _, err := s.ListSigningKeys(ctx); return err }},
		{"RetireSigningKey", func(ctx context.Context) error { return s.RetireSigningKey(ctx, "k", noon, noon, event("key")) }},
		{"RemoveSigningKeys", func(ctx context.Context) error { _, err := s.RemoveSigningKeys(ctx, noon); return err }},
		{"CreateResource", func(ctx context.Context) error {
			return s.CreateResource(ctx, &storage.Resource{Identifier: "https://r", CreatedAt: noon}, event("resource"))
		}},
		{"ListResources", func(ctx context.Context) error { _, err := s.ListResources(ctx); return err }},
		{"RemoveResource", func(ctx context.Context) error { return s.RemoveResource(ctx, "https://r", event("resource")) }},
		{"AppendAudit", func(ctx context.Context) error { return s.AppendAudit(ctx, event("a"), event("b")) }},
		{"ListAudit", func(ctx context.Context) error {
			_, err := s.ListAudit(ctx, storage.AuditFilter{UserID: 7, ClientID: "c", Action: "a", Limit: 5})
			return err
		}},
		{"RaiseClientEpoch", func(ctx context.Context) error { return s.RaiseClientEpoch(ctx, "c", noon, event("epoch")) }},
		{"RaiseClientEpoch of all", func(ctx context.Context) error { return s.RaiseClientEpoch(ctx, "", noon, event("epoch")) }},
		{"RemoveClient", func(ctx context.Context) error { return s.RemoveClient(ctx, "c", event("removed")) }},
		{"SetUserActive", func(ctx context.Context) error { return s.SetUserActive(ctx, 7, false, noon, event("u")) }},
		{"SetUserPassword", func(ctx context.Context) error {
			return s.SetUserPassword(ctx, storage.PasswordChange{UserID: 7, Hash: "h", Now: noon}, event("u"))
		}},
		{"RaiseUserEpoch", func(ctx context.Context) error { return s.RaiseUserEpoch(ctx, 7, noon, event("u")) }},
		{"RemoveUser", func(ctx context.Context) error { return s.RemoveUser(ctx, 7, event("u")) }},
	}
}

func TestEachMethodIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	trips := &postgrestest.RoundTrips{}
	s := open(t, postgres.Config{Tracer: trips})
	for _, a := range acts(s) {
		trips.Reset()
		if err := a.call(t.Context()); err != nil {
			t.Errorf("%s: %v", a.name, err)
		}
		want := 1
		if a.name == "RevokeGrants" { // it finds nothing left to end, and waits until that is durable
			want = 2
		}
		if n := trips.Count(); n != want {
			t.Errorf("%s took %d round trips: %q", a.name, n, trips.Statements())
		}
	}
}

// Behind a pooler in transaction mode a statement that was prepared may be gone: these modes of pgx prepare nothing.
func TestEveryMethodWorksWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"exec", "simple_protocol", "cache_describe", "describe_exec"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := open(t, postgres.Config{}, "default_query_exec_mode", mode)
			for _, a := range acts(s) {
				if err := a.call(t.Context()); err != nil {
					t.Errorf("%s: %v", a.name, err)
				}
			}
		})
	}
}
