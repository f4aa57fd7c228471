package token

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"

	"latchkey/clients"
	"latchkey/server/internal/audit"
	"latchkey/server/internal/request"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
)

// steps are those in which grant types differ. Exchange calls them in this order, after the client was authenticated and before the
// tokens are minted; none can be left out but move, by a grant type that stores nothing.
type steps struct {
	// load reads what the request presents, and judges it.
	load func(ctx context.Context) error
	// check asks fosite whether the request is right, and settles scope and audience.
	check func(ctx context.Context) error
	// move writes what the request changes: one statement that decides.
	move func(ctx context.Context) error
	// undo takes back, after an error of check or move, what the request cost; nil when it cost nothing.
	undo func(ctx context.Context)
}

// Exchange answers a token request (RFC 6749 §3.2). The error is a *protocol.Error or an outage: see [protocol.AsError].
func (s *Service) Exchange(ctx context.Context, req *Request) (*Response, error) {
	resp, err := s.exchange(ctx, req)
	outcome := "issued"
	if err != nil {
		e := protocol.AsError(err)
		outcome = e.Code
		if e.Reason != reasons.None {
			request.From(ctx).Event.Add(slog.String("reason", string(e.Reason)))
		}
	}
	s.metrics.Tokens.WithLabelValues(grantLabel(req.GrantType), outcome).Inc()
	return resp, err
}

// GrantTypes returns the grant types that the service serves, for the metadata document.
func GrantTypes() []string {
	return []string{clients.GrantAuthorizationCode, clients.GrantRefreshToken, clients.GrantClientCredentials, clients.GrantPassword, clients.GrantDeviceCode}
}

// grantLabel returns a grant type for the log and the metrics. Text of the request is in neither: as a label it would be unbounded,
// and a client that mixes up its parameters sends a password or a token here.
func grantLabel(grantType string) string {
	if slices.Contains(GrantTypes(), grantType) {
		return grantType
	}
	return "other"
}

func (s *Service) exchange(ctx context.Context, req *Request) (*Response, error) {
	if req.GrantType == "" {
		return nil, protocol.InvalidRequest("The parameter grant_type is missing.")
	}
	client, err := s.auth.Authenticate(ctx, req.Client)
	if err != nil {
		return nil, err
	}
	x := &exchange{Service: s, req: req, client: client, format: req.Format, now: s.now()}
	if x.format == nil {
		x.format = s.formatOf(client)
	}
	x.policy = x.format.Policy(s.deployment, client)
	if x.policy.Closed {
		return nil, protocol.ClientRefused()
	}
	request.From(ctx).Event.Add(slog.String("client_id", client.ID), slog.String("grant_type", grantLabel(req.GrantType)))
	resp, err := x.answer(ctx)
	if err != nil {
		x.noteRefusal(ctx, err)
	}
	return resp, err
}

// noteRefusal notes a refusal that a change to the application or its registration prevents. Passwords and refresh tokens are refused
// in the course of things, and have events of their own.
func (x *exchange) noteRefusal(ctx context.Context, err error) {
	var refused *protocol.Error
	if !errors.As(err, &refused) || pollErrors[refused.Code] != "" || refused.Code == "use_dpop_nonce" ||
		refused.Status >= http.StatusInternalServerError || refused.RetryAfter > 0 ||
		refused.Code == "invalid_grant" && (x.req.GrantType != clients.GrantAuthorizationCode || refused.Reason != reasons.BadRequest) {
		return
	}
	r := audit.Refusal{ClientID: x.client.ID, Known: true, Error: refused.Code, Reason: string(refused.Reason)}
	r.Details.Description = refused.Description
	if x.req.RedirectURI != "" {
		r.Details.RedirectURI, r.Details.Nearest = x.req.RedirectURI, x.client.NearestRedirectURI(x.req.RedirectURI)
	}
	x.audit.Refused(ctx, r)
}

