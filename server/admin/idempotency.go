package admin

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"latchkey/server/internal/mac"
	"latchkey/server/internal/request"
	"latchkey/storage"
)

// Creation are the parameters of a request that creates something.
type Creation struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" pattern:"^[!-~]*$" doc:"Drawn by the client for this Creation: the same request again with the same key, within a day, creates nothing and shows what was created, without its secret."`
	Trial
}

// adding is a request that creates something.
type adding[T any] struct {
	Creation
	Body T
}

// Bounds of idempotency keys.
const (
	keptFor   = 24 * time.Hour
	underWay  = time.Minute // a creation that did not finish in this time has failed
	maxStored = 100_000
)

// created is the answer to a creation.
type created[T any] struct {
	Location string `header:"Location" doc:"Where it can be read."`
	ETag     string `header:"ETag"`
	Replayed string `header:"Idempotency-Replayed" doc:"true if an earlier request with the same Idempotency-Key has created it."`
	Body     T
}

// maker creates things of a kind.
type maker[T any] struct {
	// kind names it in the hash of keys, noun to people.
	kind, noun string
	// path is where they are, id returns what names one there, and tag its entity tag.
	path    string
	id, tag func(T) string
	// create creates it, and read reads it again.
	create func(ctx context.Context) (T, error)
	read   func(ctx context.Context, id string) (T, error)
}

// do creates something once for each idempotency key.
func (m maker[T]) do(ctx context.Context, a *API, c Creation, body any) (*created[T], error) {
	if c.IdempotencyKey == "" || c.DryRun {
		v, err := m.create(ctx)
		return m.answer(v, c, false), err
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	now := a.now()
	k := &storage.IdempotencyKey{
		Hash:    mac.SumFramed(a.IdempotencyKey, m.kind, request.From(ctx).Operator, c.IdempotencyKey),
		Request: sha256.Sum256(encoded), CreatedAt: now, ExpiresAt: now.Add(underWay),
	}
	found, err := a.Store.ClaimIdempotencyKey(ctx, k, maxStored)
	switch {
	case errors.Is(err, storage.ErrLimit):
		return nil, refusal(http.StatusTooManyRequests, "", "Too many idempotency keys were used within a day.")
	case err != nil:
		return nil, err
	case found != nil:
		return m.replay(ctx, c, found, k)
	}
	v, err := m.create(ctx)
	// The client may have gone; what was created is noted all the same.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err != nil {
		if !storage.Failed(err) || !errors.Is(err, storage.ErrUnavailable) { // otherwise it may have been created
			err = errors.Join(err, a.Store.RemoveIdempotencyKey(after, k.Hash))
		}
		return nil, err
	}
	if err := a.Store.FinishIdempotencyKey(after, k.Hash, m.id(v), now.Add(keptFor)); err != nil {
		return nil, err
	}
	return m.answer(v, c, false), nil
}

// replay answers a request whose key was used before.
func (m maker[T]) replay(ctx context.Context, c Creation, found, k *storage.IdempotencyKey) (*created[T], error) {
	switch {
	case found.Request != k.Request:
		return nil, refusal(http.StatusUnprocessableEntity, "idempotency", "The Idempotency-Key was used for another request.")
	case found.Result == "":
		return nil, refusal(http.StatusConflict, "idempotency", "A request with this Idempotency-Key is under way, or has just failed. Try again in a minute.")
	}
	v, err := m.read(ctx, found.Result)
	if isNotFound(err) {
		return nil, refusal(http.StatusConflict, "idempotency", "The %s that was created with this Idempotency-Key was removed since.", m.noun)
	}
	if err != nil {
		return nil, err
	}
	return m.answer(v, c, true), nil
}

func (m maker[T]) answer(v T, c Creation, replayed bool) *created[T] {
	out := &created[T]{Body: v, ETag: m.tag(v)}
	if !c.DryRun {
		out.Location = Prefix + m.path + url.PathEscape(m.id(v))
	}
	if replayed {
		out.Replayed = "true"
	}
	return out
}
