package scim

import (
	"slices"
	"strings"
)

// URIs of schemas and messages (RFC 7643 §8, RFC 7644 §8.2).
const (
	userURN     = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupURN    = "urn:ietf:params:scim:schemas:core:2.0:Group"
	schemaURN   = "urn:ietf:params:scim:schemas:core:2.0:Schema"
	typeURN     = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	providerURN = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	listURN     = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	patchURN    = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	searchURN   = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
	errorURN    = "urn:ietf:params:scim:api:messages:2.0:Error"
	// enterpriseURN is the extension that directories send by default (RFC 7643 §4.3).
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// Types of attributes (RFC 7643 §2.3).
const (
	typeString    = "string"
	typeBoolean   = "boolean"
	typeComplex   = "complex"
	typeDateTime  = "dateTime"
	typeReference = "reference"
	typeBinary    = "binary"
)

// Values of the characteristics mutability and returned (RFC 7643 §2.2, §7).
const (
	readOnly  = "readOnly"
	readWrite = "readWrite"
	writeOnly = "writeOnly"
	immutable = "immutable"
	always    = "always"
	byDefault = "default"
	never     = "never"
)

// truth reads a boolean that was sent as text: Entra ID sends "True" and "False" unless it is set to follow the RFC.
func truth(text string) (is, ok bool) {
	switch strings.ToLower(text) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// attribute is an attribute of a schema, as /Schemas shows it (RFC 7643 §7).
type attribute struct {
	Name          string       `json:"name"`
	Type          string       `json:"type"`
	SubAttributes []*attribute `json:"subAttributes,omitempty"`
	MultiValued   bool         `json:"multiValued"`
	Description   string       `json:"description"`
	Required      bool         `json:"required"`
	// CanonicalValues are suggestions.
	CanonicalValues []string `json:"canonicalValues,omitempty"`
	CaseExact       bool     `json:"caseExact"`
	Mutability      string   `json:"mutability"`
	Returned        string   `json:"returned"`
	Uniqueness      string   `json:"uniqueness"`
	ReferenceTypes  []string `json:"referenceTypes,omitempty"`

	// kept says that the attribute is kept as clients send it, in a document beside the user, with all that is in it.
	kept bool
	// extension says that this is no attribute, but what resources have of a schema extension, under its URI (RFC 7643 §3.3).
	extension bool
}

// schema is what is kept of a kind of resource.
type schema struct {
	id, name, endpoint, description string
	attributes                      []*attribute
	// extension is the schema that resources may have besides; nil = none.
	extension *attribute
	// ignored are attributes of RFC 7643 that are accepted and not kept, in lower case.
	ignored []string
}

// all returns the attributes that a resource may have.
func (s *schema) all() []*attribute {
	list := append(slices.Clone(s.attributes), common...)
	if s.extension != nil {
		list = append(list, s.extension)
	}
	return list
}

// text returns an attribute that is a text.
func text(name, mutability, description string, more ...func(*attribute)) *attribute {
	a := &attribute{Name: name, Type: typeString, Mutability: mutability, Returned: byDefault, Uniqueness: "none", Description: description}
	for _, change := range more {
		change(a)
	}
	return a
}

// complexOf returns an attribute with sub-attributes.
func complexOf(name, mutability, description string, many bool, subs ...*attribute) *attribute {
	a := text(name, mutability, description)
	a.Type, a.MultiValued, a.SubAttributes = typeComplex, many, subs
	return a
}

// The characteristics that differ from those of most attributes.
func exact(a *attribute)    { a.CaseExact = true }
func required(a *attribute) { a.Required = true }
func unique(a *attribute)   { a.Uniqueness = "server" }
func boolean(a *attribute)  { a.Type = typeBoolean }
func instant(a *attribute)  { a.Type = typeDateTime }
func unseen(a *attribute)   { a.Returned = never }
func shown(a *attribute)    { a.Returned = always }
func kept(a *attribute)     { a.kept = true }
func binary(a *attribute)   { a.Type, a.CaseExact = typeBinary, true }

// such names values that an attribute may have.
func such(values ...string) func(*attribute) {
	return func(a *attribute) { a.CanonicalValues = values }
}

// reference makes an attribute the URI of resources of a type.
func reference(to string) func(*attribute) {
	return func(a *attribute) { a.Type, a.CaseExact, a.ReferenceTypes = typeReference, true, []string{to} }
}

// common are the attributes of all resources (RFC 7643 §3.1), which no schema lists.
var common = []*attribute{
	text("schemas", readOnly, "The schemas of the resource.", exact, shown, func(a *attribute) { a.MultiValued = true }),
	text("id", readOnly, "The id.", exact, unique, shown),
	text("externalId", readWrite, "What the client that asks calls it.", exact),
	complexOf("meta", readOnly, "About the resource.", false,
		text("resourceType", readOnly, "Its type.", exact), text("created", readOnly, "When it was created.", instant),
		text("lastModified", readOnly, "When it was last changed.", instant), text("location", readOnly, "Its URI.", exact),
		text("version", readOnly, "Its entity tag.", exact)),
}

var groupSchema = &schema{
	id: groupURN, name: "Group", endpoint: "/Groups", description: "A group of users.",
	attributes: []*attribute{
		text("displayName", readWrite, "The name of the group, as it is in tokens.", required, unique, exact),
		complexOf("members", readWrite, "The users in the group.", true,
			text("value", immutable, "The id of the user.", exact), text("$ref", immutable, "The URI of the user.", reference("User")),
			text("display", readOnly, "The user's name.", exact), text("type", immutable, "Always User.", such("User"))),
	},
}

// find returns the attribute of a name, whose case does not matter (RFC 7643 §2.1).
func find(list []*attribute, name string) *attribute {
	for _, a := range list {
		if strings.EqualFold(a.Name, name) {
			return a
		}
	}
	return nil
}

// attribute returns the top attribute of a name.
func (s *schema) attribute(name string) *attribute { return find(s.all(), name) }

// path is where a value is: an attribute, or a sub-attribute of one. outer is the extension that top is one of; nil for the schema itself.
type path struct{ outer, top, sub *attribute }

// within returns the object that has the top attribute of the path: the resource, or what it has of an extension.
func (p path) within(o object) object {
	if p.outer == nil {
		return o
	}
	inner, _ := o[p.outer.Name].(object)
	return inner
}

// last returns the attribute that the path leads to.
func (p path) last() *attribute {
	if p.sub != nil {
		return p.sub
	}
	return p.top
}

// What can be wrong with a path.
type (
	unknownPath struct{ text string }
	ignoredPath struct{}
)

func (e unknownPath) Error() string { return "there is no attribute " + quoted(e.text) }
func (ignoredPath) Error() string   { return "the attribute is not kept" }

// resolve returns what a path such as name.givenName means, with or without the URI of the schema before it. The error is unknownPath, or
// ignoredPath for an attribute that is not kept.
func (s *schema) resolve(text string) (path, error) {
	name, list, p := text, s.all(), path{}
	if len(text) > 4 && strings.EqualFold(text[:4], "urn:") {
		switch e := s.extension; {
		case below(s.id, text):
			name = text[len(s.id)+1:]
		case e != nil && strings.EqualFold(text, e.Name):
			return path{top: e}, nil
		case e != nil && below(e.Name, text):
			name, list, p.outer = text[len(e.Name)+1:], e.SubAttributes, e
		default:
			return path{}, unknownPath{text}
		}
	}
	first, second, two := strings.Cut(name, ".")
	if p.outer == nil && slices.ContainsFunc(s.ignored, func(ignored string) bool { return strings.EqualFold(ignored, name) }) {
		return path{}, ignoredPath{}
	}
	if p.top = find(list, first); p.top == nil {
		return path{}, unknownPath{text}
	}
	if two {
		if p.sub = find(p.top.SubAttributes, second); p.sub == nil {
			return path{}, unknownPath{text}
		}
	}
	return p, nil
}

// below reports whether a path begins with the URI of a schema.
func below(urn, text string) bool {
	return len(text) > len(urn) && strings.EqualFold(text[:len(urn)], urn) && text[len(urn)] == ':'
}

// quoted returns a text of a request for a message: short, and without what a reader could be misled by.
func quoted(text string) string {
	if len(text) > 60 {
		text = strings.ToValidUTF8(text[:60], "") + "…"
	}
	return `"` + strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == 0x7f {
			return '?'
		}
		return r
	}, text) + `"`
}
