package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/keys"
	"latchkey/storage"
)

type clientCmd struct {
	Add          clientAddCmd          `cmd:"" help:"Register a client; its secret is shown this once."`
	List         clientListCmd         `cmd:"" help:"List the clients."`
	Show         clientShowCmd         `cmd:"" help:"Show a client."`
	Update       clientUpdateCmd       `cmd:"" help:"Change what is given; an empty value goes back to the default."`
	RotateSecret clientRotateSecretCmd `cmd:"" help:"Give a client a new secret, shown this once."`
	Disable      clientDisableCmd      `cmd:"" help:"Refuse a client from now on and end its sessions."`
	Enable       clientEnableCmd       `cmd:"" help:"Let a client ask for tokens again."`
	Remove       clientRemoveCmd       `cmd:"" help:"Remove a client and end its sessions."`
}

// registryOf makes the registry over the database. Without a root it can list and not make secrets.
func (a *app) registryOf(store storage.Store, root *keys.Root) *registry.Registry {
	cfg := registry.Config{Store: store, Now: a.now, Size: 1}
	if root != nil {
		cfg.MACKeys = root.Derive("client secrets")
	}
	return registry.New(cfg)
}

// registry opens the database and the registry over it.
func (a *app) registry(ctx context.Context) (*registry.Registry, *opened, error) {
	root, err := a.root()
	if err != nil {
		return nil, nil, err
	}
	store, err := a.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	return a.registryOf(store, root), store, nil
}

// explainClient says what an operator can do about it.
func explainClient(err error, id string) error {
	if wrong := clients.Faults(err); len(wrong) > 0 {
		var found faults
		for _, w := range wrong {
			found = append(found, fault{flagOf(w.Field), "can't be used: " + w.Description, "Nothing was changed."})
		}
		return found
	}
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("there is no client %q. `latchkey client list` shows them", id)
	case errors.Is(err, storage.ErrConflict):
		return fmt.Errorf("client %q is being changed by someone else. Try again", id)
	case errors.Is(err, registry.ErrNoSecret):
		return fmt.Errorf("client %q has no secret: it is public, or authenticates with a key of its own (token_endpoint_auth_method)", id)
	}
	return err
}

// flagOf is the flag that sets a metadata field: lists have the name of one member.
func flagOf(field string) string {
	if field != "jwks" && field != "uses" {
		field = strings.TrimSuffix(field, "s")
	}
	return "--" + strings.ReplaceAll(field, "_", "-")
}

