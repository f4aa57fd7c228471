package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"latchkey/clients"
	"latchkey/server/route"
	"latchkey/storage"
)

// resourceMetadata is the document of RFC 9728 §2.
type resourceMetadata struct {
	Resource             string   `json:"resource"`
	ResourceName         string   `json:"resource_name,omitempty"`
	AuthorizationServers []string `json:"authorization_servers"`
	Scopes               []string `json:"scopes_supported,omitempty"`
	BearerMethods        []string `json:"bearer_methods_supported"`
}

// ResourceMetadataURL is where an issuer serves the document of a protected resource.
func ResourceMetadataURL(issuer, identifier string) string {
	return issuer + ResourcesPath + "?" + url.Values{"resource": {identifier}}.Encode()
}

// ResourceMetadata is the metadata of a registered protected resource (RFC 9728 §3), for resource servers that do not serve
// a document of their own: their WWW-Authenticate header leads here (RFC 9728 §5.1).
func (h *Handlers) ResourceMetadata(w http.ResponseWriter, r *http.Request) error {
	asked := r.URL.Query()["resource"]
	if len(asked) != 1 {
		return &route.Error{Status: http.StatusBadRequest, Message: "Name one protected resource in the parameter resource."}
	}
	all, err := h.cfg.Clients.Resources(r.Context())
	if err != nil {
		return fmt.Errorf("metadata of a resource: %w", err)
	}
	canonical := clients.CanonicalResource(asked[0])
	i := slices.IndexFunc(all, func(known *storage.Resource) bool { return clients.CanonicalResource(known.Identifier) == canonical })
	if i < 0 {
		return &route.Error{Status: http.StatusNotFound, Message: "There is no such protected resource here."}
	}
	body, err := json.Marshal(resourceMetadata{
		Resource:             all[i].Identifier,
		ResourceName:         all[i].Name,
		AuthorizationServers: []string{h.cfg.Issuer},
		Scopes:               all[i].Scopes,
		// RFC 6750 §2.2 and §2.3 are not recommended, and Latchkey's guards do not read them.
		BearerMethods: []string{"header"},
	})
	if err != nil {
		return fmt.Errorf("metadata of a resource: %w", err)
	}
	return cacheableJSON(body).write(w, r)
}
