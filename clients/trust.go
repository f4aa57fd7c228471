package clients

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Describe replaces the metadata, as the client itself or its metadata document now has them. Trust is given to a description:
// when that changes, the client is neither verified nor first-party any more, and what users allowed it is void. Of the metadata
// only those with the tag trust:"keeps" may change without that. It returns the names of the others that changed, and of the
// policies that were withdrawn.
//
// RFC 7592 §5 leaves it to the server what an update does to trust; RFC 7591 §5 warns of descriptions that the server has not checked.
func (r *Registration) Describe(m Metadata, now time.Time) (changed, withdrawn []string) {
	changed = r.Metadata.differences(&m)
	r.Metadata = m
	if len(changed) == 0 {
		return nil, nil
	}
	r.DescriptionChanges++
	if r.Verified {
		withdrawn = append(withdrawn, "verified")
	}
	if r.FirstParty {
		withdrawn = append(withdrawn, "first_party")
	}
	r.Verified, r.FirstParty = false, false
	if len(withdrawn) > 0 {
		r.TrustWithdrawnAt = now.Unix()
	}
	return changed, withdrawn
}

// Described returns the client with the metadata that its document now has, as Registration.Describe changes them, and whether that
// withdrew trust.
func (c *Client) Described(m Metadata, now time.Time) (with *Client, withdrawn bool) {
	reg := c.Registration()
	_, lost := reg.Describe(m, now)
	with = c.WithMetadata(m)
	with.Policy, with.History = reg.Policy, reg.History
	return with, len(lost) > 0
}

// differences returns the names of the metadata that differ and that trust depends on. The order of a list, and of the scopes, does
// not count.
func (m *Metadata) differences(other *Metadata) (names []string) {
	x, y := reflect.ValueOf(m).Elem(), reflect.ValueOf(other).Elem()
	for i := range x.NumField() {
		field := x.Type().Field(i)
		before, after := x.Field(i).Interface(), y.Field(i).Interface()
		if field.Tag.Get("check") == "scope" {
			before, after = strings.Fields(before.(string)), strings.Fields(after.(string))
		}
		if field.Tag.Get("trust") != "keeps" && !same(before, after) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	return names
}

func same(x, y any) bool {
	switch x := x.(type) {
	case json.RawMessage:
		return bytes.Equal(x, y.(json.RawMessage))
	case []string:
		return slices.Equal(slices.Sorted(slices.Values(x)), slices.Sorted(slices.Values(y.([]string))))
	}
	return reflect.DeepEqual(x, y)
}
