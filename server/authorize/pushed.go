package authorize

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/server/clientauth"
	"latchkey/server/dpop"
	"latchkey/server/internal/mac"
	"latchkey/server/internal/request"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

const (
	// pushedTTL is how long a pushed request waits for a browser to open it.
	pushedTTL = 90 * time.Second
	// pushedKept is how long it waits for its answer: who opened it may take as long as for any other request.
	pushedKept = pushedTTL + continuationTTL
)

// PushRequest is a pushed authorization request (RFC 9126 §2.1): the parameters of an authorization request, from an authenticated
// client.
type PushRequest struct {
	Client clientauth.Credentials
	// Params are those of the form. The credentials among them are left out.
	Params url.Values
	// Proof is the proof of possession that the request has, if any: the code is bound to its key (RFC 9449 §10.1).
	Proof dpop.Presented
}

// Push checks and keeps an authorization request; it returns the request_uri, and for how long it can be used (RFC 9126 §2.2). The error
// is an *protocol.Error or an outage.
func (s *Service) Push(ctx context.Context, req *PushRequest) (requestURI string, ttl time.Duration, err error) {
	client, err := s.cfg.Auth.AuthenticateFrom(ctx, req.Client, s.cfg.Clients.ForAuthorize)
	if err != nil {
		return "", 0, err
	}
	params := url.Values{}
	for name, values := range req.Params {
		switch name {
		case "client_secret", "client_assertion", "client_assertion_type": // never stored
		default:
			params[name] = values
		}
	}
	if params.Get("request_uri") != "" {
		return "", 0, protocol.InvalidRequest("The parameter request_uri cannot be part of a pushed request.") // RFC 9126 §2.1
	}
	params.Set("client_id", client.ID)
	if params, err = s.openObject(ctx, client, params); err != nil {
		return "", 0, err
	}
	proof, err := s.readProof(client, req.Proof)
	if err != nil {
		return "", 0, err
	}
	err = s.limited(ctx, client, func() (err error) {
		requestURI, err = s.push(ctx, client, params, proof)
		return err
	})
	return requestURI, pushedTTL, err
}

// limited calls keep, which stores a request; for a client that anyone can register, within the limits. Where anyone can register a client, knowing its
// secret proves nothing.
func (s *Service) limited(ctx context.Context, client *clients.Client, keep func() error) error {
	if !client.Public() && !client.Unverified() {
		return keep()
	}
	buckets, err := s.limitPushes(ctx)
	if err != nil {
		return err
	}
	return s.givenBack(ctx, keep(), buckets)
}

// readProof checks the proof of a pushed request; nil if there is none.
func (s *Service) readProof(client *clients.Client, p dpop.Presented) (*dpop.Proof, error) {
	if p.None() {
		return nil, nil
	}
	return s.cfg.Proofs.ReadOf(client, p)
}

// bind binds the code of a pushed request to the key of its proof, and uses the proof up. A dpop_jkt beside it must name the same key
// (RFC 9449 §10.1).
func (s *Service) bind(ctx context.Context, client *clients.Client, params url.Values, proof *dpop.Proof) error {
	if key := params.Get("dpop_jkt"); key != "" && key != proof.Key {
		return dpop.Invalid("its key is not that of the dpop_jkt.")
	}
	params.Set("dpop_jkt", proof.Key)
	return s.cfg.Proofs.Use(ctx, client.ID, proof)
}

// push checks and keeps the parameters, and returns the request_uri that stands for them.
func (s *Service) push(ctx context.Context, client *clients.Client, params url.Values, proof *dpop.Proof) (requestURI string, err error) {
	if _, err := s.check(ctx, client, params, storage.Digest{}); err != nil {
		return "", err
	}
	if proof != nil {
		if err := s.bind(ctx, client, params, proof); err != nil {
			return "", err
		}
	}
	reference := rand.Text() + rand.Text() // 260 bits
	sealed, err := s.cfg.Sealer.SealJSON(sealPushed+reference, params)
	if err != nil {
		return "", fmt.Errorf("keep a pushed request: %w", err)
	}
	now := s.now()
	err = s.cfg.Store.CreatePushedRequest(ctx, &storage.PushedRequest{
		Hash: sha256.Sum256([]byte(reference)), ClientID: client.ID, Parameters: sealed,
		CreatedAt: now, ExpiresAt: now.Add(pushedKept),
	})
	if err != nil {
		return "", fmt.Errorf("keep a pushed request: %w", err)
	}
	return requestURIPrefix + reference, nil
}

