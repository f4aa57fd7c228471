package authorize

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"latchkey/server/claims"
	"latchkey/server/protocol"
	"latchkey/server/token"
	"latchkey/storage"
)

// Issue answers a request for which Decide returned StepIssue: with a code for the user of the session. One round trip; one more when
// the metadata document of the client has changed since it was stored. The code uses up a pushed request: of any number of answers to it
// one is given. The error is an *Error or an outage.
func (s *Service) Issue(ctx context.Context, a *Request, session *storage.LiveBrowserSession) (*Response, error) {
	client, err := s.cfg.Clients.KeepDocument(ctx, a.Client)
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	code, err := s.cfg.Tokens.IssueCode(ctx, &token.CodeRequest{
		Client: client, Session: session, RedirectURI: a.RedirectURI, Scope: a.Scope, Resource: a.Resource, Offered: a.seen(session.Consent),
		Challenge: a.challenge, Nonce: a.nonce, Claims: a.storedClaims(session), DPoPKey: a.dpopKey,
		Pushed: a.pushed,
	})
	if errors.Is(err, storage.ErrConflict) {
		return nil, answeredBefore(a.Client)
	}
	var refused *protocol.Error
	if errors.As(err, &refused) && refused.Status < http.StatusInternalServerError {
		return nil, a.refuse(refused.Code, "%s", refused.Description)
	}
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	return a.respond(url.Values{"code": {code.Reveal()}}), nil
}

// storedClaims returns what is stored of the claims parameter, with the acr that ID tokens report if the client has asked for a weaker one
// than the login amounts to.
func (a *Request) storedClaims(session *storage.LiveBrowserSession) string {
	acr := claims.ACR(session.AMR, a.acr...)
	if acr == claims.ACR(session.AMR) {
		return a.claims
	}
	return claims.WithACR(a.claims, acr)
}

// Refuse returns the answer that takes a refusal to the client. Like a code it uses up a pushed request. e has a Response. The
// error is an *Error, which has none, or an outage.
func (s *Service) Refuse(ctx context.Context, e *Error) (*Response, error) {
	if e.pushed.IsZero() {
		return e.Response, nil
	}
	_, err := s.cfg.Store.TakePushedRequest(ctx, e.pushed, e.Client.ID, s.now())
	if errors.Is(err, storage.ErrNotFound) {
		return nil, answeredBefore(e.Client)
	}
	if err != nil {
		return nil, fmt.Errorf("use up a pushed request: %w", err)
	}
	return e.Response, nil
}
