package server

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"latchkey/clients"
	"latchkey/server/account"
	"latchkey/server/authorize"
	"latchkey/server/consent"
	"latchkey/server/console"
	"latchkey/server/device"
	"latchkey/server/flow"
	"latchkey/server/login"
	"latchkey/server/logo"
	"latchkey/server/mail"
	"latchkey/server/oauth"
	"latchkey/server/personal"
	"latchkey/server/route"
	"latchkey/server/security"
	"latchkey/server/selfhelp"
	"latchkey/server/simplejwt"
	"latchkey/server/simplejwt/codec"
	"latchkey/server/television"
	"latchkey/server/web"
	"latchkey/server/web/look"
)

// routes is every public route.
func (s *Server) routes() *route.Router {
	cfg := s.routerConfig()
	cfg.NotFoundPage, cfg.AllowOrigin, cfg.Origin = s.pages.RenderError, s.allowOrigin, s.issuer.Scheme+"://"+s.issuer.Host
	if s.cfg.CORSCredentials {
		cfg.CredentialOrigins = s.cfg.CORSOrigins
	}
	rt := route.New(cfg)

	paths := flow.Paths{Base: s.issuer.Path}
	s.logos = logo.New(logo.Config{Clients: s.registry, HTTP: outbound(&s.cfg), Now: s.cfg.Now, BasePath: s.issuer.Path})
	h := oauth.New(oauth.Config{
		Tokens: s.tokens, Requests: s.requests, Keys: s.keys, Clients: s.registry, Sessions: s.sessions, Audit: s.audit, Pages: s.pages,
		Proofs: s.proofs, Paths: paths, Look: s.lookOf, Sealer: s.sealer, Issuer: s.cfg.Issuer, Scopes: s.scopes, Claims: s.cfg.Claims, ACRs: s.factors.ACRs(),
		Registration: s.cfg.Registration, RegistrationKey: s.cfg.Root.Derive("registration")[0],
		RegistrationPerNetwork: s.cfg.RegistrationLimit, Throttles: s.cfg.Store, Now: s.cfg.Now,
		ClientDocuments: !s.cfg.ClientDocuments.Off(), Locales: s.pages.Locales(),
	})
	// A GET request gets a code here, or signs the user out.
	crossSite := []route.Option{route.Methods(http.MethodGet, http.MethodPost), route.WithoutHead(), route.AllowCrossSite()}
	rt.Page(oauth.AuthorizePath, h.Authorize, s.pages.RenderError, crossSite...)
	rt.Page(oauth.LogoutPath, h.Logout, s.pages.RenderError, crossSite...)
	rt.API(oauth.PushPath, h.Push, oauth.RenderError, route.Methods(http.MethodPost), route.CORS())
	rt.API(oauth.DevicePath, h.Device, oauth.RenderError, route.Methods(http.MethodPost), route.CORS())
	rt.API(oauth.UserInfoPath, h.UserInfo, oauth.RenderBearerError, route.Methods(http.MethodGet, http.MethodPost), route.CORS())
	rt.API(oauth.TokenPath, h.Token, oauth.RenderError, route.Methods(http.MethodPost), route.CORS())
	rt.API(oauth.RevokePath, h.Revoke, oauth.RenderError, route.Methods(http.MethodPost), route.CORS())
	rt.API(oauth.IntrospectPath, h.Introspect, oauth.RenderError, route.Methods(http.MethodPost))
	if s.cfg.Registration != oauth.RegistrationOff {
		// Pages that register themselves have no registered origin yet. Where everybody may register, they may too.
		cors := route.CORS
		if s.cfg.Registration == oauth.RegistrationOpen {
			cors = route.CORSAnyOrigin
		}
		rt.API(oauth.RegisterPath, h.Register, oauth.RenderRegistrationError, route.Methods(http.MethodPost), cors())
		rt.API(oauth.RegisteredPath, h.Registered, oauth.RenderRegistrationError, cors(http.MethodGet, http.MethodPut, http.MethodDelete))
	}
	rt.Public(oauth.JWKSPath, h.JWKS, oauth.RenderError, route.Methods(http.MethodGet))
	rt.Public(oauth.ResourcesPath, h.ResourceMetadata, oauth.RenderError, route.Methods(http.MethodGet))
	for _, path := range []string{oauth.OAuthMetadataPath, oauth.OpenIDConfigPath} {
		rt.Public(path, h.Metadata, oauth.RenderError, route.Methods(http.MethodGet))
		if s.issuer.Path != "" {
			// RFC 8414 §3.1 inserts the well-known part before the issuer's path; OpenID Connect Discovery §4 appends
			// it, which is the spelling above once the path is cut off.
			rt.Public(path+s.issuer.Path, h.Metadata, oauth.RenderError, route.Methods(http.MethodGet))
		}
	}
	s.pageRoutes(rt, paths)
	if s.cfg.SimpleJWT.Enabled {
		simplejwt.New(simplejwt.Config{
			Tokens: simplejwt.NewService(s.tokens, s.simplejwt, s.registry, s.cfg.Now), Compat: codec.Compat(s.cfg.SimpleJWT.Compat), UpdateLastLogin: s.cfg.SimpleJWT.UpdateLastLogin,
			UsernameField: s.cfg.SimpleJWT.UsernameField,
			Sliding:       s.cfg.SimpleJWT.Sliding, Sunset: s.cfg.SimpleJWT.Sunset,
			Cookie: simplejwt.RefreshCookie{
				Name: s.cfg.SimpleJWT.RefreshCookie, Own: s.issuer.Scheme + "://" + s.issuer.Host, Origins: s.cfg.CORSOrigins,
				Legacy: s.cfg.SimpleJWT.LegacyCookies, LegacyUntil: s.cfg.SimpleJWT.AdoptUntil, Now: s.cfg.Now,
			},
		}).Register(rt)
	}
	return rt
}