// clientFlags are the client metadata of RFC 7591 §2 and Latchkey's own policies. What was not given is nil.
type clientFlags struct {
	ClientName              *string  `group:"Metadata:" help:"Name that users see." placeholder:"NAME"`
	ClientURI               *string  `name:"client-uri" group:"Metadata:" help:"Home page." placeholder:"URL"`
	LogoURI                 *string  `name:"logo-uri" group:"Metadata:" help:"Logo." placeholder:"URL"`
	PolicyURI               *string  `name:"policy-uri" group:"Metadata:" help:"Privacy policy." placeholder:"URL"`
	TosURI                  *string  `name:"tos-uri" group:"Metadata:" help:"Terms of service." placeholder:"URL"`
	Contact                 []string `aliases:"contacts" sep:"none" group:"Metadata:" help:"Whom to ask; repeatable." placeholder:"TEXT"`
	ApplicationType         *string  `group:"Metadata:" help:"web or native." placeholder:"TYPE"`
	RedirectURI             []string `name:"redirect-uri" aliases:"redirect-uris" sep:"none" group:"Metadata:" help:"Where authorization answers go; repeatable." placeholder:"URL"`
	PostLogoutRedirectURI   []string `name:"post-logout-redirect-uri" aliases:"post-logout-redirect-uris" sep:"none" group:"Metadata:" help:"Where a logout goes; repeatable." placeholder:"URL"`
	GrantType               []string `aliases:"grant-types" group:"Metadata:" help:"password, refresh_token, client_credentials or authorization_code; repeatable." placeholder:"TYPE"`
	ResponseType            []string `aliases:"response-types" group:"Metadata:" help:"code; repeatable." placeholder:"TYPE"`
	Scope                   []string `sep:"none" group:"Metadata:" help:"Scopes that may be asked for, space separated." placeholder:"SCOPES"`
	TokenEndpointAuthMethod *string  `group:"Metadata:" help:"client_secret_basic, client_secret_post, private_key_jwt, or none for a public client." placeholder:"METHOD"`
	JWKSURI                 *string  `name:"jwks-uri" group:"Metadata:" help:"Where the client publishes its keys." placeholder:"URL"`
	JWKS                    *string  `name:"jwks" group:"Metadata:" help:"The client's keys, as JSON." placeholder:"JSON"`
	SoftwareID              *string  `name:"software-id" group:"Metadata:" help:"Identifies the software." placeholder:"TEXT"`
	SoftwareVersion         *string  `group:"Metadata:" help:"Its version." placeholder:"TEXT"`

	TokenEndpointAuthSigningAlg        *string `group:"Metadata:" help:"The one algorithm of private_key_jwt: ES256, EdDSA, RS256 or PS256." placeholder:"ALG"`
	IDTokenSignedResponseAlg           *string `name:"id-token-signed-response-alg" group:"Metadata:" help:"How ID tokens are signed: RS256, ES256 or EdDSA." placeholder:"ALG"`
	UserinfoSignedResponseAlg          *string `group:"Metadata:" help:"Sign the answer of the userinfo endpoint: RS256, ES256 or EdDSA." placeholder:"ALG"`
	DefaultMaxAge                      *string `group:"Metadata:" help:"Seconds after which the user has to log in again, unless the request says." placeholder:"SECONDS"`
	RequireAuthTime                    *bool   `negatable:"" group:"Metadata:" help:"ID tokens always say when the user logged in."`
	RequirePushedAuthorizationRequests *bool   `negatable:"" group:"Metadata:" help:"Authorization requests must be pushed (RFC 9126)."`
	BackchannelLogoutURI               *string `name:"backchannel-logout-uri" group:"Metadata:" help:"Told when the user signs out." placeholder:"URL"`
	BackchannelLogoutSessionRequired   *bool   `negatable:"" group:"Metadata:" help:"It needs the session's sid to be told."`

	policyFlags
}

// policyFlags are Latchkey's own policies. What was not given is nil.
type policyFlags struct {
	Rotation            *string  `group:"Policy:" help:"How refresh tokens are rotated: strict, confirmed, reissue or off." placeholder:"POLICY"`
	RotationOverlap     *string  `group:"Policy:" help:"How long a replaced refresh token still works." placeholder:"DURATION"`
	OnReuse             *string  `group:"Policy:" help:"What a retired refresh token does: revoke ends its session, reject only refuses it." placeholder:"VERDICT"`
	AccessTokenTTL      *string  `name:"access-token-ttl" group:"Policy:" help:"Life of access tokens." placeholder:"DURATION"`
	RefreshTokenTTL     *string  `name:"refresh-token-ttl" group:"Policy:" help:"Absolute end of sessions." placeholder:"DURATION"`
	RefreshTokenIdleTTL *string  `name:"refresh-token-idle-ttl" group:"Policy:" help:"End of sessions that are not refreshed." placeholder:"DURATION"`
	AccessTokenFormat   *string  `group:"Policy:" help:"jwt (RFC 9068), opaque, or simplejwt." placeholder:"FORMAT"`
	SigningAlg          *string  `name:"access-token-signed-response-alg" group:"Policy:" help:"ES256, EdDSA or RS256." placeholder:"ALG"`
	Resource            []string `aliases:"resources" sep:"none" group:"Policy:" help:"Audience that the client may ask for and whose tokens it may introspect; repeatable." placeholder:"URI"`
	IntrospectAll       *bool    `negatable:"" group:"Policy:" help:"A resource server of the operator's own: it may introspect every token."`
	FirstParty          *bool    `negatable:"" group:"Policy:" help:"The operator's own application: no consent page."`
	Verified            *bool    `negatable:"" group:"Policy:" help:"The operator answers for this client, which somebody else registered."`
}

