package jwks_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/clients"
	"latchkey/server/internal/jwks"
	"latchkey/server/internal/safehttp"
	"latchkey/storage"
)

// host serves a key set, or fails when there is none.
type host struct {
	mu      sync.Mutex
	now     time.Time
	body    string
	header  http.Header
	fetches int
	last    safehttp.Options
	gate    chan struct{} // nil = open
}

func (h *host) Get(_ context.Context, _ string, o safehttp.Options) (*safehttp.Response, error) {
	h.mu.Lock()
	h.fetches++
	h.last = o
	body, header, gate := h.body, h.header, h.gate
	h.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if body == "" {
		return nil, safehttp.ErrFetch
	}
	return &safehttp.Response{Header: header, Body: []byte(body)}, nil
}

func (h *host) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *host) set(body string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.body = body
}

func (h *host) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func setup() (*jwks.Cache, *host) {
	h := &host{now: time.Now(), header: http.Header{}}
	return jwks.New(jwks.Config{HTTP: h, Now: h.clock, Size: 4}), h
}

func keySet(t *testing.T, kids ...string) string {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, kid := range kids {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &key.PublicKey, KeyID: kid})
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func client(id string) *clients.Client {
	return &clients.Client{ID: id, Origin: storage.OriginRegistration, Metadata: clients.Metadata{JWKSURI: "https://" + id + ".example/jwks"}}
}

func want(t *testing.T, c *jwks.Cache, cl *clients.Client, kid string, n int) {
	t.Helper()
	keys, err := c.Keys(t.Context(), cl, kid)
	if err != nil || len(keys) != n {
		t.Errorf("kid %q: %d keys, %v; want %d", kid, len(keys), err, n)
	}
}

func (h *host) wantFetches(t *testing.T, n int) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fetches != n {
		t.Errorf("%d fetches, want %d", h.fetches, n)
	}
}

func TestKeysOfTheMetadata(t *testing.T) {
	t.Parallel()
	c, h := setup()
	cl := &clients.Client{ID: "a", Metadata: clients.Metadata{JWKS: json.RawMessage(keySet(t, "1", "2"))}}
	want(t, c, cl, "", 2)
	want(t, c, cl, "2", 1)
	want(t, c, cl, "3", 0)
	want(t, c, &clients.Client{ID: "b"}, "", 0)
	h.wantFetches(t, 0)
}

// Keys of kinds that we don't know, and private ones, are passed over.
func TestOddKeySets(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := json.Marshal(jose.JSONWebKey{Key: private, KeyID: "private"})
	if err != nil {
		t.Fatal(err)
	}
	good := keySet(t, "good")
	c, h := setup()
	h.set(`{"keys":[{"kty":"AKP","kid":"new"},{"kty":"oct","k":"c2VjcmV0"},` + string(secret) + `,17,` + good[len(`{"keys":[`):])
	want(t, c, client("a"), "", 1)
	for i, body := range []string{`{}`, `[]`, `{"keys":null}`, `nonsense`} {
		h.set(body)
		if keys, err := c.Keys(t.Context(), client(fmt.Sprint("odd", i)), ""); !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("%s: %d keys, %v", body, len(keys), err)
		}
	}
}

func TestStatement27UnknownKIDRefetchesOnceAMinute(t *testing.T) {
	t.Parallel()
	c, h := setup()
	h.set(keySet(t, "1"))
	want(t, c, client("a"), "1", 1)
	h.set(keySet(t, "1", "2"))
	for range 20 {
		want(t, c, client("a"), "2", 0) // the minute of the first fetch
	}
	h.wantFetches(t, 1)
	h.pass(time.Minute)
	want(t, c, client("a"), "2", 1)
	h.wantFetches(t, 2)
	for i := range 20 {
		want(t, c, client("a"), fmt.Sprint("invented", i), 0)
	}
	h.pass(time.Minute)
	for i := range 20 {
		want(t, c, client("a"), fmt.Sprint("invented", i), 0)
	}
	h.wantFetches(t, 3)
	want(t, c, client("b"), "1", 1) // each client has its own
	h.wantFetches(t, 4)
}

