package authorize

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"latchkey/server/protocol"
	"latchkey/server/token"
	"latchkey/storage"
)

// Issue answers a request for which Decide returned StepIssue: with a code for the user of the session. One round trip; one more when
// the metadata document of the client has changed since it was stored. The error is an *Error or an outage.
func (s *Service) Issue(ctx context.Context, a *Request, session *storage.LiveBrowserSession) (*Response, error) {
	client, err := s.cfg.Clients.KeepDocument(ctx, a.Client)
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	code, err := s.cfg.Tokens.IssueCode(ctx, &token.CodeRequest{
		Client: client, Session: session, RedirectURI: a.RedirectURI, Scope: a.Scope, Resource: a.Resource,
		Challenge: a.challenge, Nonce: a.nonce, Claims: a.claims, DPoPKey: a.dpopKey,
	})
	var refused *protocol.Error
	if errors.As(err, &refused) && refused.Status < http.StatusInternalServerError {
		return nil, a.refuse(refused.Code, "%s", refused.Description)
	}
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	return a.respond(url.Values{"code": {code.Reveal()}}), nil
}
