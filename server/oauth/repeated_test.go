package oauth_test

import (
	"net/http"
	"testing"

	"latchkey/server/servertest"
	"latchkey/storage"
)

// A10: what a client can repeat leaves no row each time, and is answered as before.
func TestA10RepeatedRequestsLeaveFewRows(t *testing.T) {
	t.Parallel()
	const times = 150
	s := servertest.New(t)
	dead := s.Login(s.SPA).Refresh
	for action, repeat := range map[string]func(){
		"refresh_token_of_other_client": func() {
			s.Token(s.Native, "grant_type", "refresh_token", "refresh_token", dead).ExpectError(http.StatusBadRequest, "invalid_grant")
		},
		"token_revoked": func() {
			token := s.Token(s.Backend, "grant_type", "client_credentials").Expect(http.StatusOK).String("access_token")
			s.Revoke(s.Backend, token).Expect(http.StatusOK)
		},
		"login_succeeded": func() { s.Login(s.SPA) },
	} {
		for range times {
			repeat()
		}
		events, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{Action: action, Limit: times * 2})
		if err != nil || len(events) == 0 || len(events) > 110 {
			t.Errorf("%d × %s left %d rows (%v)", times, action, len(events), err)
		}
		if action != "login_succeeded" && len(events) > 20 {
			t.Errorf("%s left %d rows", action, len(events))
		}
	}
}
