package token_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"latchkey/server/token"
	"latchkey/storage"
)

// An audit event is counted when it was written: a session that has ended ends no second time.
func TestOnlyWrittenAuditEventsAreCounted(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		raw := w.login("confirmed").RefreshToken
		for range 3 {
			if err := w.svc.Revoke(t.Context(), &token.RevokeRequest{Client: w.credentials("confirmed"), Token: raw}); err != nil {
				t.Fatal(err)
			}
		}
		written, err := store.ListAudit(t.Context(), storage.AuditFilter{Action: "token_revoked", ClientID: "confirmed"})
		if err != nil {
			t.Fatal(err)
		}
		counted := testutil.ToFloat64(w.cfg.Metrics.Audit.WithLabelValues("token_revoked"))
		if len(written) != 1 || counted != 1 {
			t.Errorf("%d events written, %v counted; want one", len(written), counted)
		}
	})
}
