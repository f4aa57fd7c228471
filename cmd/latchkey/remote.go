package main

import (
	"context"

	"latchkey/admin"
)

// remote reports whether the command works through the API of a server.
func (a *app) remote() bool { return a.settings.Remote.Server != "" }

// api returns the API of --server, with the token of the configuration or of the login.
func (a *app) api(ctx context.Context) (*admin.API, error) {
	r := a.settings.Remote
	var tokens admin.TokenSource
	switch {
	case r.Token != "":
		tokens = admin.StaticToken(r.Token.Reveal())
	case r.ClientID != "":
		from, err := admin.New(r.Server, nil, remoteHTTP).Discover(ctx)
		if err != nil {
			return nil, explainRemote(err)
		}
		tokens = &admin.ClientCredentials{Server: *from, ClientID: r.ClientID.Reveal(), ClientSecret: r.ClientSecret.Reveal(), HTTP: remoteHTTP}
	default:
		saved, err := readLogin(r.Server)
		if err != nil {
			return nil, err
		}
		tokens = saved
	}
	return admin.New(r.Server, tokens, remoteHTTP), nil
}

// issuer returns the issuer of the configuration, or of --server.
func (a *app) issuer(ctx context.Context) (string, error) {
	if !a.remote() {
		return a.settings.Server.Issuer, nil
	}
	from, err := admin.New(a.settings.Remote.Server, nil, remoteHTTP).Discover(ctx)
	if err != nil {
		return "", explainRemote(err)
	}
	return from.Issuer, nil
}