// apply writes what was given into a registration. Every fault is reported at once.
func (f *clientFlags) apply(reg *clients.Registration) error {
	f.applyMetadata(&reg.Metadata)
	found := append(f.applyOpenID(&reg.Metadata), f.policyFlags.apply(&reg.Policy)...)
	if len(found) > 0 {
		return found
	}
	return nil
}

func (f *policyFlags) apply(p *clients.Policy) (found faults) {
	setText(&p.Rotation, f.Rotation)
	setText(&p.OnReuse, f.OnReuse)
	setText(&p.AccessTokenFormat, f.AccessTokenFormat)
	setText(&p.AccessTokenSigningAlg, f.SigningAlg)
	setList(&p.Resources, f.Resource)
	setValue(&p.IntrospectAll, f.IntrospectAll)
	setValue(&p.FirstParty, f.FirstParty)
	setValue(&p.Verified, f.Verified)
	for _, d := range []struct {
		flag string
		into *clients.Duration
		text *string
	}{
		{"--access-token-ttl", &p.AccessTokenTTL, f.AccessTokenTTL},
		{"--refresh-token-ttl", &p.RefreshTokenTTL, f.RefreshTokenTTL},
		{"--refresh-token-idle-ttl", &p.RefreshTokenIdleTTL, f.RefreshTokenIdleTTL},
	} {
		found = append(found, setDuration(d.into, d.flag, d.text)...)
	}
	if f.RotationOverlap != nil {
		var overlap clients.Duration
		found = append(found, setDuration(&overlap, "--rotation-overlap", f.RotationOverlap)...)
		if p.RotationOverlap = &overlap; *f.RotationOverlap == "" {
			p.RotationOverlap = nil
		}
	}
	return found
}

func (f *clientFlags) applyMetadata(m *clients.Metadata) {
	setText(&m.ClientName, f.ClientName)
	setText(&m.ClientURI, f.ClientURI)
	setText(&m.LogoURI, f.LogoURI)
	setText(&m.PolicyURI, f.PolicyURI)
	setText(&m.TosURI, f.TosURI)
	setList(&m.Contacts, f.Contact)
	setText(&m.ApplicationType, f.ApplicationType)
	setList(&m.RedirectURIs, f.RedirectURI)
	setList(&m.PostLogoutRedirectURIs, f.PostLogoutRedirectURI)
	setList(&m.GrantTypes, f.GrantType)
	setList(&m.ResponseTypes, f.ResponseType)
	if f.Scope != nil {
		m.Scope = strings.Join(f.Scope, " ")
	}
	setText(&m.TokenEndpointAuthMethod, f.TokenEndpointAuthMethod)
	setText(&m.JWKSURI, f.JWKSURI)
	if f.JWKS != nil {
		m.JWKS = json.RawMessage(*f.JWKS)
	}
	setText(&m.SoftwareID, f.SoftwareID)
	setText(&m.SoftwareVersion, f.SoftwareVersion)
}

