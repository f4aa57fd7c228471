package token_test

import (
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// As simplejwt's /verify/: whether an API would take the token, not whether its session lives.
func TestVerifyLooksAtTheSessionOnlyWhereTokensAreRetired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	verify := func(what string, raw string, want reasons.Reason) {
		t.Helper()
		err := w.simplejwt.Verify(t.Context(), storage.Secret(raw))
		got := reasons.None
		if err != nil {
			got = protocol.AsError(err).Reason
		}
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	first := w.login(clients.SimpleJWTID)
	second := w.refresh(clients.SimpleJWTID, first.RefreshToken)
	third := w.refresh(clients.SimpleJWTID, second.RefreshToken)
	w.clock.Advance(time.Minute)
	verify("a retired token", first.RefreshToken.Reveal(), reasons.Retired)
	verify("the current token", second.RefreshToken.Reveal(), reasons.None)
	verify("its successor", third.RefreshToken.Reveal(), reasons.None)
	w.refresh(clients.SimpleJWTID, third.RefreshToken) // asking was no use of it

	if err := w.simplejwt.Blacklist(t.Context(), third.RefreshToken); err != nil {
		t.Fatal(err)
	}
	verify("a token of an ended session", third.RefreshToken.Reveal(), reasons.SessionRevoked)
	verify("its access token", third.AccessToken.Reveal(), reasons.None)
	w.inactive(third.AccessToken)

	w.setRotation(clients.SimpleJWTID, clients.RotationOff)
	verify("the same where nothing is ever retired", third.RefreshToken.Reveal(), reasons.None)
	verify("a forged token", third.RefreshToken.Reveal()+"A", reasons.BadSignature)
	w.clock.Advance(8 * 24 * time.Hour)
	verify("an expired token", third.RefreshToken.Reveal(), reasons.Expired)
}
