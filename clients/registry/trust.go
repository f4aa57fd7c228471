package registry

import (
	"latchkey/clients"
	"latchkey/storage"
)

// describe replaces the metadata of a client by what it, or its document, now says. When that changes what trust was given to, the
// consents of users go, and if the client was verified or first-party there is an event of its own.
func (r *Registry) describe(row *storage.Client, reg *clients.Registration, m clients.Metadata, caller Caller) []*storage.AuditEvent {
	changed, withdrawn := reg.Describe(m, r.now())
	row.DropConsents = len(changed) > 0
	if len(withdrawn) == 0 {
		return nil
	}
	e := r.event("client_trust_withdrawn", "client", row.ID, details{Fields: changed, Lost: withdrawn}) // the operator's trust bounds it
	e.Address, e.RequestID = caller.Address, caller.RequestID
	return []*storage.AuditEvent{e}
}