// applyOpenID applies what OpenID Connect and pushed requests add to RFC 7591.
func (f *clientFlags) applyOpenID(m *clients.Metadata) (found faults) {
	setText(&m.TokenEndpointAuthSigningAlg, f.TokenEndpointAuthSigningAlg)
	setText(&m.IDTokenSignedResponseAlg, f.IDTokenSignedResponseAlg)
	setText(&m.UserinfoSignedResponseAlg, f.UserinfoSignedResponseAlg)
	setText(&m.BackchannelLogoutURI, f.BackchannelLogoutURI)
	setValue(&m.RequireAuthTime, f.RequireAuthTime)
	setValue(&m.RequirePushedAuthorizationRequests, f.RequirePushedAuthorizationRequests)
	setValue(&m.BackchannelLogoutSessionRequired, f.BackchannelLogoutSessionRequired)
	if f.DefaultMaxAge == nil {
		return nil
	}
	m.DefaultMaxAge = nil
	if *f.DefaultMaxAge == "" {
		return nil
	}
	seconds, err := strconv.ParseInt(*f.DefaultMaxAge, 10, 64)
	if err != nil {
		return faults{{fmt.Sprintf("--default-max-age: %q", *f.DefaultMaxAge), "is not a number of seconds", "Write it in digits, like 3600."}}
	}
	m.DefaultMaxAge = &seconds
	return nil
}

func setText[T ~string](into *T, given *string) {
	if given != nil {
		*into = T(*given)
	}
}

func setValue[T any](into, given *T) {
	if given != nil {
		*into = *given
	}
}

// setList leaves out empty members, so that an empty value empties the list.
func setList(into *[]string, given []string) {
	if given == nil {
		return
	}
	*into = nil
	for _, one := range given {
		if one != "" {
			*into = append(*into, one)
		}
	}
}

func setDuration(into *clients.Duration, flag string, given *string) faults {
	if given == nil {
		return nil
	}
	*into = 0
	if *given == "" {
		return nil
	}
	d, err := clients.ParseDuration(*given)
	if err != nil {
		return faults{{fmt.Sprintf("%s: %q", flag, *given), "is not a duration", durationMend}}
	}
	*into = d
	return nil
}

type clientAddCmd struct {
	clientFlags
	ClientID string       `name:"client-id" group:"Metadata:" help:"The client's id; one is drawn otherwise." placeholder:"ID"`
	JSON     bool         `help:"Print JSON, which this command always does."`
	Options  kong.Plugins `embed:""`
}

