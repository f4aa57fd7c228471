package scim

import (
	"net/http"
	"net/url"
	"strings"

	"latchkey/server/route"
)

// discoverable refuses filters of the documents that describe SCIM here (RFC 7644 §4). They are open, so that a client can find out how to
// get in (RFC 7643 §5).
func discoverable(r *http.Request) error {
	if r.URL.Query().Has("filter") {
		return refusal(http.StatusForbidden, "What describes the server can't be filtered.")
	}
	return nil
}

func supported(yes bool) object { return object{"supported": yes} }

// serviceProviderConfig says what is supported (RFC 7643 §5).
func (a *API) serviceProviderConfig(w http.ResponseWriter, r *http.Request) error {
	if err := discoverable(r); err != nil {
		return err
	}
	return write(w, r, http.StatusOK, object{
		"schemas": []any{providerURN},
		"patch":   supported(true),
		"bulk":    object{"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
		"filter":  object{"supported": true, "maxResults": maxCount},
		// A change ends the user's sessions.
		"changePassword": supported(true),
		"sort":           supported(false),
		"etag":           supported(true),
		"pagination":     object{"cursor": false, "index": true, "defaultPaginationMethod": "index", "defaultPageSize": defaultCount, "maxPageSize": maxCount},
		"authenticationSchemes": []any{
			object{
				"type": "oauthbearertoken", "name": "OAuth Bearer Token", "primary": true,
				"description": "An access token with the scope " + Scope + ", by client_credentials.", "specUri": "https://www.rfc-editor.org/info/rfc6750",
			},
			object{
				"type": "httpbasic", "name": "HTTP Basic", "description": "The client_id and the client_secret of a client with the scope " + Scope + ".",
				"specUri": "https://www.rfc-editor.org/info/rfc7617",
			},
		},
		"meta": object{"resourceType": "ServiceProviderConfig", "location": a.base(r) + "/ServiceProviderConfig"},
	})
}

// kinds are the schemas of the resources here, schemas those and their extensions.
var (
	kinds   = []*schema{userSchema, groupSchema}
	schemas = []*schema{userSchema, groupSchema, enterpriseSchema}
)

func (a *API) describe(r *http.Request, s *schema) object {
	return object{
		"schemas": []any{schemaURN}, "id": s.id, "name": s.name, "description": s.description, "attributes": s.attributes,
		"meta": object{"resourceType": "Schema", "location": a.base(r) + "/Schemas/" + s.id},
	}
}

func (a *API) resourceType(r *http.Request, s *schema) object {
	o := object{
		"schemas": []any{typeURN}, "id": s.name, "name": s.name, "endpoint": s.endpoint, "description": s.description, "schema": s.id,
		"meta": object{"resourceType": "ResourceType", "location": a.base(r) + "/ResourceTypes/" + s.name},
	}
	if s.extension != nil {
		o["schemaExtensions"] = []any{object{"schema": s.extension.Name, "required": false}}
	}
	return o
}

func (a *API) schemas(w http.ResponseWriter, r *http.Request) error {
	return listOf(w, r, schemas, a.describe)
}

func (a *API) resourceTypes(w http.ResponseWriter, r *http.Request) error {
	return listOf(w, r, kinds, a.resourceType)
}

func listOf(w http.ResponseWriter, r *http.Request, all []*schema, describe func(*http.Request, *schema) object) error {
	if err := discoverable(r); err != nil {
		return err
	}
	var list []any
	for _, s := range all {
		list = append(list, describe(r, s))
	}
	return write(w, r, http.StatusOK, object{
		"schemas": []any{listURN}, "totalResults": len(list), "startIndex": 1, "itemsPerPage": len(list), "Resources": list,
	})
}

func (a *API) oneSchema(w http.ResponseWriter, r *http.Request) error {
	return oneOf(w, r, schemas, a.describe)
}

func (a *API) oneResourceType(w http.ResponseWriter, r *http.Request) error {
	return oneOf(w, r, kinds, a.resourceType)
}

func oneOf(w http.ResponseWriter, r *http.Request, all []*schema, describe func(*http.Request, *schema) object) error {
	id, err := url.PathUnescape(route.Var(r, "id"))
	for _, s := range all {
		if o := describe(r, s); err == nil && strings.EqualFold(textOf(o, "id"), id) {
			return write(w, r, http.StatusOK, o)
		}
	}
	return refusal(http.StatusNotFound, "There is no such resource.")
}
