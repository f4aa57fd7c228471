package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"latchkey/admin"
	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/storage"
)

// remoteClients changes clients, protected resources and initial access tokens through the API.
type remoteClients struct{ api *admin.API }

// clientOf returns a client as the services have it.
func clientOf(c admin.Client) (*clients.Client, error) {
	metadata, err := json.Marshal(c.Fields)
	if err != nil {
		return nil, err
	}
	row := &storage.Client{
		ID: c.ID, Metadata: metadata, Disabled: c.Disabled, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Origin: storage.ClientOrigin(c.Origin),
	}
	client, err := clients.FromRow(row)
	if err != nil {
		return nil, err
	}
	client.TrustWithdrawnAt = c.TrustWithdrawnAt
	return client, nil
}

func clientOrError(c *admin.Client, err error) (*clients.Client, storage.Secret, error) {
	if err != nil {
		return nil, "", explainRemoteClient(err)
	}
	client, err := clientOf(*c)
	return client, storage.Secret(c.Secret), err
}

// fieldsOf returns the fields of a registration that are set.
func fieldsOf(reg *clients.Registration) (map[string]json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	text, err := json.Marshal(struct {
		clients.Metadata
		clients.Policy
	}{reg.Metadata, reg.Policy})
	if err != nil {
		return nil, err
	}
	return fields, json.Unmarshal(text, &fields)
}

func (r remoteClients) Client(ctx context.Context, id string) (*clients.Client, error) {
	c, _, err := clientOrError(r.api.Client(ctx, id))
	return c, err
}

func (r remoteClients) Add(ctx context.Context, reg clients.Registration) (*clients.Client, storage.Secret, error) {
	fields, err := fieldsOf(&reg)
	if err != nil {
		return nil, "", errBadJWKS
	}
	body := admin.NewClient{ID: reg.ID, Fields: map[string]any{}}
	for name, value := range fields {
		body.Fields[name] = value
	}
	return clientOrError(r.api.AddClient(ctx, body))
}

// errBadJWKS is the error of the only field whose text may be no JSON.
var errBadJWKS = clients.Invalid("jwks", "it must be a JWK set (RFC 7517, section 5)")

// updateAttempts bounds how often a change is attempted again because another one was faster.
const updateAttempts = 5

// Update sends the fields that change has changed.
func (r remoteClients) Update(ctx context.Context, id string, change func(*clients.Registration) error) (*clients.Client, error) {
	for attempt := 1; ; attempt++ {
		var tag string
		c, _, err := clientOrError(r.api.Client(ctx, id, admin.ReadTag(&tag)))
		if err != nil {
			return nil, err
		}
		reg := c.Registration()
		before, err := fieldsOf(&reg)
		if err != nil {
			return nil, err
		}
		if err := change(&reg); err != nil {
			return nil, err
		}
		after, err := fieldsOf(&reg)
		if err != nil {
			return nil, errBadJWKS
		}
		patch := admin.ClientChange{}
		for name := range before {
			if _, kept := after[name]; !kept {
				patch[name] = nil
			}
		}
		for name, value := range after {
			if string(before[name]) != string(value) {
				patch[name] = value
			}
		}
		c, _, err = clientOrError(r.api.UpdateClient(ctx, id, patch, admin.IfMatch(tag)))
		if attempt == updateAttempts || !errors.Is(err, storage.ErrConflict) {
			return c, err
		}
	}
}

func (r remoteClients) RotateSecret(ctx context.Context, id string, keepOld time.Duration) (storage.Secret, error) {
	if keepOld < 0 || keepOld > registry.MaxKeepOld {
		return "", fmt.Errorf("the old secret can be kept for 0s to %s", clients.Duration(registry.MaxKeepOld))
	}
	_, secret, err := clientOrError(r.api.RotateSecret(ctx, id, admin.SecretRotation{KeepOld: clients.Duration(keepOld).String()}))
	return secret, err
}

func (r remoteClients) SetDisabled(ctx context.Context, id string, disabled bool) (err error) {
	if disabled {
		_, err = r.api.DisableClient(ctx, id, confirmed)
	} else {
		_, err = r.api.EnableClient(ctx, id)
	}
	return explainRemote(err)
}

func (r remoteClients) Remove(ctx context.Context, id string) error {
	_, err := r.api.RemoveClient(ctx, id, confirmed)
	return explainRemote(err)
}

func (r remoteClients) AddResource(ctx context.Context, resource storage.Resource) (*storage.Resource, error) {
	added, err := r.api.AddResource(ctx, admin.NewResource{Resource: resource.Identifier, Name: resource.Name, Scope: resource.Scopes})
	if err != nil {
		return nil, explainRemoteClient(err)
	}
	return &storage.Resource{Identifier: added.Resource, Name: added.Name, Scopes: added.Scope, CreatedAt: added.CreatedAt}, nil
}

func (r remoteClients) RemoveResource(ctx context.Context, identifier string) error {
	_, err := r.api.RemoveResource(ctx, identifier)
	return explainRemote(err)
}

func (r remoteClients) AddInitialToken(ctx context.Context, t registry.InitialToken) (*storage.RegistrationToken, storage.Secret, error) {
	policy, err := json.Marshal(t.Policy)
	if err != nil {
		return nil, "", err
	}
	added, err := r.api.AddRegistrationToken(ctx, admin.NewRegistrationToken{Name: t.Name, Uses: t.Uses, TTL: clients.Duration(t.TTL).String(), Policy: policy})
	if err != nil {
		return nil, "", explainRemoteClient(err)
	}
	id, err := storage.ParseID(added.ID)
	if err != nil {
		return nil, "", err
	}
	row := &storage.RegistrationToken{ID: id, Name: added.Name, Uses: -1, Policy: added.Policy, CreatedAt: added.CreatedAt, ExpiresAt: added.ExpiresAt}
	if added.Uses != nil {
		row.Uses = *added.Uses
	}
	return row, storage.Secret(added.Token), nil
}

func (r remoteClients) RemoveInitialToken(ctx context.Context, id storage.ID) error {
	_, err := r.api.RemoveRegistrationToken(ctx, id.String())
	return explainRemote(err)
}
