package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/bearer"
	"latchkey/server/internal/request"
	"latchkey/server/operator"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/route"
	"latchkey/server/users"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// problemType is the beginning of the types of problems that programs may want to tell apart.
const problemType = "urn:latchkey:problem:"

// refusal returns a problem (RFC 9457) with a type of its own; without one the status says all.
func refusal(status int, kind, format string, args ...any) *huma.ErrorModel {
	p := &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: fmt.Sprintf(format, args...)}
	if kind != "" {
		p.Type = problemType + kind
	}
	return p
}

// isNotFound reports whether an error says that something is not there, in the words of storage or of errNotFound.
func isNotFound(err error) bool {
	var p *huma.ErrorModel
	return errors.Is(err, storage.ErrNotFound) || errors.As(err, &p) && p.Status == http.StatusNotFound
}

func isConflict(err error) bool { return errors.Is(err, storage.ErrConflict) }

// errChanged is the answer to a change of what has changed meanwhile.
func errChanged() error {
	return refusal(http.StatusPreconditionFailed, "", "It was changed since you have read it: read it again.")
}

// errNotFound is the answer about something that is not there.
func errNotFound(what string) error {
	return refusal(http.StatusNotFound, "", "There is no such %s.", what)
}

// orNotFound returns errNotFound for a storage.ErrNotFound, and any other error as it is.
func orNotFound(err error, what string) error {
	if isNotFound(err) {
		return errNotFound(what)
	}
	return err
}

// byID returns what find finds under the id in a path.
func byID[T any](ctx context.Context, what, text string, find func(context.Context, storage.ID) (T, error)) (T, error) {
	id, err := storage.ParseID(text)
	if err != nil {
		var none T
		return none, errNotFound(what)
	}
	v, err := find(ctx, id)
	return v, orNotFound(err, what)
}

// problem returns the problem of an error: what is wrong with the request, or an outage. Of any other error it shows nothing.
func problem(ctx context.Context, err error) error {
	var known huma.StatusError
	if errors.As(err, &known) {
		return err
	}
	var invalid *input.Error
	var variant *input.CaseVariantError
	switch {
	case errors.As(err, &invalid):
		p := refusal(http.StatusUnprocessableEntity, "", "The %s.", invalid.Error())
		p.Errors = []*huma.ErrorDetail{{Location: "body", Message: invalid.Error()}}
		return p
	case len(clients.Faults(err)) > 0:
		p := refusal(http.StatusUnprocessableEntity, "", "The values of some members can't be.")
		for _, f := range clients.Faults(err) {
			p.Errors = append(p.Errors, &huma.ErrorDetail{Location: "body." + f.Field, Message: f.Description})
		}
		return p
	case errors.Is(err, storage.ErrElsewhere):
		return refusal(http.StatusConflict, "elsewhere", "%s.", err.Error())
	case isNotFound(err):
		return errNotFound("object")
	case errors.As(err, &variant):
		return refusal(http.StatusConflict, "case-variant", "%s.", variant.Error())
	case errors.Is(err, storage.ErrExists):
		return refusal(http.StatusConflict, "exists", "It exists already, or something else has its id or its name.")
	case errors.Is(err, storage.ErrConflict):
		return refusal(http.StatusConflict, "", "It was changed by someone else at the same time. Read it again.")
	case errors.Is(err, registry.ErrNoSecret):
		return refusal(http.StatusConflict, "no-secret", "The client has no secret: it is public, or authenticates with its own key (token_endpoint_auth_method).")
	case errors.Is(err, users.ErrOverload):
		err = protocol.Overloaded("The server is checking as many passwords as it can. Try again.")
	}
	e := protocol.AsError(err)
	if e.Status == http.StatusInternalServerError {
		request.From(ctx).Event.Add(slog.String("error", err.Error()))
	}
	p := &huma.ErrorModel{Status: e.Status, Title: http.StatusText(e.Status), Detail: e.Description}
	if e.RetryAfter == 0 {
		return p
	}
	return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {strconv.Itoa(e.RetryAfterSeconds())}})
}

// render writes what the route refuses, and what is wrong with an access token, as a problem.
func render(w http.ResponseWriter, r *http.Request, err error) {
	var p *huma.ErrorModel
	var refused *route.Error
	h := w.Header()
	switch {
	case errors.Is(err, bearer.ErrNoToken):
		bearer.Challenge(h, r.Header, err, "")
		p = refusal(http.StatusUnauthorized, "", "An access token is needed: send it as Authorization: Bearer TOKEN.")
	case errors.As(err, &refused):
		p = refusal(refused.Status, "", "%s", refused.Message)
	case errors.As(err, &p):
	default:
		e := protocol.AsError(err)
		if e.Reason != reasons.None {
			request.From(r.Context()).Event.Add(slog.String("reason", string(e.Reason)))
		}
		p = refusal(e.Status, "", "%s", e.Description)
		if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
			p.Type = problemType + e.Code
			bearer.Challenge(h, r.Header, e, operator.Parameters(err))
		}
		if e.RetryAfter > 0 {
			h.Set("Retry-After", strconv.Itoa(e.RetryAfterSeconds()))
		}
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}

// withoutValues takes out of a problem what the request said: it may be a password, and answers end up in logs.
func withoutValues(_ huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*huma.ErrorModel); ok {
		for _, detail := range p.Errors {
			if _, counted := detail.Value.(count); !counted {
				detail.Value = nil
			}
		}
	}
	return v, nil
}

// count is a number in a problem that the caller needs.
type count int
