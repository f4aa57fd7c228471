// A server whose resource is protected by Latchkey: an API, or a Model Context Protocol server. It needs no secret, and asks
// Latchkey for nothing but its keys.
//
//	latchkey resource add http://localhost:9000/mcp --name Tools --scope tools:read
//	go run ./docs/examples/guard-go -issuer http://localhost:8000 -resource http://localhost:9000/mcp
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func main() {
	issuer := flag.String("issuer", "http://localhost:8000", "Latchkey's issuer")
	resource := flag.String("resource", "http://localhost:9000/mcp", "the identifier that `latchkey resource add` was given: the URL that clients use")
	listen := flag.String("listen", "127.0.0.1:9000", "where to listen")
	flag.Parse()

	g := &guard{issuer: *issuer, resource: *resource}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, user %s of %s\n", caller(r).Subject, caller(r).ClientID)
	})
	http.Handle("/mcp", g.protect(hello, "tools:read"))
	log.Fatal(http.ListenAndServe(*listen, nil))
}

// claims are those of an access token (RFC 9068 §2.2).
type claims struct {
	jwt.Claims
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
}

type callerKey struct{}

// caller is who the request comes from.
func caller(r *http.Request) *claims { return r.Context().Value(callerKey{}).(*claims) }

// guard lets requests through that carry an access token of the issuer, meant for the resource.
type guard struct {
	issuer   string
	resource string

	mu      sync.Mutex
	keys    jose.JSONWebKeySet
	fetched time.Time
}

// protect wants a token with the scope.
func (g *guard) protect(next http.Handler, scope string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || raw == "" {
			g.refuse(w, http.StatusUnauthorized, "", scope)
			return
		}
		c, err := g.verify(r.Context(), raw)
		switch {
		case errors.Is(err, errNoKeys):
			http.Error(w, "The keys of the authorization server can't be had now.", http.StatusServiceUnavailable)
		case err != nil:
			g.refuse(w, http.StatusUnauthorized, "invalid_token", scope)
		case !slices.Contains(strings.Fields(c.Scope), scope):
			g.refuse(w, http.StatusForbidden, "insufficient_scope", scope)
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
		}
	})
}

// refuse sends the client to Latchkey: the header leads to a document that names it (RFC 9728 §5.1).
func (g *guard) refuse(w http.ResponseWriter, status int, code, scope string) {
	metadata := g.issuer + "/oauth2/resources?" + url.Values{"resource": {g.resource}}.Encode()
	header := fmt.Sprintf("Bearer resource_metadata=%q, scope=%q", metadata, scope)
	if code != "" { // RFC 6750 §3.1: no error where no token was sent
		header += fmt.Sprintf(", error=%q", code)
	}
	w.Header().Set("WWW-Authenticate", header)
	w.Header().Set("Access-Control-Expose-Headers", "WWW-Authenticate") // for clients in a browser
	http.Error(w, http.StatusText(status), status)
}

// verify checks everything that RFC 9068 §4 asks for. The type keeps ID tokens out, the audience tokens for other servers.
func (g *guard) verify(ctx context.Context, raw string) (*claims, error) {
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.RS256})
	if err != nil {
		return nil, err
	}
	header := token.Headers[0]
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != "at+jwt" {
		return nil, errors.New("not an access token")
	}
	key, err := g.key(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	if key.Algorithm != header.Algorithm {
		return nil, errors.New("the key is for another algorithm")
	}
	c := &claims{}
	if err := token.Claims(key, c); err != nil {
		return nil, err
	}
	if c.Expiry == nil {
		return nil, errors.New("without an end")
	}
	return c, c.Validate(jwt.Expected{Issuer: g.issuer, AnyAudience: jwt.Audience{g.resource}, Time: time.Now()})
}

var errNoKeys = errors.New("no keys")

// key finds a key. One that is not known makes it ask again, once in ten seconds at most: new keys are published an hour before
// they sign.
func (g *guard) key(ctx context.Context, kid string) (*jose.JSONWebKey, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	found := g.keys.Key(kid)
	if len(found) == 0 && time.Since(g.fetched) > 10*time.Second {
		if err := g.fetch(ctx); err != nil {
			return nil, fmt.Errorf("%w: %w", errNoKeys, err)
		}
		found = g.keys.Key(kid)
	}
	if len(found) == 0 {
		return nil, errors.New("unknown key")
	}
	return &found[0], nil
}

func (g *guard) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.issuer+"/oauth2/jwks", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("keys: %s", resp.Status)
	}
	var keys jose.JSONWebKeySet
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&keys); err != nil {
		return err
	}
	g.keys, g.fetched = keys, time.Now()
	return nil
}
