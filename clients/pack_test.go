package clients

import (
	"fmt"
	"reflect"
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
