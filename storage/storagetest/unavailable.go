package storagetest

import (
	"context"
	"errors"
	"time"

	"latchkey/storage"
)

func unavailable() cases {
	return cases{
		"a context that has ended is unavailable, and nothing was done": func(b *bundle) {
			g := b.session()
			before := b.live(g.ID)
			canceled, cancel := context.WithCancel(b.ctx)
			cancel()
			late, cancel := context.WithDeadline(b.ctx, time.Now().Add(-time.Second))
			defer cancel()
			for name, call := range calls(b, g) {
				if err := call(canceled); !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, context.Canceled) {
					b.Errorf("%s, canceled: %v", name, err)
				}
				if err := call(late); !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
					b.Errorf("%s, late: %v", name, err)
				}
			}
			b.same(b.live(g.ID), before)
			events, err := b.ListAudit(b.ctx, storage.AuditFilter{})
			b.ok(err)
			users, err := b.ListUsers(b.ctx, 0, 10)
			b.ok(err)
			if len(events) != 0 || len(users) != 1 {
				b.Errorf("%d events, %d users", len(events), len(users))
			}
		},
		"a closed store is unavailable": func(b *bundle) {
			g := b.session()
			s := b.opener.OpenAgain(b, b.Store)
			b.ok(s.Ping(b.ctx))
			b.ok(s.Close())
			open := b.Store
			b.Store = s
			for name, call := range calls(b, g) {
				if err := call(b.ctx); !errors.Is(err, storage.ErrUnavailable) {
					b.Errorf("%s: %v", name, err)
				}
			}
			b.Store = open
			b.live(g.ID)
		},
		"closing waits for nobody's harm": func(b *bundle) {
			g := b.session()
			s := b.opener.OpenAgain(b, b.Store)
			acknowledged := make([]bool, 32)
			id := func(i int) storage.ID { return storage.NewIDFrom(b.now, [10]byte{9: byte(i)}) }
			for i, err := range atOnce(len(acknowledged)+1, func(i int) error {
				if i == len(acknowledged) {
					return s.Close()
				}
				h := *g
				h.ID = id(i)
				err := s.CreateGrant(b.ctx, &h, nil)
				acknowledged[i] = err == nil
				return err
			}) {
				if err != nil && !errors.Is(err, storage.ErrUnavailable) {
					b.Errorf("%d: %v", i, err)
				}
			}
			for i, ok := range acknowledged {
				if _, err := b.Grant(b.ctx, id(i)); ok && err != nil {
					b.Errorf("%d was acknowledged: %v", i, err)
				}
			}
		},
		"a store that works can be pinged and tells of its connections": func(b *bundle) {
			b.ok(b.Ping(b.ctx))
			if st := b.Stats(); st.Max < 1 || st.InUse < 0 || st.Idle < 0 || st.InUse+st.Idle > st.Max {
				b.Errorf("%+v", st)
			}
		},
	}
}

