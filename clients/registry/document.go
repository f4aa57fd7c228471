package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"latchkey/clients"
	"latchkey/storage"
)

// ForAuthorize returns the client of an authorization request. It differs from Client for the URL of a metadata document,
// which must be fresh: a stored copy serves tokens that were issued before, and never a new authorization.
//
// A *clients.MetadataError says why the document makes no client; storage.ErrNotFound, storage.ErrUnavailable.
func (r *Registry) ForAuthorize(ctx context.Context, id string) (*clients.Client, error) {
	c, err := r.Client(ctx, id)
	switch {
	case !clients.IsDocumentID(id), err != nil && !isNotFound(err), c != nil && c.Origin != storage.OriginDocument:
		return c, err // an operator may add a client with such an ID: the draft's §7.2
	case r.documents == nil || r.cfg.Documents.Off():
		return nil, errUnknown(id)
	case c != nil && c.Disabled:
		return c, nil
	}
	metadata, err := r.documents.Metadata(ctx, id, c != nil)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return (&clients.Client{ID: id, Origin: storage.OriginDocument}).WithMetadata(metadata), nil
	}
	with, withdrawn := c.Described(metadata, r.now())
	if withdrawn {
		return r.KeepDocument(ctx, with) // at once: the document could change back before a user allows the client
	}
	return with, nil
}

// KeepDocument stores what ForAuthorize found in a document once a user has allowed the client: the token endpoint knows it
// from then on, also while the document can't be fetched. Policies, and whether the client is disabled, stay as the operator
// set them. It returns the stored client, whose epoch goes into the grant; other clients are returned unchanged.
func (r *Registry) KeepDocument(ctx context.Context, c *clients.Client) (*clients.Client, error) {
	if c.Origin != storage.OriginDocument {
		return c, nil
	}
	kept, err := r.Client(ctx, c.ID)
	if isNotFound(err) {
		kept, err = r.addDocument(ctx, c)
		if !errors.Is(err, storage.ErrExists) {
			return kept, err
		}
		// Another replica was faster; its document need not be this one.
		kept, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	if kept != nil && r.isKept(kept, c) {
		return kept, nil
	}
	return r.update(ctx, c.ID, func(row *storage.Client, current *clients.Client) ([]*storage.AuditEvent, error) {
		if current.Origin != storage.OriginDocument || r.isKept(current, c) {
			return nil, nil
		}
		if !row.ExpiresAt.IsZero() {
			row.ExpiresAt = r.now().Add(unusedTTL)
		}
		reg, after := current.Registration(), current.Registration()
		after.Metadata = c.Metadata
		event := r.event("client_document_changed", "client", c.ID, details{Fields: difference(reg.Encode(), after.Encode())})
		withdrawn := r.describe(row, &reg, c.Metadata, Caller{})
		row.Metadata = reg.Encode()
		return append([]*storage.AuditEvent{event}, withdrawn...), nil
	})
}

// addDocument stores a new client. Like every client without users it is removed after a while.
func (r *Registry) addDocument(ctx context.Context, c *clients.Client) (*clients.Client, error) {
	row := r.newRow(c.ID, storage.OriginDocument, c.Metadata, clients.Policy{})
	row.ExpiresAt = row.CreatedAt.Add(unusedTTL)
	event := r.event("client_document_kept", "client", c.ID, details{Name: c.ClientName})
	if err := r.create(ctx, row, event); err != nil {
		return nil, fmt.Errorf("keep metadata document: %w", err)
	}
	return clients.FromRow(row)
}

// isKept reports whether the stored client has the metadata of the document, and is not about to be removed.
func (r *Registry) isKept(stored, c *clients.Client) bool {
	stays := stored.ExpiresAt.IsZero() || stored.ExpiresAt.Sub(r.now()) > unusedTTL/2
	x, y := clients.Registration{Metadata: stored.Metadata}, clients.Registration{Metadata: c.Metadata}
	return stays && bytes.Equal(x.Encode(), y.Encode())
}