// The limits for clients that anyone can register: each request is a row for an hour. They hold for a network, for the /48 of an IPv6
// address, and for all together.
const (
	pushBurst, pushInterval         = 60, time.Second
	pushWideBurst, pushWideInterval = 240, 250 * time.Millisecond
	pushAllBurst, pushAllInterval   = 3000, 20 * time.Millisecond
)

// limitPushes returns the buckets that it took an attempt from.
func (s *Service) limitPushes(ctx context.Context) ([]storage.Bucket, error) {
	network, ok := request.From(ctx).Network()
	if !ok {
		return nil, nil // not the request of a route: there is no address to count by
	}
	buckets := []storage.Bucket{
		{Key: mac.Sum(s.pushKey, network), Burst: pushBurst, Interval: pushInterval},
		{Key: mac.Sum(s.pushKey, "all"), Burst: pushAllBurst, Interval: pushAllInterval},
	}
	if wide, ok := request.From(ctx).Prefix(48); ok {
		buckets = append(buckets, storage.Bucket{Key: mac.Sum(s.pushKey, wide), Burst: pushWideBurst, Interval: pushWideInterval})
	}
	return s.take(ctx, "limit pushed requests", "Too many authorization requests from this network. Try again later.", buckets)
}

// take takes one attempt from each of the buckets, and returns them; what names that in the log, refusal is for those who have to wait.
func (s *Service) take(ctx context.Context, what, refusal string, buckets []storage.Bucket) ([]storage.Bucket, error) {
	wait, err := s.cfg.Store.TakeAttempts(context.WithoutCancel(ctx), s.now(), buckets...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if wait > 0 {
		return nil, protocol.Throttled(wait, refusal)
	}
	return buckets, nil
}

// findPushed returns the parameters of a pushed request, and its hash. Nothing of the request that names it is merged in.
//
// It is not bound to a browser: RFC 9126 §4 lets it be opened more than once, see docs/decisions/0019.
func (s *Service) findPushed(ctx context.Context, client *clients.Client, params url.Values) (url.Values, storage.Digest, error) {
	none := storage.Digest{}
	if len(params["request_uri"]) > 1 {
		return nil, none, &Error{Client: client, Err: protocol.InvalidRequest("The parameter request_uri is repeated.")}
	}
	reference := strings.TrimPrefix(params.Get("request_uri"), requestURIPrefix)
	hash, now := storage.Digest(sha256.Sum256([]byte(reference))), s.now()
	pushed, err := s.cfg.Store.PushedRequest(ctx, hash, client.ID, now)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, none, answeredBefore(client)
	case err != nil:
		return nil, none, fmt.Errorf("find a pushed request: %w", err)
	case !now.Before(pushed.CreatedAt.Add(pushedTTL)):
		return nil, none, answeredBefore(client)
	}
	values, err := s.openPushed(reference, pushed.Parameters)
	if err != nil {
		return nil, none, fmt.Errorf("find a pushed request: %w", err)
	}
	return values, hash, nil
}

// answeredBefore refuses a pushed request that can't be answered any more. It never redirects: an answer was given, or there is nothing
// that says where it would go.
func answeredBefore(client *clients.Client) *Error {
	return &Error{Client: client, Err: protocol.Refuse("invalid_request_uri", reasons.BadRequest,
		"The pushed request has expired, was answered before, or is another client's.")}
}

// openPushed returns the parameters that were sealed for a reference. Those that a server of the release before stored are
// form-urlencoded, with at least one =, which base64url does not have; they live for a minute and a half.
func (s *Service) openPushed(reference, text string) (url.Values, error) {
	if strings.Contains(text, "=") {
		return url.ParseQuery(text)
	}
	var values url.Values
	err := s.cfg.Sealer.OpenJSON(sealPushed+reference, text, &values)
	return values, err
}
