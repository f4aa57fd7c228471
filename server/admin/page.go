package admin

import (
	"cmp"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"latchkey/server/internal/mac"
)

// Paging are the parameters of a list.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"The most items that the answer has."`
	Cursor string `query:"cursor" maxLength:"4096" pattern:"^[A-Za-z0-9_-]*$" doc:"Where to go on: next_cursor of the answer before, with the same filters."`
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T `json:"items" nullable:"false"`
	// NextCursor is absent in the last part.
	NextCursor string `json:"next_cursor,omitempty" doc:"The cursor of the next part; absent in the last one."`
}

// listed is the answer with a part of a list.
type listed[T any] = shown[Page[T]]

// position is what a cursor says. Filters are those that the list had: a cursor goes on with the same list only.
type position[K any] struct {
	Filters string `json:"f"`
	After   K      `json:"a"`
}

// macSize is enough: who forges a cursor learns nothing that a filter would not tell, but a database must not see text of others.
const macSize = 16

// cursor returns the cursor after a key of a list.
func cursor[K any](a *API, filters string, after K) string {
	payload, err := json.Marshal(position[K]{filters, after})
	if err != nil {
		panic(err) // keys are texts and numbers
	}
	sum := mac.Sum(a.CursorKeys[0], payload)
	return base64.RawURLEncoding.EncodeToString(append(sum[:macSize:macSize], payload...))
}

// after returns the key that a list goes on after; the zero one for its beginning.
func after[K any](a *API, text, filters string) (K, error) {
	var p position[K]
	if text == "" {
		return p.After, nil
	}
	wrong := refusal(http.StatusBadRequest, "cursor", "The cursor is not one of this list with these filters: begin without one.")
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < macSize {
		return p.After, wrong
	}
	for _, key := range a.CursorKeys {
		sum := mac.Sum(key, b[macSize:])
		if hmac.Equal(sum[:macSize], b[:macSize]) && json.Unmarshal(b[macSize:], &p) == nil && p.Filters == filters {
			return p.After, nil
		}
	}
	var none K
	return none, wrong
}

// part returns up to limit elements of a list that is read as a whole, after a key.
func part[T any, K cmp.Ordered](all []T, key func(T) K, after K, limit int) []T {
	all = slices.DeleteFunc(all, func(e T) bool { return key(e) <= after })
	return all[:min(limit, len(all))]
}

// plain returns a view of elements that can't fail.
func plain[T, V any](view func(T) V) func(T) (V, error) {
	return func(e T) (V, error) { return view(e), nil }
}

// list returns a part of a list. read returns up to limit elements after a key, and key that of an element.
func list[T, V, K any](
	a *API, p Paging, filters any, read func(after K, limit int) ([]T, error), key func(T) K, view func(T) (V, error),
) (*listed[V], error) {
	encoded, err := json.Marshal(filters)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%T%s", filters, encoded)
	begin, err := after[K](a, p.Cursor, name)
	if err != nil {
		return nil, err
	}
	elements, err := read(begin, p.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &listed[V]{Page[V]{Items: make([]V, 0, len(elements))}}
	if len(elements) > p.Limit {
		elements = elements[:p.Limit]
		out.Body.NextCursor = cursor(a, name, key(elements[p.Limit-1]))
	}
	for _, e := range elements {
		v, err := view(e)
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, v)
	}
	return out, nil
}
