package admin

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"latchkey/clients"
)

// newClient is a client to be registered.
type newClient struct {
	ClientID string `json:"client_id,omitempty"`
	clients.Metadata
	clients.Policy
}

// Schema implements [huma.SchemaProvider].
func (newClient) Schema(huma.Registry) *huma.Schema {
	s := fieldSchemas()
	s.Properties["client_id"] = &huma.Schema{Type: huma.TypeString, MaxLength: new(255), Description: "Drawn by the server by default."}
	return s
}

// clientPatch is a JSON merge patch (RFC 7396) of the metadata and policies of a client.
type clientPatch map[string]json.RawMessage

// Schema implements [huma.SchemaProvider].
func (clientPatch) Schema(huma.Registry) *huma.Schema {
	s := fieldSchemas()
	for _, p := range s.Properties {
		p.Nullable = true
	}
	return s
}

// apply sets the fields that the patch has.
func (p clientPatch) apply(r *clients.Registration) error {
	var found []error
	for _, name := range slices.Sorted(maps.Keys(p)) {
		i := slices.IndexFunc(clients.Fields, func(f clients.Field) bool { return f.Name == name })
		if i < 0 {
			found = append(found, clients.Invalid(name, "it is not a field of clients"))
			continue
		}
		if err := clients.Fields[i].Replace(r, p[name]); err != nil {
			found = append(found, err)
		}
	}
	return errors.Join(found...)
}

// fieldSchemas returns an object that has the metadata and the policies of a client, as the table of package clients has them.
func fieldSchemas() *huma.Schema {
	type fields struct {
		clients.Metadata
		clients.Policy
	}
	s := huma.SchemaFromType(huma.NewMapRegistry("#/", huma.DefaultSchemaNamer), reflect.TypeFor[fields]())
	for _, f := range clients.Fields {
		p := s.Properties[f.Name]
		p.Description, p.Nullable = f.Help, false
		switch f.Type {
		case clients.Object:
			p.Type, p.AdditionalProperties = huma.TypeObject, true
		case clients.Interval:
			p.Examples = []any{"15m", "12h", "30d"}
		}
	}
	return s
}