// calls are all methods that reach the database.
func calls(b *bundle, g *storage.Grant) map[string]func(context.Context) error {
	e := func() *storage.AuditEvent { return b.event("nothing") }
	return map[string]func(context.Context) error{
		"Ping": b.Ping,
		"CreateUser": func(ctx context.Context) error {
			return b.CreateUser(ctx, &storage.User{Username: "late", CreatedAt: b.now})
		},
		"User":           func(ctx context.Context) error { return second(b.User(ctx, g.UserID)) },
		"UserBySubject":  func(ctx context.Context) error { return second(b.UserBySubject(ctx, "1")) },
		"UserByUsername": func(ctx context.Context) error { return second(b.UserByUsername(ctx, "party-1")) },
		"AmbiguousLogins": func(ctx context.Context) error {
			return second(b.AmbiguousLogins(ctx, storage.LoginNames{Email: true}))
		},
		"ListUsers":   func(ctx context.Context) error { return second(b.ListUsers(ctx, 0, 1)) },
		"SearchUsers": func(ctx context.Context) error { return second(b.SearchUsers(ctx, storage.UserFilter{})) },
		"ListGroups":  func(ctx context.Context) error { return second(b.ListGroups(ctx, "", 1)) },
		"CountUsers":  func(ctx context.Context) error { return second(b.CountUsers(ctx, storage.UserFilter{})) },
		"AdoptGroups": func(ctx context.Context) error { return b.AdoptGroups(ctx, nil, b.now) },
		"CreateProvisionedGroup": func(ctx context.Context) error {
			return b.CreateProvisionedGroup(ctx, b.newGroup("late"), "", nil, e())
		},
		"SearchProvisionedGroups": func(ctx context.Context) error {
			return second(b.SearchProvisionedGroups(ctx, storage.ProvisionedGroupFilter{}))
		},
		"CountProvisionedGroups": func(ctx context.Context) error {
			return second(b.CountProvisionedGroups(ctx, storage.ProvisionedGroupFilter{}))
		},
		"ChangeGroup": func(ctx context.Context) error {
			return b.ChangeGroup(ctx, storage.GroupChange{ID: storage.NewID(b.now), Now: b.now}, e())
		},
		"RemoveProvisionedGroup": func(ctx context.Context) error {
			return b.RemoveProvisionedGroup(ctx, storage.NewID(b.now), nil, b.now, e())
		},
		"GroupMembers":      func(ctx context.Context) error { return second(b.GroupMembers(ctx, []string{"staff"})) },
		"ProvisionedUsers":  func(ctx context.Context) error { return second(b.ProvisionedUsers(ctx, g.ClientID, []int64{g.UserID})) },
		"UsersByExternalID": func(ctx context.Context) error { return second(b.UsersByExternalID(ctx, g.ClientID, "x", 1)) },
		"ListAccountTokens": func(ctx context.Context) error {
			return second(b.ListAccountTokens(ctx, "invitation", storage.ID{}, b.now, 1))
		},
		"RemoveAccountTokens": func(ctx context.Context) error {
			return b.RemoveAccountTokens(ctx, "invitation", storage.NewID(b.now), b.now, e())
		},
		"CreateProvisionedUser": func(ctx context.Context) error {
			return b.CreateProvisionedUser(ctx, &storage.User{Username: "late", CreatedAt: b.now}, g.ClientID, storage.ProvisionedUser{ExternalID: "x"}, e())
		},
		"ChangeProvisionedUser": func(ctx context.Context) error {
			return b.ChangeProvisionedUser(ctx, g.UserID, storage.ProvisionedChange{ClientID: g.ClientID, ExternalID: new(string), Now: b.now}, e())
		},
		"CountGrants": func(ctx context.Context) error { return second(b.CountGrants(ctx, storage.GrantFilter{})) },
		"ClaimIdempotencyKey": func(ctx context.Context) error {
			return second(b.ClaimIdempotencyKey(ctx, &storage.IdempotencyKey{Hash: b.digest(), Request: b.digest(), CreatedAt: b.now, ExpiresAt: b.now}, 1))
		},
		"CreateFactors": func(ctx context.Context) error {
			f := b.newFactor(&storage.User{ID: g.UserID}, storage.FactorTOTP)
			return b.CreateFactors(ctx, storage.NewFactors{UserID: g.UserID, Factors: []*storage.Factor{f}, Limit: 1}, e())
		},
		"ListFactors":    func(ctx context.Context) error { return second(b.ListFactors(ctx, g.UserID)) },
		"FactorByLookup": func(ctx context.Context) error { return second(b.FactorByLookup(ctx, storage.FactorTOTP, b.digest())) },
		"UseFactor": func(ctx context.Context) error {
			return b.UseFactor(ctx, storage.FactorUse{ID: storage.NewID(b.now), UserID: g.UserID, Counter: 1, Now: b.now}, e())
		},
		"UseFactor once": func(ctx context.Context) error {
			return b.UseFactor(ctx, storage.FactorUse{ID: storage.NewID(b.now), UserID: g.UserID, Spend: true}, e())
		},
		"RenameFactor": func(ctx context.Context) error { return b.RenameFactor(ctx, g.UserID, storage.NewID(b.now), "x", e()) },
		"RemoveFactors": func(ctx context.Context) error {
			return b.RemoveFactors(ctx, storage.FactorRemoval{UserID: g.UserID, Now: b.now}, e())
		},
		"FinishIdempotencyKey": func(ctx context.Context) error { return b.FinishIdempotencyKey(ctx, b.digest(), "", b.now) },
		"RemoveIdempotencyKey": func(ctx context.Context) error { return b.RemoveIdempotencyKey(ctx, b.digest()) },
		"SetUserActive":        func(ctx context.Context) error { return b.SetUserActive(ctx, g.UserID, false, b.now, e()) },
		"SetUserPassword": func(ctx context.Context) error {
			return b.SetUserPassword(ctx, storage.PasswordChange{UserID: g.UserID, Hash: "x", Now: b.now}, e())
		},
		"RaiseUserEpoch": func(ctx context.Context) error { return b.RaiseUserEpoch(ctx, g.UserID, b.now, e()) },
		"UpdateUser": func(ctx context.Context) error {
			return b.UpdateUser(ctx, g.UserID, storage.UserChange{}, b.now, e())
		},
		"RemoveUser":       func(ctx context.Context) error { return b.RemoveUser(ctx, g.UserID, e()) },
		"CreateClient":     func(ctx context.Context) error { return b.CreateClient(ctx, newClient("late", b.now), e()) },
		"Client":           func(ctx context.Context) error { return second(b.Client(ctx, g.ClientID)) },
		"ListClients":      func(ctx context.Context) error { return second(b.ListClients(ctx, "", 1)) },
		"RaiseClientEpoch": func(ctx context.Context) error { return b.RaiseClientEpoch(ctx, g.ClientID, b.now, e()) },
		"RemoveClient":     func(ctx context.Context) error { return b.RemoveClient(ctx, g.ClientID, e()) },
		"UpdateClient": func(ctx context.Context) error {
			c := newClient(g.ClientID, b.now)
			c.Version = 1
			return b.UpdateClient(ctx, c, e())
		},
		"BeginLogin": func(ctx context.Context) error {
			return second(b.BeginLogin(ctx, storage.LoginAttempt{Username: "party-1", Now: b.now, Always: []storage.Bucket{{Burst: 1, Interval: 1e9}}}))
		},
		"BeginLogin without buckets": func(ctx context.Context) error {
			return second(b.BeginLogin(ctx, storage.LoginAttempt{Username: "party-1", Now: b.now}))
		},
		"CreateGrant": func(ctx context.Context) error {
			h := *g
			h.ID = storage.NewID(b.now)
			return b.CreateGrant(ctx, &h, &storage.Login{UserID: g.UserID, SetLastLogin: b.now}, e())
		},
		"Grant":            func(ctx context.Context) error { return second(b.Grant(ctx, g.ID)) },
		"GrantWithProfile": func(ctx context.Context) error { return second(b.GrantWithProfile(ctx, g.ID)) },
		"AttemptGrant": func(ctx context.Context) error {
			_, _, err := b.AttemptGrant(ctx, attemptOf(g, next(g.Current)))
			return err
		},
		"MoveGrant": func(ctx context.Context) error {
			return second(b.MoveGrant(ctx, storage.GrantMove{ID: g.ID, From: g.Current, Window: time.Second}, nil))
		},
		"MoveGrant to another token": func(ctx context.Context) error {
			return second(b.MoveGrant(ctx, storage.GrantMove{ID: g.ID, From: g.Current, To: next(g.Current), Generation: 1}, e()))
		},
		"RevokeGrant": func(ctx context.Context) error { return second(b.RevokeGrant(ctx, g.ID, "x", b.now, e())) },
		"RevokeGrants": func(ctx context.Context) error {
			return second(b.RevokeGrants(ctx, storage.GrantFilter{}, "x", b.now, e()))
		},
		"ListGrants": func(ctx context.Context) error { return second(b.ListGrants(ctx, storage.GrantFilter{})) },
		"CreateBrowserSession": func(ctx context.Context) error {
			s := b.newBrowser(&storage.User{ID: g.UserID})
			return b.CreateBrowserSession(ctx, s, b.digest(), &storage.Login{UserID: g.UserID, SetLastLogin: b.now}, e())
		},
		"BrowserSession":      func(ctx context.Context) error { return second(b.BrowserSession(ctx, b.digest(), "app")) },
		"TouchBrowserSession": func(ctx context.Context) error { return b.TouchBrowserSession(ctx, b.digest(), b.now) },
		"ListBrowserSessions": func(ctx context.Context) error { return second(b.ListBrowserSessions(ctx, g.UserID, b.now, 1)) },
		"EndBrowserSession": func(ctx context.Context) error {
			return second(b.EndBrowserSession(ctx, storage.BrowserSessionEnd{ID: storage.NewID(b.now), UserID: g.UserID, Now: b.now}, e()))
		},
		"CreateAuthorizationCode": func(ctx context.Context) error {
			return b.CreateAuthorizationCode(ctx, &storage.AuthorizationCode{
				Hash: b.digest(), ClientID: g.ClientID, UserID: g.UserID, AuthTime: b.now, CreatedAt: b.now, ValidUntil: b.now, ExpiresAt: b.now,
			}, e())
		},
		"AuthorizationCode": func(ctx context.Context) error { return second(b.AuthorizationCode(ctx, b.digest())) },
		"RedeemAuthorizationCode": func(ctx context.Context) error {
			h := *g
			h.ID = storage.NewID(b.now)
			return b.RedeemAuthorizationCode(ctx, b.digest(), &h, e())
		},
		"CreateDeviceCode": func(ctx context.Context) error {
			return b.CreateDeviceCode(ctx, &storage.DeviceCode{Hash: b.digest(), UserCode: b.digest(), ClientID: "app", CreatedAt: b.now, ValidUntil: b.now, ExpiresAt: b.now})
		},
		"PendingDeviceCode": func(ctx context.Context) error { return second(b.PendingDeviceCode(ctx, b.digest(), b.now)) },
		"AnswerDeviceCode": func(ctx context.Context) error {
			return b.AnswerDeviceCode(ctx, storage.DeviceAnswer{Hash: b.digest(), Decision: storage.DeviceApproved, UserID: g.UserID, Now: b.now}, e())
		},
		"PollDeviceCode": func(ctx context.Context) error { return second(b.PollDeviceCode(ctx, b.digest(), "app")) },
		"RedeemDeviceCode": func(ctx context.Context) error {
			h := *g
			h.ID = storage.NewID(b.now)
			return b.RedeemDeviceCode(ctx, b.digest(), &h, b.now, e())
		},
		"GrantConsent": func(ctx context.Context) error {
			k := &storage.Consent{UserID: g.UserID, ClientID: g.ClientID, CreatedAt: b.now, UpdatedAt: b.now}
			return b.GrantConsent(ctx, k, e())
		},
		"ListConsents": func(ctx context.Context) error { return second(b.ListConsents(ctx, g.UserID, 1)) },
		"SearchConsents": func(ctx context.Context) error {
			return second(b.SearchConsents(ctx, storage.ConsentFilter{ClientID: g.ClientID, Limit: 1}))
		},
		"RevokeConsent": func(ctx context.Context) error {
			return second(b.RevokeConsent(ctx, storage.ConsentEnd{UserID: g.UserID, ClientID: g.ClientID, Now: b.now}, e()))
		},
		"CreatePushedRequest": func(ctx context.Context) error {
			return b.CreatePushedRequest(ctx, &storage.PushedRequest{Hash: b.digest(), ClientID: "app", CreatedAt: b.now, ExpiresAt: b.now})
		},
		"PushedRequest":       func(ctx context.Context) error { return second(b.PushedRequest(ctx, b.digest(), "app", b.now)) },
		"TakePushedRequest":   func(ctx context.Context) error { return second(b.TakePushedRequest(ctx, b.digest(), "app", b.now)) },
		"UseJTI":              func(ctx context.Context) error { return b.UseJTI(ctx, "app", b.digest(), b.now) },
		"ClaimLogoutNotices":  func(ctx context.Context) error { return second(b.ClaimLogoutNotices(ctx, b.now, time.Minute, 1)) },
		"RetryLogoutNotice":   func(ctx context.Context) error { return b.RetryLogoutNotice(ctx, storage.NewID(b.now), b.now) },
		"CreateAccountTokens": func(ctx context.Context) error { return b.CreateAccountTokens(ctx, false, b.accountToken(nil)) },
		"AccountToken":        func(ctx context.Context) error { return second(b.AccountToken(ctx, b.digest(), "reset", b.now)) },
		"UseAccountToken": func(ctx context.Context) error {
			return b.UseAccountToken(ctx, storage.AccountTokenUse{Hash: b.digest(), Purpose: "reset", Now: b.now, PasswordHash: "x"}, e())
		},
		"CreateWebhook": func(ctx context.Context) error {
			return b.CreateWebhook(ctx, &storage.Webhook{ID: storage.NewID(b.now), Cursor: storage.NewID(b.now), CreatedAt: b.now, UpdatedAt: b.now, Secret: []byte{1}}, 10, e())
		},
		"ListWebhooks": func(ctx context.Context) error { return second(b.ListWebhooks(ctx)) },
		"UpdateWebhook": func(ctx context.Context) error {
			return b.UpdateWebhook(ctx, &storage.Webhook{ID: storage.NewID(b.now), Cursor: storage.NewID(b.now), Version: 1, UpdatedAt: b.now, Secret: []byte{1}}, e())
		},
		"RemoveWebhook": func(ctx context.Context) error { return b.RemoveWebhook(ctx, storage.NewID(b.now), e()) },
		"RelayWebhook": func(ctx context.Context) error {
			return b.RelayWebhook(ctx, storage.WebhookRelay{ID: storage.NewID(b.now), Owner: storage.NewID(b.now), Now: b.now, Until: b.now, Cursor: storage.NewID(b.now)})
		},
		"NoteWebhook": func(ctx context.Context) error {
			return b.NoteWebhook(ctx, storage.WebhookOutcome{ID: storage.NewID(b.now), At: b.now}, e())
		},
		"CreateOutboxMessages": func(ctx context.Context) error { return b.CreateOutboxMessages(ctx, b.mail()) },
		"ClaimOutboxMessages": func(ctx context.Context) error {
			return second(b.ClaimOutboxMessages(ctx, "mail", b.now, time.Minute, 1))
		},
		"RetryOutboxMessage":  func(ctx context.Context) error { return b.RetryOutboxMessage(ctx, storage.NewID(b.now), b.now) },
		"FinishOutboxMessage": func(ctx context.Context) error { return b.FinishOutboxMessage(ctx, storage.NewID(b.now)) },
		"AbandonLetter": func(ctx context.Context) error {
			return b.AbandonLetter(ctx, storage.NewID(b.now), b.undelivered(nil))
		},
		"ListUndeliveredLetters": func(ctx context.Context) error {
			return second(b.ListUndeliveredLetters(ctx, storage.UndeliveredLetterFilter{}))
		},
		"UndeliveredLetter": func(ctx context.Context) error { return second(b.UndeliveredLetter(ctx, storage.NewID(b.now))) },
		"RemoveUndeliveredLetter": func(ctx context.Context) error {
			return b.RemoveUndeliveredLetter(ctx, storage.NewID(b.now), e())
		},
		"CountUndeliveredLetters": func(ctx context.Context) error {
			return second(b.CountUndeliveredLetters(ctx, time.Time{}, 1))
		},
		"WaitingOutboxMessages": func(ctx context.Context) error {
			_, _, err := b.WaitingOutboxMessages(ctx, "mail")
			return err
		},
		"FinishLogoutNotice": func(ctx context.Context) error { return b.FinishLogoutNotice(ctx, storage.NewID(b.now)) },
		"CreateRegistrationToken": func(ctx context.Context) error {
			return b.CreateRegistrationToken(ctx, &storage.RegistrationToken{ID: storage.NewID(b.now), Hash: b.digest(), CreatedAt: b.now}, e())
		},
		"RegistrationToken": func(ctx context.Context) error { return second(b.RegistrationToken(ctx, b.digest(), b.now)) },
		"UseRegistrationToken": func(ctx context.Context) error {
			return b.UseRegistrationToken(ctx, b.digest(), b.now, newClient("late", b.now), e())
		},
		"ListRegistrationTokens":  func(ctx context.Context) error { return second(b.ListRegistrationTokens(ctx, storage.ID{}, 1)) },
		"RemoveRegistrationToken": func(ctx context.Context) error { return b.RemoveRegistrationToken(ctx, storage.NewID(b.now), e()) },
		"CreateRegisteredClient": func(ctx context.Context) error {
			return second(b.CreateRegisteredClient(ctx, b.registration("late", b.digest()), 10, e()))
		},
		"TakeAttempts": func(ctx context.Context) error {
			return second(b.TakeAttempts(ctx, b.now, storage.Bucket{Burst: 1, Interval: 1e9}))
		},
		"GiveBackAttempts": func(ctx context.Context) error {
			return b.GiveBackAttempts(ctx, b.now, storage.Bucket{Burst: 1, Interval: 1e9})
		},
		"RevokeToken": func(ctx context.Context) error { return b.RevokeToken(ctx, "jti", b.now, e()) },
		"TokenState":  func(ctx context.Context) error { return second(b.TokenState(ctx, "jti", "app")) },
		"CreateSigningKey": func(ctx context.Context) error {
			return b.CreateSigningKey(ctx, newKey("ES256", 1, b.now), b.now, b.now, e())
		},
		"ListSigningKeys":   func(ctx context.Context) error { return second(b.ListSigningKeys(ctx)) },
		"RetireSigningKey":  func(ctx context.Context) error { return b.RetireSigningKey(ctx, "kid", b.now, b.now, e()) },
		"RemoveSigningKeys": func(ctx context.Context) error { return second(b.RemoveSigningKeys(ctx, b.now)) },
		"CreateResource": func(ctx context.Context) error {
			return b.CreateResource(ctx, &storage.Resource{Identifier: "urn:late", CreatedAt: b.now}, e())
		},
		"ListResources":  func(ctx context.Context) error { return second(b.ListResources(ctx)) },
		"RemoveResource": func(ctx context.Context) error { return b.RemoveResource(ctx, "urn:late", e()) },
		"AppendAudit":    func(ctx context.Context) error { return b.AppendAudit(ctx, e()) },
		"ListAudit":      func(ctx context.Context) error { return second(b.ListAudit(ctx, storage.AuditFilter{})) },
		"PruneAudit":     func(ctx context.Context) error { _, _, err := b.PruneAudit(ctx, b.now, 10); return err },
		"Maintain":       func(ctx context.Context) error { return second(b.Maintain(ctx, b.now.Add(24*time.Hour), 10)) },
	}
}