// pageRoutes are those of the pages, with what they show.
func (s *Server) pageRoutes(rt *route.Router, paths flow.Paths) {
	rt.Public(web.StaticPath, s.pages.Static, s.pages.RenderError, route.Methods(http.MethodGet))
	rt.Public(logo.Path, s.logos.Serve, s.pages.RenderError, route.Methods(http.MethodGet))
	describe := func(c *clients.Client) web.ClientInfo {
		return web.ClientInfo{
			ID: c.ID, Name: c.ClientName, URI: c.ClientURI, PolicyURI: c.PolicyURI, TosURI: c.TosURI,
			LogoURL: s.logos.URL(c), Unverified: c.Unverified(), Look: s.lookOf(c),
		}
	}
	resumed := func(ctx context.Context, to flow.ReturnTo) look.Client {
		return s.lookOnTheWay(ctx, paths, to)
	}
	factors := security.New(security.Config{Factors: s.factors, Sessions: s.sessions, Pages: s.pages, Paths: paths})
	factors.Register(rt)
	login.New(login.Config{
		Requests: s.requests, Sessions: s.sessions, Users: s.users, Factors: s.factors, Enrol: factors.Enrol, Pages: s.pages, Paths: paths,
		Describe: describe,
		Keys:     s.cfg.Root.Derive("pending logins"),
		Forgot:   s.mailer != nil || s.users.AccountURL() != "", SignUp: s.mailer != nil && s.signUp() == selfhelp.SignUpOpen,
	}).Register(rt)
	if box, ok := s.cfg.Mail.Transport.(*mail.Mailbox); ok { // the demo
		rt.Page(mail.MailboxPath, box.Serve, s.pages.RenderError, route.Methods(http.MethodGet))
	}
	if client := s.cfg.Television; client != "" {
		tv := television.New(television.Config{
			ClientID: client, Origin: s.issuer.Scheme + "://" + s.issuer.Host, Requests: s.requests, Tokens: s.tokens, Paths: paths,
		})
		// Each picture polls for the device, or asks for new codes.
		rt.Page(television.Path, tv.Serve, s.pages.RenderError, route.Methods(http.MethodGet), route.WithoutHead())
	}
	selfhelp.New(selfhelp.Config{
		Proof: s.proof, Sessions: s.sessions, Users: s.users, Pages: s.pages, Paths: paths, Mail: s.mailer != nil, SignUp: s.signUp(),
		SecondFactor: s.factors.RequiredOfSome(), Look: resumed,
	}).Register(rt)
	consent.New(consent.Config{
		Store: s.cfg.Store, Requests: s.requests, Sessions: s.sessions, Audit: s.audit, Clients: s.registry, Pages: s.pages,
		Describe: describe, AccountURL: s.users.AccountURL(), Paths: paths,
	}).Register(rt)
	device.New(device.Config{
		Requests: s.requests, Sessions: s.sessions, Audit: s.audit, Clients: s.registry, Tokens: s.tokens, Pages: s.pages,
		Describe: describe, AccountURL: s.users.AccountURL(), AdminAPI: adminResource(&s.cfg), Paths: paths,
	}).Register(rt)
	account.New(account.Config{
		Store: s.cfg.Store, Sessions: s.sessions, Users: s.users, Audit: s.audit, Clients: s.registry, Pages: s.pages,
		Describe: describe, Fields: s.cfg.AccountFields, SecondFactors: !s.factors.Off(), Paths: paths,
		Proof: s.proof, Mail: s.mailer != nil, Personal: &personal.Exporter{Store: s.cfg.Store, Factors: s.factors, IdleTTL: s.idleTTL, Now: s.cfg.Now},
	}).Register(rt)
	if s.cfg.Console && s.cfg.AdminGroup != "" {
		var letters console.Letters
		if s.SendsLetters() {
			letters = s.proof
		}
		console.New(console.Config{
			Factors: s.factors, Letters: letters, Webhooks: s.webhooks,
			Store: s.cfg.Store, Sessions: s.sessions, Users: s.users, Clients: s.registry, Grants: s.operatorGrants(), Keys: s.keys, Pages: s.pages,
			Paths: paths, Group: s.cfg.AdminGroup, Issuer: s.cfg.Issuer, KeySet: oauth.JWKSPath, Health: s.health, Waiting: s.waitingLetters, Replicas: s.replicas,
		}).Register(rt)
	}
}

