package clients

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"latchkey/storage"
)

// Every member of a client survives memory, those that are added one day too: a new one that pack does not know fails here.
func TestPackedClientIsWhole(t *testing.T) {
	t.Parallel()
	c := &Client{}
	n := 0
	fill(reflect.ValueOf(&c.Metadata).Elem(), &n)
	fill(reflect.ValueOf(&c.Policy).Elem(), &n)
	c.ID, c.Origin, c.Disabled, c.AuthEpoch, c.Version, c.rotations = "id", storage.OriginDocument, true, 1<<50, 7, 3
	c.CreatedAt, c.UpdatedAt, c.ExpiresAt = time.UnixMicro(1).UTC(), time.UnixMicro(1<<50).UTC(), time.UnixMicro(-5).UTC()
	c.secretMAC, c.previous = storage.Digest{1}, &previousSecret{storage.Digest{2}, time.UnixMicro(9).UTC()}
	c.Scope = "a b"
	c.scopes = []string{"a", "b"}
	for _, want := range []*Client{c, {}, {ID: "x", Metadata: Metadata{ClientName: "none"}}} {
		p := want.pack()
		if diff := cmp.Diff(want, p.unpack(), cmp.AllowUnexported(Client{}, previousSecret{})); diff != "" {
			t.Error(diff)
		}
		if p.id() != want.ID {
			t.Errorf("id %q", p.id())
		}
	}
	v := reflect.ValueOf(*c)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the test does not fill %s", v.Type().Field(i).Name)
		}
	}
}

// Postgres writes JSON in its own way; what comes back is what went in.
func TestMetadataComeBackAsTheyWentIn(t *testing.T) {
	t.Parallel()
	for _, keys := range []string{
		`{"keys":[{"kty":"EC","crv":"P-384","x":"a","y":"b","use":"sig","x5c":["a","b"],"ext":{"b":1,"a":[{"d":1,"c":2}]}}]}`,
		`{"keys":[{"kty":"\ud800","n":1e300,"exp":1700000000}]}`,
	} {
		m, p, err := Validate(Metadata{RedirectURIs: []string{"https://a.example/cb"}, JWKS: json.RawMessage(keys)}, Policy{})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := (document{Metadata: m, Policy: p}).encode()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), `\ud800`) {
			t.Errorf("%s: no database keeps half a character", raw)
		}
		c, err := fromRow(&storage.Client{Metadata: asPostgres(t, raw)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, c.Metadata); diff != "" {
			t.Error(diff)
		}
	}
	var wrong *MetadataError
	if _, _, err := Validate(Metadata{RedirectURIs: []string{"https://a.example/cb"}, JWKS: json.RawMessage(`{"keys":[{"kty":"EC","n":1e999999}]}`)}, Policy{}); !errors.As(err, &wrong) {
		t.Errorf("a number that no database keeps: %v", err)
	}
}

// asPostgres writes a JSON object with its members the other way round, and spaces.
func asPostgres(t *testing.T, raw json.RawMessage) json.RawMessage {
	t.Helper()
	if raw[0] == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, v := range list {
			parts = append(parts, string(asPostgres(t, v)))
		}
		return json.RawMessage("[" + strings.Join(parts, ", ") + "]")
	}
	if raw[0] != '{' {
		return raw
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(members))) {
		parts = append(parts, fmt.Sprintf("%q: %s", name, asPostgres(t, members[name])))
	}
	return json.RawMessage("{" + strings.Join(parts, ", ") + "}")
}

// fill gives every member of a struct a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.String:
		v.SetString(fmt.Sprint("text", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Uint8:
		v.SetUint(uint64('a' + *n%26))
	default:
		panic("fill: " + v.Kind().String())
	}
}

func TestPackedTextsAndNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := &Client{
			ID: rapid.String().Draw(t, "id"), AuthEpoch: rapid.Int64().Draw(t, "epoch"), rotations: rapid.Uint64().Draw(t, "rotations"),
			Metadata: Metadata{
				ClientName:   rapid.StringN(0, 300, -1).Draw(t, "name"),
				RedirectURIs: rapid.SliceOfN(rapid.String(), 1, 5).Draw(t, "uris"),
			},
		}
		if diff := cmp.Diff(want, want.pack().unpack(), cmp.AllowUnexported(Client{})); diff != "" {
			t.Fatal(diff)
		}
	})
}