func (c *clientAddCmd) Run(ctx context.Context, a *app) error {
	reg := clients.Registration{ID: c.ClientID, Actor: "operator"}
	if err := c.apply(&reg); err != nil {
		return err
	}
	registry, store, err := a.registry(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	client, secret, err := registry.Add(ctx, reg)
	if errors.Is(err, storage.ErrExists) {
		return fmt.Errorf("there is a client %q already. Choose another --client-id, or change that one with `latchkey client update`", c.ClientID)
	}
	if err != nil {
		return explainClient(err, c.ClientID)
	}
	return a.printJSON(client.Response(secret))
}

type clientListCmd struct {
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientListCmd) Run(ctx context.Context, a *app) error {
	registry, store, err := a.registry(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	headings := []string{"CLIENT ID", "NAME", "TYPE", "GRANT TYPES", "STATE", "ORIGIN", "CREATED"}
	l := listing(a, c.JSON, "clients", headings, clientRow)
	after := ""
	for {
		page, err := registry.List(ctx, after, pageSize)
		if err != nil {
			return err
		}
		for _, client := range page {
			if err := l.add(shownClient{client.Response(""), client}); err != nil {
				return err
			}
			after = client.ID
		}
		if len(page) < pageSize {
			return l.end()
		}
	}
}

// shownClient is the registration response of a client together with the client.
type shownClient struct {
	clients.RegistrationResponse
	client *clients.Client
}

func clientRow(c shownClient) []string {
	kind, state := "confidential", "enabled"
	if c.client.Public() {
		kind = "public"
	}
	if c.Disabled {
		state = "disabled"
	}
	origin := string(c.client.Origin)
	if c.client.Unverified() {
		origin += ", unverified"
	}
	return []string{c.ClientID, c.ClientName, kind, strings.Join(c.GrantTypes, " "), state, origin, when(c.client.CreatedAt)}
}

// showClient prints one client, with its secret when there is one to show.
func (a *app) showClient(client *clients.Client, secret storage.Secret, asJSON bool) error {
	shown := client.Response(secret)
	if asJSON {
		return a.printJSON(shown)
	}
	text, err := json.Marshal(shown)
	if err != nil {
		return err
	}
	t := a.table("NAME", "VALUE")
	d := json.NewDecoder(bytes.NewReader(text))
	d.Token() // the brace
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		t.row(name.(string), cell(value))
	}
	return t.flush()
}

// cell shows a JSON value in a table: text without its quotes, a list of texts as words.
func cell(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var texts []string
	if json.Unmarshal(value, &texts) == nil {
		return strings.Join(texts, " ")
	}
	return string(value)
}

// clientID is the argument that names a client.
type clientID struct {
	ID string `arg:"" name:"client-id" help:"The client's id."`
}

// withClient opens the registry, does something to the client, and shows what came of it.
func (a *app) withClient(ctx context.Context, id string, act func(*registry.Registry) error, show func(*clients.Client) error) error {
	registry, store, err := a.registry(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	before, err := registry.Client(ctx, id)
	if err != nil {
		return explainClient(err, id)
	}
	if err := act(registry); err != nil {
		return explainClient(err, id)
	}
	after, err := registry.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		after, err = before, nil // removed
	}
	if err != nil {
		return err
	}
	return show(after)
}

type clientShowCmd struct {
	clientID
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientShowCmd) Run(ctx context.Context, a *app) error {
	nothing := func(*registry.Registry) error { return nil }
	return a.withClient(ctx, c.ID, nothing, func(client *clients.Client) error { return a.showClient(client, "", c.JSON) })
}

type clientUpdateCmd struct {
	clientID
	clientFlags
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientUpdateCmd) Run(ctx context.Context, a *app) error {
	update := func(r *registry.Registry) error {
		_, err := r.Update(ctx, c.ID, func(reg *clients.Registration) error { return c.apply(reg) })
		return err
	}
	return a.withClient(ctx, c.ID, update, func(client *clients.Client) error { return a.showClient(client, "", c.JSON) })
}

type clientRotateSecretCmd struct {
	clientID
	KeepOld string       `default:"0s" help:"How long the present secret stays good beside the new one." placeholder:"DURATION"`
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientRotateSecretCmd) Run(ctx context.Context, a *app) error {
	var keep clients.Duration
	if wrong := setDuration(&keep, "--keep-old", &c.KeepOld); wrong != nil {
		return wrong
	}
	var secret storage.Secret
	rotate := func(r *registry.Registry) (err error) {
		secret, err = r.RotateSecret(ctx, c.ID, keep.Std())
		return err
	}
	return a.withClient(ctx, c.ID, rotate, func(client *clients.Client) error { return a.showClient(client, secret, c.JSON) })
}

type clientDisableCmd struct {
	clientID
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientDisableCmd) Run(ctx context.Context, a *app) error {
	disable := func(r *registry.Registry) error { return r.SetDisabled(ctx, c.ID, true) }
	return a.withClient(ctx, c.ID, disable, func(client *clients.Client) error {
		return a.confirm(c.JSON, client.Response(""), "client %s is disabled; its sessions have ended", client.ID)
	})
}

type clientEnableCmd struct {
	clientID
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientEnableCmd) Run(ctx context.Context, a *app) error {
	enable := func(r *registry.Registry) error { return r.SetDisabled(ctx, c.ID, false) }
	return a.withClient(ctx, c.ID, enable, func(client *clients.Client) error {
		return a.confirm(c.JSON, client.Response(""), "client %s is enabled", client.ID)
	})
}

type clientRemoveCmd struct {
	clientID
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientRemoveCmd) Run(ctx context.Context, a *app) error {
	remove := func(r *registry.Registry) error { return r.Remove(ctx, c.ID) }
	return a.withClient(ctx, c.ID, remove, func(client *clients.Client) error {
		return a.confirm(c.JSON, client.Response(""), "client %s is removed; its sessions have ended", client.ID)
	})
}