// lookOf returns the look of the pages on the way to a client, from its policy, which only an operator sets. The metadata do not count: a
// client that registers itself could make our login page look like that of another service (RFC 7591 §5, RFC 6749 §10.11). When such a client
// describes itself anew, it is unverified again, and the operator's look is off with that. A client that is disabled has none.
func (s *Server) lookOf(c *clients.Client) look.Client {
	if c.Unverified() || c.Disabled {
		return look.Client{}
	}
	l := look.Client{
		Name: c.BrandName, LogoURL: s.logos.BrandURL(c), Accent: c.BrandAccent, AccentDark: c.BrandAccentDark,
		TermsURL: c.BrandTermsURI, PrivacyURL: c.BrandPrivacyURI,
	}
	if l.LogoURL != "" && l.Name == "" {
		l.Name = cmp.Or(c.ClientName, c.ID)
	}
	return l
}

// lookOnTheWay returns the look of a page that leads back to an authorization request; that of the service if it leads elsewhere, or if the
// request is no longer valid, which the authorization endpoint will say.
func (s *Server) lookOnTheWay(ctx context.Context, paths flow.Paths, to flow.ReturnTo) look.Client {
	c, ok := paths.Continuation(to)
	if !ok {
		return look.Client{}
	}
	a, err := s.requests.Resume(ctx, c)
	if err != nil {
		return look.Client{}
	}
	return s.lookOf(a.Client)
}

// lookOfError returns the look of the page that explains an error, and the ui_locales parameter: those of the client's request that it
// belongs to.
func (s *Server) lookOfError(err error) (look.Client, string) {
	var refused *authorize.Error
	var onTheWay *flow.Error
	switch {
	case errors.As(err, &onTheWay) && onTheWay.Client != nil:
		return s.lookOf(onTheWay.Client), onTheWay.Locales
	case errors.As(err, &refused) && refused.Client != nil:
		return s.lookOf(refused.Client), refused.Locales
	case refused != nil:
		return look.Client{}, refused.Locales
	}
	return look.Client{}, ""
}

// scopes returns the scopes of the protected resources. While the database is unavailable it returns those that were known
// last: resource servers that start then need the metadata document for more important things.
func (s *Server) scopes(ctx context.Context) ([]string, error) {
	resources, err := s.registry.Resources(ctx)
	if err != nil {
		if known := s.knownScopes.Load(); known != nil {
			return *known, nil
		}
		return nil, err
	}
	var scopes []string
	for _, r := range resources {
		scopes = append(scopes, r.Scopes...)
	}
	slices.Sort(scopes)
	scopes = slices.Compact(scopes)
	s.knownScopes.Store(&scopes)
	return scopes, nil
}