// answer carries out the steps of the grant type.
func (x *exchange) answer(ctx context.Context) (*Response, error) {
	steps, err := x.steps()
	if err != nil {
		return nil, err
	}
	if err := x.readProof(); err != nil {
		return nil, err
	}
	if err := steps.load(ctx); err != nil {
		return nil, err
	}
	if err := x.checkAndMove(ctx, steps); err != nil {
		if steps.undo != nil {
			steps.undo(ctx)
		}
		return nil, err
	}
	return x.mint(ctx)
}

func (x *exchange) checkAndMove(ctx context.Context, steps steps) error {
	if err := steps.check(ctx); err != nil {
		return err
	}
	if err := x.admit(ctx); err != nil {
		return err
	}
	// Keys are made at their first use. After move nothing may fail any more that a request could wait for.
	if err := x.prepareKeys(ctx); err != nil {
		return err
	}
	if x.user != nil {
		if err := x.ask(ctx, x.user.Sub()); err != nil {
			return err
		}
	}
	// The proof is used up once nothing else is wrong with the request.
	if x.proof != nil {
		if err := x.useProof(ctx); err != nil {
			return err
		}
	}
	if steps.move == nil {
		return nil
	}
	return steps.move(ctx)
}

// steps returns those of the grant type. What the server lacks is unsupported_grant_type; what the client lacks is
// unauthorized_client, before anything about the grant itself (RFC 6749 §5.2).
func (x *exchange) steps() (steps, error) {
	grantType := x.req.GrantType
	if grantLabel(grantType) != grantType {
		return steps{}, protocol.Refuse("unsupported_grant_type", reasons.BadRequest, "The server does not support this grant type.")
	}
	if !x.client.Allows(grantType) {
		return steps{}, protocol.Refuse("unauthorized_client", reasons.BadRequest, "The client is not registered for the grant type %s.", grantType)
	}
	switch grantType {
	case clients.GrantPassword:
		g := &passwordGrant{exchange: x}
		return steps{g.load, g.check, g.move, g.undo}, nil
	case clients.GrantRefreshToken:
		g := &refreshGrant{exchange: x}
		return steps{load: g.load, check: g.check, move: g.move}, nil
	case clients.GrantAuthorizationCode:
		g := &codeGrant{exchange: x}
		return steps{load: g.load, check: g.check, move: g.move}, nil
	case clients.GrantDeviceCode:
		g := &deviceGrant{exchange: x}
		return steps{load: g.load, check: g.check, move: g.move}, nil
	default:
		g := &clientCredentialsGrant{exchange: x}
		return steps{load: g.load, check: g.check}, nil
	}
}

// admit refuses a user who is in none of the groups that the client requires, at each login and at each refresh. The session stays: it
// goes on when the user is in the group again.
func (x *exchange) admit(ctx context.Context) error {
	if x.user == nil || x.client.Admits(x.user.Groups) {
		return nil
	}
	refused := protocol.Refuse("invalid_grant", reasons.Outside, "The user is in none of the groups that the client requires (require_groups).")
	r := audit.Refusal{ClientID: x.client.ID, Known: true, UserID: x.user.ID, Error: refused.Code, Reason: string(refused.Reason)}
	r.Details.Description = refused.Description
	x.audit.Refused(ctx, r)
	return refused
}

// beginAudience returns the audience of an access token of a grant that began with the resources granted. If that is none, the client may
// name some at the token endpoint alone (RFC 8707 §2.2): those that were offered, which the user has seen. A client that asks no user about
// resources may name any that it is registered for.
func (x *exchange) beginAudience(ctx context.Context, granted, offered []string) ([]string, error) {
	asked := x.req.Resource
	switch {
	case len(granted) > 0:
		return narrowAudience(granted, asked)
	case len(asked) > 0 && !x.client.FirstParty && !x.client.Allows(clients.GrantPassword):
		seen, err := narrowAudience(offered, asked)
		if err != nil {
			return nil, protocol.Refuse("invalid_target", reasons.BadRequest,
				"The user was not asked about this resource: name it in the authorization request.")
		}
		asked = seen
	}
	return x.AllowResources(ctx, x.client, asked)
}
