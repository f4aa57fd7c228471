package admin

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// The scopes of the API.
const (
	scopeUsersRead     = "latchkey:users:read"
	scopeUsersWrite    = "latchkey:users:write"
	scopeSessionsRead  = "latchkey:sessions:read"
	scopeSessionsWrite = "latchkey:sessions:write"
	scopeClientsRead   = "latchkey:clients:read"
	scopeClientsWrite  = "latchkey:clients:write"
	scopeKeysRead      = "latchkey:keys:read"
	scopeKeysWrite     = "latchkey:keys:write"
	scopeAuditRead     = "latchkey:audit:read"
	scopeWebhooksRead  = "latchkey:webhooks:read"
	scopeWebhooksWrite = "latchkey:webhooks:write"
)

// Scopes returns the scopes of the API, with what each allows.
func Scopes() map[string]string {
	return map[string]string{
		scopeUsersRead:     "List and show users and groups, and letters that could not be delivered.",
		scopeUsersWrite:    "Add, change, disable and remove users, set their passwords, remove their second factors, and send letters again that could not be delivered.",
		scopeSessionsRead:  "List and show sessions and consents.",
		scopeSessionsWrite: "End sessions and consents.",
		scopeClientsRead:   "List and show clients, protected resources and initial access tokens, without secrets.",
		scopeClientsWrite:  "Register, change, disable and remove clients, protected resources and initial access tokens, and replace secrets.",
		scopeKeysRead:      "List the keys that sign tokens.",
		scopeKeysWrite:     "Replace and remove the keys that sign tokens.",
		scopeAuditRead:     "List audit events.",
		scopeWebhooksRead:  "List and show the targets that events are delivered to, without secrets.",
		scopeWebhooksWrite: "Add, change, try and remove targets that events are delivered to: a client that has it can have the events sent anywhere.",
	}
}

// securityScheme is the name of the way to get in, in the description.
const securityScheme = "oauth2"

// description returns the part of the OpenAPI document that is not about an operation.
func (a *API) description() huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	var servers []*huma.Server
	if a.Public {
		servers = []*huma.Server{{URL: a.Issuer}}
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Latchkey", Version: "1",
				Description: "The API for operators. Its access tokens are those of the server itself, with the scopes below and the resource " +
					Resource(a.Issuer) + " as their only audience.",
			},
			Servers: servers,
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{securityScheme: {
					Type: "oauth2",
					Flows: &huma.OAuthFlows{
						ClientCredentials: &huma.OAuthFlow{TokenURL: a.Issuer + "/oauth2/token", Scopes: Scopes()},
						AuthorizationCode: &huma.OAuthFlow{
							AuthorizationURL: a.Issuer + "/oauth2/authorize", TokenURL: a.Issuer + "/oauth2/token", Scopes: Scopes(),
						},
					},
				}},
			},
		},
		Formats:       map[string]huma.Format{"application/json": strictJSON, "json": mergePatch},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{withoutValues},

		RejectUnknownQueryParameters: true,
	}
}

// statusesOf returns the refusals that every operation can answer with, and more.
func statusesOf(more ...int) []int {
	return append([]int{
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable,
	}, more...)
}

// op returns an operation that needs a scope. errors are the refusals besides those of all operations.
func op(id, method, path, scope, summary string, errors ...int) huma.Operation {
	o := huma.Operation{
		OperationID: id, Method: method, Path: Prefix + path, Summary: summary, Errors: statusesOf(errors...),
		Security: []map[string][]string{{securityScheme: {scope}}},
	}
	if method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
		o.Errors = append(o.Errors, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity)
	} else {
		o.Errors = append(o.Errors, http.StatusUnprocessableEntity)
	}
	return o
}

// creation returns an operation that creates something.
func creation(id, path, scope, summary string) huma.Operation {
	o := op(id, http.MethodPost, path, scope, summary, http.StatusConflict, http.StatusTooManyRequests)
	o.DefaultStatus = http.StatusCreated
	return o
}

// change returns an operation that changes one thing, with If-Match.
func change(id, method, path, scope, summary string) huma.Operation {
	return op(id, method, path, scope, summary, http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired)
}

// shown is an answer with a body.
type shown[T any] struct{ Body T }

// tagged is an answer with a body and its entity tag.
type tagged[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

// noNUL is the pattern of text that a database can store.
const noNUL = `^[^\x00]*$`

// completeSchemas describes what requests hold as it is checked, where the tags of types can't say it: texts have no NUL, parameters are not
// empty, attributes are an object; and that a read with an entity tag may be answered with 304.
func (a *API) completeSchemas() {
	seen := map[*huma.Schema]bool{}
	var visit func(s *huma.Schema)
	visit = func(s *huma.Schema) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		if s.Ref != "" {
			visit(a.huma.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref))
			return
		}
		if s.Type == huma.TypeString && s.Pattern == "" && s.Format == "" && len(s.Enum) == 0 {
			s.Pattern, s.PatternDescription = noNUL, "text without NUL"
			s.PrecomputeMessages()
		}
		visit(s.Items)
		for name, p := range s.Properties {
			if name == "attributes" || name == "policy" || name == "details" || name == "jwk" {
				p.Type, p.AdditionalProperties = huma.TypeObject, true
				p.PrecomputeMessages()
			}
			visit(p)
		}
	}
	for _, item := range a.huma.OpenAPI().Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if o == nil {
				continue
			}
			// The adapter compares If-None-Match with the ETag of a read (RFC 9110 §13.1.2).
			if success := o.Responses["200"]; o == item.Get && success != nil && success.Headers["ETag"] != nil {
				o.Responses["304"] = &huma.Response{
					Description: "What If-None-Match names is current", Headers: map[string]*huma.Header{"ETag": success.Headers["ETag"]},
				}
			}
			for _, p := range o.Parameters {
				visit(p.Schema)
				if p.In != "header" && p.Schema.Type == huma.TypeString && p.Schema.MinLength == nil {
					p.Schema.MinLength = new(1)
					p.Schema.PrecomputeMessages()
				}
			}
			if o.RequestBody != nil {
				for _, m := range o.RequestBody.Content {
					visit(m.Schema)
				}
			}
		}
	}
}
