// Package request carries what every layer may want to know of the HTTP request it works for: its id, where it came
// from, and its log event.
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
	// ID is the request id, as the response's X-Request-Id header has it.
	ID string
	// Address is the client's, as the trusted proxies tell it.
	Address netip.Addr
	// UserAgent is what the client calls itself: bounded, and text that every database takes.
	UserAgent string
	// Event is the one log event of the request, filled along the way.
	Event *Event
}

// AddressText returns the client's address; empty if it is not known.
func (i *Info) AddressText() string {
	if !i.Address.IsValid() {
		return "" // Addr.String would say "invalid IP"
	}
	return i.Address.String()
}

// Place is the network that one customer of a provider has: the address itself for IPv4, its /64 for IPv6. It is what limits
// count by; empty and false when the address is not known.
func (i *Info) Place() (string, bool) {
	if !i.Address.IsValid() {
		return "", false
	}
	a := i.Address.Unmap().WithZone("")
	if a.Is4() {
		return a.String(), true
	}
	prefix, err := a.Prefix(64)
	return prefix.String(), err == nil
}

type key struct{}

// With gives a context that belongs to the request.
func With(ctx context.Context, info *Info) context.Context {
	return context.WithValue(ctx, key{}, info)
}

// From gives the request of the context; an empty one when there is none.
func From(ctx context.Context) *Info {
	if info, ok := ctx.Value(key{}).(*Info); ok {
		return info
	}
	return &Info{}
}

// Event collects the attributes of one request's log line. A nil Event takes and drops them.
type Event struct {
	mu    sync.Mutex
	attrs []slog.Attr
}

// Add adds attributes; snake_case keys, never a secret. A key that is there already gets the new value.
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

// Attrs gives what was collected.
func (e *Event) Attrs() []slog.Attr {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]slog.Attr(nil), e.attrs...)
}