func TestKeysAreFreshAsTheirHeadersSay(t *testing.T) {
	t.Parallel()
	for header, fresh := range map[string]time.Duration{
		"": time.Hour, "max-age=600": 10 * time.Minute, "no-store": 5 * time.Minute, "max-age=9999999": 24 * time.Hour,
	} {
		c, h := setup()
		h.header.Set("Cache-Control", header)
		h.set(keySet(t, "1"))
		want(t, c, client("a"), "1", 1)
		h.pass(fresh - time.Second)
		want(t, c, client("a"), "1", 1)
		h.wantFetches(t, 1)
		h.pass(time.Second)
		want(t, c, client("a"), "1", 1)
		h.wantFetches(t, 2)
	}
}

func TestStaleKeysServeForAWhile(t *testing.T) {
	t.Parallel()
	c, h := setup()
	h.set(keySet(t, "1"))
	want(t, c, client("a"), "1", 1)
	h.set("")
	h.pass(time.Hour)
	for range 5 {
		want(t, c, client("a"), "1", 1)
	}
	h.wantFetches(t, 2) // a failure, too, is one fetch a minute
	h.pass(time.Hour)
	if _, err := c.Keys(t.Context(), client("a"), "1"); !errors.Is(err, jwks.ErrUnavailable) {
		t.Errorf("two hours old: %v", err)
	}
	h.wantFetches(t, 3)
	h.set(keySet(t, "1"))
	if _, err := c.Keys(t.Context(), client("a"), "1"); !errors.Is(err, jwks.ErrUnavailable) {
		t.Errorf("within the minute: %v", err)
	}
	h.pass(time.Minute)
	want(t, c, client("a"), "1", 1)
}

func TestOneFetchForAllWhoWait(t *testing.T) {
	t.Parallel()
	c, h := setup()
	h.gate = make(chan struct{})
	h.set(keySet(t, "1"))
	cl := client("a")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { want(t, c, cl, "1", 1) })
	}
	// Who does not wait for it ends nobody else's.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Keys(ctx, cl, "1"); !errors.Is(err, jwks.ErrUnavailable) {
		t.Error(err)
	}
	close(h.gate)
	wg.Wait()
	h.wantFetches(t, 1)
}

// Strangers' key sets push out none of the operator's clients, and only those may name the operator's networks.
func TestTrust(t *testing.T) {
	t.Parallel()
	c, h := setup()
	h.set(keySet(t, "1"))
	own := client("own")
	own.Origin = storage.OriginOperator
	want(t, c, own, "1", 1)
	if !h.last.Trusted || h.last.AllowHTTP {
		t.Errorf("%+v", h.last)
	}
	for i := range 10 {
		want(t, c, client(fmt.Sprint(i)), "1", 1)
		if h.last.Trusted {
			t.Errorf("%+v", h.last)
		}
	}
	want(t, c, own, "1", 1)
	h.wantFetches(t, 11)
	want(t, c, client("0"), "1", 1) // it was pushed out
	h.wantFetches(t, 12)
}

// Without a kid an assertion is checked with few keys, none of which is slow.
func TestA13FewAndFastKeys(t *testing.T) {
	t.Parallel()
	c, h := setup()
	cl := &clients.Client{ID: "a", Metadata: clients.Metadata{JWKS: json.RawMessage(keySet(t, "1", "2", "3", "4", "5", "6"))}}
	want(t, c, cl, "", 4)
	want(t, c, cl, "6", 1)
	cl.JWKS = json.RawMessage(keySet(t, "same", "same", "same", "same", "same"))
	want(t, c, cl, "same", 4)
	for exponent, n := range map[int]int{3: 1, 65537: 1, 65539: 0, 1<<31 - 1: 0} {
		text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
			{Key: &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: exponent}, KeyID: "rsa"},
			{Key: &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 3}, KeyID: "encryption", Use: "enc"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		cl.JWKS = text
		want(t, c, cl, "rsa", n)
		want(t, c, cl, "", n)
	}
	h.wantFetches(t, 0)
}
