package postgres_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"latchkey/storage"
)

// Who uses the code of a letter waits for who uses its link without holding what the other one needs: the tokens are locked in one order,
// whichever of them was presented.
func TestTokensOfALetterAreLockedInOneOrder(t *testing.T) {
	t.Parallel()
	s, url, conn := setup(t, noon)
	people(t, s)
	var tokens []*storage.AccountToken
	for i := range byte(2) {
		tokens = append(tokens, &storage.AccountToken{
			Hash: storage.Digest{i + 1}, Purpose: "reset", RequestID: storage.NewID(noon), UserID: 7, UserEpoch: noon.UnixMicro(),
			Data: []byte("sealed"), CreatedAt: noon, ExpiresAt: noon.Add(time.Hour),
		})
	}
	tokens[1].RequestID = tokens[0].RequestID
	slices.SortFunc(tokens, func(a, b *storage.AccountToken) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	if err := s.CreateAccountTokens(t.Context(), false, tokens...); err != nil {
		t.Fatal(err)
	}
	execute(t, conn, `BEGIN`)
	execute(t, conn, `SELECT FROM account_tokens WHERE hash = $1 FOR UPDATE`, tokens[0].Hash[:])
	done := make(chan error, 1)
	go func() {
		done <- s.UseAccountToken(t.Context(), storage.AccountTokenUse{Hash: tokens[1].Hash, Purpose: "reset", Now: noon, PasswordHash: "new"}, nil)
	}()
	other := connect(t, url)
	for deadline := time.Now().Add(10 * time.Second); !query[bool](t, other, `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()
		AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database()))`); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the other one does not wait")
		}
	}
	if n := query[int](t, other, `SELECT count(*) FROM (SELECT FROM account_tokens WHERE hash = $1 FOR UPDATE SKIP LOCKED) AS free`, tokens[1].Hash[:]); n != 1 {
		t.Error("who waits for the first token holds the second one")
	}
	execute(t, conn, `ROLLBACK`)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
