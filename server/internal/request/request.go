// Package request carries the request id, the client's address and the log event of an HTTP request in its context.
package request

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
)

// Info is the request that a context belongs to.
type Info struct {
	// ID is the request id, as in the response's X-Request-Id header.
	ID string
	// Address is the client's address, as reported by trusted proxies.
	Address netip.Addr
	// UserAgent is the header of that name, of limited length and valid as text in every database.
	UserAgent string
	// Languages are those that the client wants, as in Accept-Language, of limited length.
	Languages string
	// Operator is who acts in the operator's name through the admin API, as in [storage.AuditEvent.ActorID]; empty elsewhere.
	Operator string
	// OperatorScopes are those of the access token with which Operator acts.
	OperatorScopes []string
	// Event is the log event of the request, to which each layer adds attributes.
	Event *Event
}

// AddressText returns the client's address; empty if it is not known.
func (i *Info) AddressText() string {
	if !i.Address.IsValid() {
		return "" // Addr.String would return "invalid IP"
	}
	return i.Address.String()
}

// Network returns the network that limits count the client under: its IPv4 address, or the /64 of its IPv6 address. It returns
// false if the address is unknown.
func (i *Info) Network() (string, bool) {
	if a := i.Address.Unmap(); a.Is4() {
		return a.String(), true
	}
	return i.Prefix(64)
}

// Prefix returns the network with a prefix of that length which the client's IPv6 address is in. It returns false for other addresses.
func (i *Info) Prefix(bits int) (string, bool) {
	a := i.Address.Unmap().WithZone("")
	if !a.Is6() {
		return "", false
	}
	prefix, err := a.Prefix(bits)
	return prefix.String(), err == nil
}

// WideNetwork returns the network that the client is in for longer than one connection: the /24 of its IPv4 address, or the /48 of its
// IPv6 address. It returns false if the address is unknown.
func (i *Info) WideNetwork() (string, bool) {
	if a := i.Address.Unmap(); a.Is4() {
		return netip.PrefixFrom(a, 24).Masked().String(), true
	}
	return i.Prefix(48)
}

type key struct{}

// With returns a context that carries the request.
func With(ctx context.Context, info *Info) context.Context {
	return context.WithValue(ctx, key{}, info)
}

// From returns the request of the context, or an empty one if there is none.
func From(ctx context.Context) *Info {
	if info, ok := ctx.Value(key{}).(*Info); ok {
		return info
	}
	return &Info{}
}

// Event collects the attributes of a request's log event. A nil Event discards them.
type Event struct {
	mu    sync.Mutex
	attrs []slog.Attr
}

// Add adds attributes. Keys are in snake_case, and values must not be secret. An existing key gets the new value.
func (e *Event) Add(attrs ...slog.Attr) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range attrs {
		i := slices.IndexFunc(e.attrs, func(have slog.Attr) bool { return have.Key == a.Key })
		if i < 0 {
			e.attrs = append(e.attrs, a)
		} else {
			e.attrs[i] = a
		}
	}
}

// Attrs returns the collected attributes.
func (e *Event) Attrs() []slog.Attr {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]slog.Attr(nil), e.attrs...)
}
