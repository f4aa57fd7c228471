package scim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"latchkey/server/internal/form"
	"latchkey/server/route"
	"latchkey/storage"
)

// What a list returns, and how many resources are looked at for one whose filter the database does not know.
const (
	defaultCount = 100
	maxCount     = 200
	maxScanned   = 20_000
)

// id returns the id of the address; empty for what is none.
func (q *query) id() string {
	text, err := url.PathUnescape(route.Var(q.Request, "id"))
	if err != nil || !form.IsText(text) {
		return ""
	}
	return text
}

// unchanged compares If-Match with the version of a resource (RFC 7644 §3.14). The comparison is weak, as its examples have it.
func (q *query) unchanged(o object) error {
	header := q.Header.Get("If-Match")
	if header == "" || route.MatchesETag(header, versionOf(o)) {
		return nil
	}
	return storage.ErrConflict
}

// conditional reports whether a change may be made of one version only.
func (q *query) conditional() bool {
	header := strings.TrimSpace(q.Header.Get("If-Match"))
	return header != "" && header != "*"
}

func versionOf(o object) string {
	meta, _ := o["meta"].(object)
	return textOf(meta, "version")
}

// answer writes a resource, as much of it as the client wants.
func (a *API) answer(w http.ResponseWriter, q *query, s *schema, status int, o object) error {
	view, err := q.projection(s)
	if err != nil {
		return err
	}
	meta, _ := o["meta"].(object)
	h := w.Header()
	if tag := versionOf(o); tag != "" {
		h.Set("ETag", tag)
		if header := q.Header.Get("If-None-Match"); header != "" && route.MatchesETag(header, tag) && (q.Method == http.MethodGet || q.Method == http.MethodHead) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	h.Set("Content-Location", textOf(meta, "location"))
	if status == http.StatusCreated {
		h.Set("Location", textOf(meta, "location"))
	}
	return write(w, q.Request, status, view.of(o))
}

func write(w http.ResponseWriter, r *http.Request, status int, body any) error {
	w.Header().Set("Content-Type", contentType(r))
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(body)
}

// search is what a client wants of a list (RFC 7644 §3.4.2).
type search struct {
	filter       expr
	start, count int
	view         projection
}

// search reads the parameters of a list.
func (q *query) search(s *schema) (f search, err error) {
	if q.params.Has("cursor") {
		return f, bad(invalidCursor, "This server has no cursors: use startIndex and count.")
	}
	if q.params.Get("sortBy") != "" {
		return f, refusal(http.StatusNotImplemented, "This server does not sort (ServiceProviderConfig): leave out sortBy.")
	}
	number := func(name string, otherwise, least, most int) int {
		text := q.params.Get(name)
		if text == "" {
			return otherwise
		}
		n, e := strconv.ParseInt(text, 10, 32)
		if e != nil {
			err = bad(invalidValue, "%s is not a number.", name)
		}
		return max(least, min(int(n), most)) // RFC 7644 §3.4.2.4: what is lower counts as 1, or as 0
	}
	f.start, f.count = number("startIndex", 1, 1, 1<<30), number("count", defaultCount, 0, maxCount)
	if err != nil {
		return f, err
	}
	if q.params.Has("filter") {
		if f.filter, err = s.parseFilter(q.params.Get("filter")); err != nil {
			return f, err
		}
	}
	f.view, err = q.projection(s)
	return f, err
}

// readSearch reads the parameters of a list from the body (RFC 7644 §3.4.3).
func (q *query) readSearch() error {
	body, err := readBody(q.Request)
	if err != nil {
		return err
	}
	if err := requireSchema(body, searchURN); err != nil {
		return err
	}
	q.params = url.Values{}
	for _, name := range []string{"filter", "startIndex", "count", "attributes", "excludedAttributes", "sortBy", "cursor"} {
		switch v := member(body, name).(type) {
		case nil:
		case string:
			q.params.Set(name, v)
		case json.Number:
			q.params.Set(name, v.String())
		case []any:
			var names []string
			for _, element := range v {
				text, ok := element.(string)
				if !ok {
					return bad(invalidValue, "The member %s is not a list of texts.", name)
				}
				names = append(names, text)
			}
			q.params.Set(name, strings.Join(names, ","))
		default:
			return bad(invalidValue, "The member %s has the wrong type.", name)
		}
	}
	return nil
}

// page is the part of a list that is answered.
func (f search) page(w http.ResponseWriter, q *query, total int, list []object) error {
	resources := make([]any, 0, len(list))
	for _, o := range list {
		resources = append(resources, f.view.of(o))
	}
	return write(w, q.Request, http.StatusOK, object{
		"schemas": []any{listURN}, "totalResults": total, "startIndex": f.start, "itemsPerPage": len(resources), "Resources": resources,
	})
}

// chosen writes the page of those of the candidates that the filter matches.
func (f search) chosen(w http.ResponseWriter, q *query, candidates []object) error {
	var list []object
	total := 0
	for _, o := range candidates {
		if f.filter != nil && !f.filter.matches(o) {
			continue
		}
		if total++; total >= f.start && len(list) < f.count {
			list = append(list, o)
		}
	}
	return f.page(w, q, total, list)
}

// tooManyScanned is the refusal of a filter that nothing narrows.
func tooManyScanned() error {
	return bad(tooMany, "The filter would look at more than %d resources: ask for an id, a userName, an externalId, an address or a displayName with eq.", maxScanned)
}

func (a *API) listUsers(w http.ResponseWriter, q *query) error {
	f, err := q.search(userSchema)
	if err != nil {
		return err
	}
	if plain, ok := onlyActive(f.filter); ok {
		return a.pageOfUsers(w, q, f, plain)
	}
	found, narrowed, err := a.candidates(q, f.filter)
	if err != nil {
		return err
	}
	if !narrowed {
		if found, err = a.everyUser(q); err != nil {
			return err
		}
	}
	shown, err := a.showUsers(q, found)
	if err != nil {
		return err
	}
	return f.chosen(w, q, shown)
}

// onlyActive returns the filter of the database for a list of all users, or of those who are active or not.
func onlyActive(e expr) (storage.UserFilter, bool) {
	if e == nil {
		return storage.UserFilter{}, true
	}
	c, ok := e.(comparison)
	active, isBool := c.value.(bool)
	return storage.UserFilter{Active: &active}, ok && isBool && c.kept && c.op == "eq" && c.path.last().Name == "active"
}

// pageOfUsers answers with a page that the database has chosen.
func (a *API) pageOfUsers(w http.ResponseWriter, q *query, f search, plain storage.UserFilter) error {
	total, err := a.Store.CountUsers(q.ctx(), plain)
	if err != nil {
		return err
	}
	var shown []object
	if f.count > 0 && f.start <= total {
		plain.Offset, plain.Limit = f.start-1, f.count
		found, err := a.Store.SearchUsers(q.ctx(), plain)
		if err != nil {
			return err
		}
		if shown, err = a.showUsers(q, found); err != nil {
			return err
		}
	}
	return f.page(w, q, total, shown)
}

// candidates returns the users that a filter may match, if the database finds these by one of their names.
func (a *API) candidates(q *query, e expr) (found []*storage.User, narrowed bool, err error) {
	one := func(u *storage.User, err error) ([]*storage.User, bool, error) {
		if isNotFound(err) {
			return nil, true, nil
		}
		return []*storage.User{u}, true, err
	}
	if text, ok := wanted(e, "id"); ok {
		id, err := userID(text)
		if err != nil {
			return nil, true, nil
		}
		return one(a.Store.User(q.ctx(), id))
	}
	if text, ok := wanted(e, "externalId"); ok {
		found, err = a.Store.UsersByExternalID(q.ctx(), q.access.Client.ID, text, maxScanned)
		return found, true, err
	}
	if text, ok := wanted(e, "userName"); ok && text != "" {
		found, err = a.Store.SearchUsers(q.ctx(), storage.UserFilter{Username: text, Fold: true, Limit: maxScanned})
		return found, true, err
	}
	if text, ok := wanted(e, "emails"); ok && text != "" {
		found, err = a.Store.SearchUsers(q.ctx(), storage.UserFilter{Email: text, Fold: true, Limit: maxScanned})
		return found, true, err
	}
	return nil, false, nil
}

// everyUser returns all users, if they are not too many to look at.
func (a *API) everyUser(q *query) (all []*storage.User, err error) {
	for u, err := range storage.Pages(func(u *storage.User) int64 { return u.ID }, func(after int64) ([]*storage.User, error) {
		return a.Store.SearchUsers(q.ctx(), storage.UserFilter{After: after, Limit: storage.PageSize})
	}) {
		if err != nil {
			return nil, err
		}
		if len(all) == maxScanned {
			return nil, tooManyScanned()
		}
		all = append(all, u)
	}
	return all, nil
}

// listGroups lists all groups that there are: what an operator has put users into is one too, and gets its id now.
func (a *API) listGroups(w http.ResponseWriter, q *query) error {
	f, err := q.search(groupSchema)
	if err != nil {
		return err
	}
	by, adopt := groupFilter(f.filter, q.access.Client.ID)
	if adopt == nil || len(adopt) > 0 {
		if err := a.Store.AdoptGroups(q.ctx(), adopt, a.now()); err != nil {
			return err
		}
	}
	if f.filter == nil {
		total, err := a.Store.CountProvisionedGroups(q.ctx(), by)
		if err != nil {
			return err
		}
		var shown []object
		if f.count > 0 {
			by.Offset, by.Limit = f.start-1, f.count
			if shown, err = a.groupsBy(q, by, f.view.shows("members")); err != nil {
				return err
			}
		}
		return f.page(w, q, total, shown)
	}
	by.Limit = maxScanned + 1
	shown, err := a.groupsBy(q, by, f.view.shows("members") || mentions(f.filter, "members"))
	switch {
	case len(shown) > maxScanned:
		return tooManyScanned()
	case err != nil:
		return err
	}
	return f.chosen(w, q, shown)
}

func (a *API) groupsBy(q *query, by storage.ProvisionedGroupFilter, members bool) ([]object, error) {
	found, err := a.Store.SearchProvisionedGroups(q.ctx(), by)
	if err != nil || len(found) > maxScanned {
		return make([]object, len(found)), err
	}
	return a.showGroups(q, found, members)
}

// groupFilter returns what the database looks for, and the names of groups that may have no id yet; nil for all.
func groupFilter(e expr, clientID string) (by storage.ProvisionedGroupFilter, adopt []string) {
	by.ClientID = clientID
	if e == nil {
		return by, nil
	}
	if name, ok := wanted(e, "displayName"); ok {
		by.Names, adopt = []string{name}, []string{name}
	}
	if text, ok := wanted(e, "externalId"); ok && text != "" {
		by.ExternalID, adopt = text, []string{} // what has none is not asked for
	}
	if text, ok := wanted(e, "id"); ok {
		if id, err := storage.ParseID(text); err == nil && !id.IsZero() {
			by.ID, adopt = id, []string{}
		}
	}
	return by, adopt
}
