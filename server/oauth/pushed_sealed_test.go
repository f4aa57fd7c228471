package oauth_test

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// kept notes what is stored of pushed requests.
type kept struct {
	storage.Store
	requests []*storage.PushedRequest
}

func (k *kept) CreatePushedRequest(ctx context.Context, p *storage.PushedRequest) error {
	k.requests = append(k.requests, p)
	return k.Store.CreatePushedRequest(ctx, p)
}

// openPushed opens the path of a pushed request, signed in.
func openPushed(s *servertest.Server, path string) *servertest.Page {
	b := s.Browser()
	b.SignIn()
	return b.Follow(path)
}

func TestA15PushedParametersAreSealed(t *testing.T) {
	t.Parallel()
	k := &kept{Store: sqlitetest.SQLite(t)}
	s := servertest.New(t, servertest.Store(k))
	push := func() string { return pushRequest(s, s.Web, "login_hint", "alice@example.com") }
	first := push()
	if len(k.requests) != 1 {
		t.Fatalf("%d rows", len(k.requests))
	}
	for _, part := range []string{"alice", "example", "=", "code_challenge", "client_id"} { // a short one could be in it by chance
		if strings.Contains(k.requests[0].Parameters, part) {
			t.Errorf("%q lies in clear in %s", part, k.requests[0].Parameters)
		}
	}
	if page := openPushed(s, first); !page.Has("/consent") {
		t.Errorf("the pushed request leads to %d %s", page.Status, page.Body)
	}
	// What was sealed for one reference is nothing under another.
	second, parameters := push(), k.requests[0].Parameters
	other := *k.requests[1]
	if _, err := s.Store.TakePushedRequest(t.Context(), other.Hash, s.Web.ID, s.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	other.Parameters = parameters
	if err := s.Store.CreatePushedRequest(t.Context(), &other); err != nil {
		t.Fatal(err)
	}
	if page := openPushed(s, second); page.Has("/consent") || page.Left != "" {
		t.Errorf("the parameters of another reference lead to %d %s", page.Status, page.Left)
	}
}

// A server of the release before stored parameters in clear.
func TestA15RowsOfThePreviousReleaseAreRead(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	err := s.Store.CreatePushedRequest(t.Context(), &storage.PushedRequest{
		Hash: sha256.Sum256([]byte("old")), ClientID: s.Web.ID, Parameters: s.Web.AuthorizeParams().Encode(),
		CreatedAt: s.Clock.Now(), ExpiresAt: s.Clock.Now().Add(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	if page := openPushed(s, "/oauth2/authorize?"+servertest.Form("client_id", s.Web.ID, "request_uri", "urn:ietf:params:oauth:request_uri:old").Encode()); !page.Has("/consent") {
		t.Errorf("leads to %d %s", page.Status, page.Body)
	}
}
