package token

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/ory/fosite"

	"latchkey/clients"
	"latchkey/storage"
)

// The client authentication methods (RFC 7591 §2) that the service knows.
const (
	AuthBasic = clients.AuthBasic
	AuthPost  = clients.AuthPost
	AuthNone  = clients.AuthNone
	// AuthPrivateKeyJWT is an assertion that the client signs: RFC 7523 §2.2.
	AuthPrivateKeyJWT = clients.AuthPrivateKeyJWT
)

// errClient says the same words for an unknown client, a wrong secret and a disabled client.
func errClient() *Error {
	return refuse("invalid_client", http.StatusUnauthorized, ReasonClient, "Client authentication failed: "+
		"the client_id is unknown or disabled, or its secret or assertion is missing or wrong.")
}

// noClient stands in for one that is not there, so that a secret is checked in any case.
var noClient = &clients.Client{}

// authenticate finds the client and checks its credentials (RFC 6749 §2.3). A database that is away is never
// invalid_client: a client may drop its credentials because of that.
//
// A client that has a secret may send it either way: RFC 6749 §2.3.1 wants Basic supported for all of them, and
// libraries try both.
func (s *Service) authenticate(ctx context.Context, cred Credentials) (*clients.Client, error) {
	return s.authenticateBy(ctx, cred, s.clients.Client)
}

// authenticateBy is authenticate with another way to find a client.
func (s *Service) authenticateBy(
	ctx context.Context, cred Credentials, find func(context.Context, string) (*clients.Client, error),
) (*clients.Client, error) {
	if cred.Method == "" || cred.ID == "" {
		return nil, refuse("invalid_client", http.StatusUnauthorized, ReasonClient, "The request names no client.")
	}
	client, err := find(ctx, cred.ID)
	var invalid *clients.MetadataError
	switch {
	case errors.Is(err, storage.ErrNotFound):
		client = noClient
	case errors.As(err, &invalid):
		return nil, refuse("invalid_client", http.StatusUnauthorized, ReasonClient, "%s", invalid.Description)
	case err != nil:
		return nil, err
	}
	var ok bool
	switch cred.Method {
	case AuthBasic, AuthPost:
		ok = s.clients.CheckSecret(client, cred.Secret) && !client.Public() && client.TokenEndpointAuthMethod != AuthPrivateKeyJWT
	case AuthPrivateKeyJWT:
		if err := s.checkAssertion(ctx, client, cred); err != nil {
			return nil, err
		}
		ok = true
	case AuthNone:
		ok = client.Public()
	}
	if !ok || client == noClient || client.Disabled {
		return nil, errClient()
	}
	return client, nil
}

// authenticateConfidential demands a client with credentials: RFC 7662 §2.1.
func (s *Service) authenticateConfidential(ctx context.Context, cred Credentials) (*clients.Client, error) {
	client, err := s.authenticate(ctx, cred)
	if err != nil {
		return nil, err
	}
	if client.Public() {
		return nil, errClient()
	}
	return client, nil
}

// scopeOffline asks for a session that outlives a logout (OpenID Connect Core §11). Any client that is registered for
// refresh tokens may ask for it.
const scopeOffline = "offline_access"

// fositeClient is a client as fosite sees it.
type fositeClient struct {
	*clients.Client
	scopes []string
	// refresh is the exchange of a refresh, whose scopes are those of the grant that it finds; nil for what is not one.
	refresh *exchange
}

func allowedScopes(c *clients.Client) []string {
	scopes := c.Scopes()
	if c.Allows(GrantRefreshToken) && !slices.Contains(scopes, scopeOffline) {
		scopes = append(slices.Clip(scopes), scopeOffline)
	}
	return scopes
}

func (c fositeClient) GetID() string                      { return c.ID }
func (c fositeClient) GetHashedSecret() []byte            { return nil }
func (c fositeClient) GetRedirectURIs() []string          { return c.RedirectURIs }
func (c fositeClient) GetGrantTypes() fosite.Arguments    { return c.GrantTypes }
func (c fositeClient) GetResponseTypes() fosite.Arguments { return c.ResponseTypes }
func (c fositeClient) IsPublic() bool                     { return c.Public() }
func (c fositeClient) GetAudience() fosite.Arguments      { return c.Policy.Resources }

func (c fositeClient) GetScopes() fosite.Arguments {
	if c.refresh != nil && c.refresh.grant != nil {
		return c.refresh.stillAllowed(c.refresh.grant.Scope)
	}
	return c.scopes
}
