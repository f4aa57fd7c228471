package oauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"latchkey/clients/registry"
	"latchkey/server/bearer"
	"latchkey/server/internal/mac"
	"latchkey/server/internal/request"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/route"
	"latchkey/storage"
)

// The modes of dynamic client registration (RFC 7591).
const (
	RegistrationOff   = "off"
	RegistrationToken = "token" // with an initial access token
	RegistrationOpen  = "open"
)

// Limits of open registration within an hour, per network unless the operator has another, and in total. The number of rows is
// bounded too.
const (
	registerPerNetwork = 20
	registerInTotal    = 600
)

// Register is the client registration endpoint (RFC 7591 §3).
func (h *Handlers) Register(w http.ResponseWriter, r *http.Request) error {
	initial, err := registrationBearer(r)
	switch {
	case errors.Is(err, bearer.ErrNoToken) && h.cfg.Registration == RegistrationOpen:
		return h.registerThrottled(w, r)
	case errors.Is(err, bearer.ErrNoToken):
		return errNoInitialToken
	}
	if err != nil {
		return err
	}
	return h.register(w, r, initial)
}

// registerThrottled registers without an initial access token. An attempt that fails for a reason that is not the client's is
// given back.
func (h *Handlers) registerThrottled(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	buckets, err := h.throttleRegistration(ctx)
	if err != nil {
		return err
	}
	err = h.register(w, r, "")
	if err != nil && protocolError(err).Status >= http.StatusInternalServerError {
		if lost := storage.GiveBack(ctx, h.cfg.Throttles, h.cfg.Now().UTC(), buckets...); lost != nil {
			request.From(ctx).Event.Add(slog.String("give_back_error", lost.Error()))
		}
	}
	return err
}

func (h *Handlers) register(w http.ResponseWriter, r *http.Request, initial storage.Secret) error {
	metadata, err := readMetadata(r)
	if err != nil {
		return err
	}
	made, err := h.cfg.Clients.Register(r.Context(), registry.RegistrationRequest{
		Metadata: metadata, InitialToken: initial, Open: h.cfg.Registration == RegistrationOpen,
		Network: h.network(r.Context(), "registered from"), Caller: caller(r.Context()),
	})
	if err != nil {
		return registrationError(err)
	}
	return h.writeRegistered(w, http.StatusCreated, made)
}

// Registered is the client configuration endpoint (RFC 7592 §2): the client reads, replaces or removes what it registered.
func (h *Handlers) Registered(w http.ResponseWriter, r *http.Request) error {
	access, err := registrationBearer(r)
	if err != nil {
		return err
	}
	ctx, id := r.Context(), route.Var(r, "client_id")
	var found *registry.Registered
	switch r.Method {
	case http.MethodGet:
		found, err = h.cfg.Clients.ReadRegistration(ctx, id, access)
	case http.MethodPut:
		var metadata []byte
		if metadata, err = readMetadata(r); err == nil {
			found, err = h.cfg.Clients.ReplaceRegistration(ctx, id, access, metadata, caller(ctx))
		}
	case http.MethodDelete:
		err = h.cfg.Clients.RemoveRegistration(ctx, id, access, caller(ctx))
	default:
		w.Header().Set("Allow", "GET, PUT, DELETE")
		return &route.Error{Status: http.StatusMethodNotAllowed, Message: "Use GET, PUT or DELETE."}
	}
	switch {
	case err != nil:
		return registrationError(err)
	case found == nil: // removed
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return h.writeRegistered(w, http.StatusOK, found)
}

// writeRegistered answers with the client information response (RFC 7591 §3.2.1).
func (h *Handlers) writeRegistered(w http.ResponseWriter, status int, c *registry.Registered) error {
	return writeJSONStatus(w, status, c.Response(h.cfg.Issuer+RegisterPath+"/"+url.PathEscape(c.Client.ID)))
}

// registrationBearer returns an initial or a registration access token: from the header only (RFC 6750 §2.1), since the body is
// metadata. bearer.ErrNoToken: there is no such header. A token sent in another way is an error, not ignored.
func registrationBearer(r *http.Request) (storage.Secret, error) {
	scheme, access, err := bearer.FromHeader(r.Header)
	other := err == nil && scheme != bearer.SchemeBearer || errors.Is(err, bearer.ErrNoToken) && len(r.Header.Values("Authorization")) > 0
	if other {
		return "", invalidToken("The Authorization header must be one Bearer token.")
	}
	return access, err
}

// readMetadata reads the body. Package clients parses it.
func readMetadata(r *http.Request) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, protocol.Refuse("invalid_client_metadata", reasons.BadRequest, "The body must be a JSON object, with Content-Type: application/json.")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	return body, nil
}

// throttleRegistration counts an attempt of the caller's network and one of all together, and returns what it was taken from.
func (h *Handlers) throttleRegistration(ctx context.Context) ([]storage.Bucket, error) {
	one := cmp.Or(h.cfg.RegistrationPerNetwork, registerPerNetwork)
	all := max(registerInTotal, one)
	buckets := []storage.Bucket{
		{Key: h.network(ctx, "registration"), Burst: one, Interval: time.Hour / time.Duration(one)},
		{Key: h.registrationMAC("registrations"), Burst: all, Interval: time.Hour / time.Duration(all)},
	}
	// A client that leaves must not leave it open whether the attempt was taken. The store bounds the time.
	wait, err := h.cfg.Throttles.TakeAttempts(context.WithoutCancel(ctx), h.cfg.Now().UTC(), buckets...)
	if err != nil {
		return nil, fmt.Errorf("registration limit: %w", err)
	}
	if wait > 0 {
		return nil, protocol.Throttled(wait, fmt.Sprintf("Too many clients were registered within an hour: %d from one network or %d in all. "+
			"Try again after the time in Retry-After; the operator can set --registration-limit.", one, all))
	}
	return buckets, nil
}

// network returns the MAC of the network that the request comes from. Requests whose address is unknown share one.
func (h *Handlers) network(ctx context.Context, kind string) storage.Digest {
	network, _ := request.From(ctx).Network()
	return h.registrationMAC(kind, network)
}

func (h *Handlers) registrationMAC(parts ...string) storage.Digest {
	return mac.Sum(h.cfg.RegistrationKey, strings.Join(parts, "\x00")+"\x00") // neither kinds nor addresses have a NUL
}

func caller(ctx context.Context) registry.Caller {
	info := request.From(ctx)
	return registry.Caller{Address: info.AddressText(), RequestID: info.ID}
}
