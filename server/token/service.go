package token

import (
	"context"
	"crypto/rand"
	"net/url"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/internal/legacyjwt"
	"latchkey/server/internal/metrics"
	"latchkey/server/keys"
	"latchkey/server/users"
	"latchkey/storage"
)

// Config is what a Service is made of.
type Config struct {
	Store   storage.Store
	Clients *registry.Registry
	Users   *users.Service
	Keys    *keys.Ring
	Root    *keys.Root
	Metrics *metrics.Metrics
	Now     func() time.Time

	// Issuer is the issuer identifier, the iss of every token.
	Issuer    string
	Lifetimes Lifetimes
	// AnyResource lets clients without a list of their own ask for any resource.
	AnyResource bool

	SimpleJWT SimpleJWT
	// Codec writes and reads tokens as simplejwt does.
	Codec *legacyjwt.Codec

	// ClientKeys finds the keys of private_key_jwt; nil: no client can authenticate so.
	ClientKeys ClientKeys
}

// Service is the one token service behind every route.
type Service struct {
	store     storage.Store
	clients   *registry.Registry
	users     *users.Service
	keys      *keys.Ring
	metrics   *metrics.Metrics
	clock     func() time.Time
	issuer    string
	lifetimes Lifetimes
	anyRes    bool
	simplejwt SimpleJWT
	codec     *legacyjwt.Codec
	// clientKeys may be nil.
	clientKeys ClientKeys

	refresh  *refreshCodec
	chainKey []byte
	pushKey  []byte
	// sealer is for what travels through browsers, opaque for access tokens.
	sealer, opaque *sealer

	// authorizers are fosite's handlers of the authorization endpoint, handlers those of the token endpoint.
	authorizers []fosite.AuthorizeEndpointHandler
	handlers    map[string]fosite.TokenEndpointHandler
}

// The grant types that the service serves.
const (
	GrantPassword          = clients.GrantPassword
	GrantRefreshToken      = clients.GrantRefreshToken
	GrantClientCredentials = clients.GrantClientCredentials
	GrantAuthorizationCode = clients.GrantAuthorizationCode
)

// New makes a Service.
func New(c Config) (*Service, error) {
	s := &Service{
		store: c.Store, clients: c.Clients, users: c.Users, keys: c.Keys, metrics: c.Metrics, clock: c.Now,
		issuer: c.Issuer, lifetimes: c.Lifetimes, anyRes: c.AnyResource, simplejwt: c.SimpleJWT, codec: c.Codec,
		clientKeys: c.ClientKeys,
		refresh:    &refreshCodec{keys: c.Root.Derive("refresh tokens")},
		// The current secret alone: a chain that spans a change of the root secret gets one more successor.
		chainKey: c.Root.Derive("refresh chain")[0],
		pushKey:  c.Root.Derive("pushed requests")[0],
	}
	err := knownClaims(c.SimpleJWT.Claims)
	if err != nil {
		return nil, err
	}
	if s.opaque, err = newSealer(c.Root.Derive("opaque access tokens")); err != nil {
		return nil, err
	}
	if s.sealer, err = newSealer(c.Root.Derive("browser state")); err != nil {
		return nil, err
	}
	s.compose()
	return s, nil
}

// compose makes fosite's handlers. They are dispatched by grant type: asked one after another, those that do not match cost more
// than the one that does. Every strategy is set here, since fosite's getters assign defaults lazily, which is a data race.
func (s *Service) compose() {
	cfg := &fosite.Config{
		ScopeStrategy: fosite.ExactScopeStrategy,
		// Resources are checked in the pipeline, by rules that fosite does not know: allowResources, narrowAudience.
		AudienceMatchingStrategy: func(_, _ []string) error { return nil },
		RefreshTokenScopes:       []string{}, // whether a client gets refresh tokens is its registration's business
		AccessTokenLifespan:      s.lifetimes.AccessToken,
		RefreshTokenLifespan:     s.lifetimes.RefreshToken,
		AuthorizeCodeLifespan:    codeTTL,
		IDTokenLifespan:          idTokenTTL,
		// RFC 9700 §2.1.1: for every client; plain is off by itself.
		EnforcePKCE:            true,
		OmitRedirectScopeParam: true,
		// clients.Validate has settled which redirect URIs there are.
		RedirectSecureChecker: func(context.Context, *url.URL) bool { return true },
		SanitationWhiteList:   []string{"code", "redirect_uri"},
	}
	st, tokens := fositeStore{s}, strategy{s}
	issue := &oauth2.HandleHelper{AccessTokenStrategy: tokens, AccessTokenStorage: st, Config: cfg}
	codes := &oauth2.AuthorizeExplicitGrantHandler{
		AccessTokenStrategy: tokens, RefreshTokenStrategy: tokens, AuthorizeCodeStrategy: codeStrategy{s},
		CoreStorage: st, TokenRevocationStorage: st, Config: cfg,
	}
	verifier := &pkce.Handler{AuthorizeCodeStrategy: codeStrategy{s}, Storage: st, Config: cfg}
	idToken := &openid.IDTokenHandleHelper{IDTokenStrategy: idTokenStrategy{s}}
	explicit := &openid.OpenIDConnectExplicitHandler{
		OpenIDConnectRequestStorage: st, Config: cfg, IDTokenHandleHelper: idToken,
		OpenIDConnectRequestValidator: openid.NewOpenIDConnectRequestValidator(nil, cfg), // no hint reaches it
	}
	s.authorizers = []fosite.AuthorizeEndpointHandler{codes, explicit, verifier}
	s.handlers = map[string]fosite.TokenEndpointHandler{
		//lint:ignore SA1019 OAuth 2.1 drops the password grant; serving the applications that have it is what Latchkey is for.
		GrantPassword: &oauth2.ResourceOwnerPasswordCredentialsGrantHandler{
			HandleHelper: issue, ResourceOwnerPasswordCredentialsGrantStorage: st, RefreshTokenStrategy: tokens, Config: cfg,
		},
		GrantRefreshToken: &openIDGrant{
			grant: &oauth2.RefreshTokenGrantHandler{
				AccessTokenStrategy: tokens, RefreshTokenStrategy: tokens, TokenRevocationStorage: st, Config: cfg,
			},
			more: []fosite.TokenEndpointHandler{&openid.OpenIDConnectRefreshHandler{IDTokenHandleHelper: idToken, Config: cfg}},
		},
		GrantAuthorizationCode: &openIDGrant{grant: codes, more: []fosite.TokenEndpointHandler{verifier, explicit}},
		GrantClientCredentials: &oauth2.ClientCredentialsGrantHandler{HandleHelper: issue, Config: cfg},
	}
}

// now is the present time as the database can keep it.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

func newTokenID() (id storage.TokenID) {
	rand.Read(id[:])
	return id
}

// GrantTypes are the grant types that the service serves, for the metadata document.
func (s *Service) GrantTypes() []string {
	return []string{GrantAuthorizationCode, GrantRefreshToken, GrantClientCredentials, GrantPassword}
}

type exchangeKey struct{}

func withExchange(ctx context.Context, x *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// exchangeOf finds the unit of work of a request: fosite hands the context through to storage and strategies.
func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }
