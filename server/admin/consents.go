package admin

import (
	"context"
	"net/http"

	wire "latchkey/admin"
	"latchkey/storage"
)

// consentRoutes declares the operations on consents.
func (a *API) consentRoutes() {
	register(a, op("list-consents", http.MethodGet, "/consents", scopeSessionsRead, "List consents: what users have allowed clients"), a.listConsents)
	register(a, op("end-consent", http.MethodDelete, "/users/{id}/consents/{client_id}", scopeSessionsWrite,
		"Take back what a user has allowed a client, and end the user's sessions there", http.StatusNotFound, http.StatusConflict), a.endConsent)
}

// ConsentFilters are the parameters that select consents.
type ConsentFilters struct {
	UserID   int64  `query:"user_id" minimum:"1" doc:"Consents of this user."`
	ClientID string `query:"client_id" maxLength:"2048" doc:"Consents to this client."`
}

func viewConsent(c *storage.Consent) wire.Consent {
	return wire.Consent{
		UserID: c.UserID, ClientID: c.ClientID, Scope: append([]string{}, c.Scope...), Audience: append([]string{}, c.Audience...),
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
	}
}

func (a *API) listConsents(ctx context.Context, in *struct {
	ConsentFilters
	Paging
},
) (*listed[wire.Consent], error) {
	type key struct {
		User   int64  `json:"u"`
		Client string `json:"c"`
	}
	read := func(after key, limit int) ([]*storage.Consent, error) {
		return a.Store.SearchConsents(ctx, storage.ConsentFilter{
			UserID: in.UserID, ClientID: in.ClientID, AfterUser: after.User, AfterClient: after.Client, Limit: limit,
		})
	}
	return list(a, in.Paging, in.ConsentFilters, read, func(c *storage.Consent) key { return key{c.UserID, c.ClientID} }, plain(viewConsent))
}

// ConsentPath are the parameters that name a consent.
type ConsentPath struct {
	UserPath
	ClientID string `path:"client_id" maxLength:"2048" doc:"The client_id, percent-encoded."`
}

func (a *API) endConsent(ctx context.Context, in *struct {
	ConsentPath
	Confirmed
	Trial
},
) (*ended, error) {
	if err := a.exist(ctx, wire.SessionsEnd{UserID: in.ID, ClientID: in.ClientID}); err != nil {
		return nil, err
	}
	n, err := in.check(ctx, a, storage.GrantFilter{UserID: in.ID, ClientID: in.ClientID})
	if err != nil || in.DryRun {
		return &ended{wire.Ended{Sessions: n}}, err
	}
	_, err = a.Grants.EndConsent(ctx, in.ID, in.ClientID)
	return &ended{wire.Ended{Sessions: n}}, err
}
