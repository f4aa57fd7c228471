package claims

import (
	"encoding/json"
	"errors"
)

// Request is the claims parameter (OpenID Connect Core §5.5). Unknown claims are ignored, as the section wants.
type Request struct {
	UserInfo map[string]*RequestedClaim `json:"userinfo,omitempty"`
	IDToken  map[string]*RequestedClaim `json:"id_token,omitempty"`
}

// RequestedClaim is nil for a claim that is voluntary, whatever its value.
type RequestedClaim struct {
	Essential bool              `json:"essential,omitempty"`
	Value     json.RawMessage   `json:"value,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"`
}

var errMalformed = errors.New("not an object of claims")

// Parse reads a claims parameter.
func Parse(text string) (*Request, error) {
	r := new(Request)
	if json.Unmarshal([]byte(text), r) != nil {
		return nil, errMalformed
	}
	return r, nil
}

// Subject returns the value of sub that the ID token must have (§5.5.1); empty when any will do.
func (r *Request) Subject() string {
	var sub string
	if asked := r.IDToken["sub"]; asked != nil && json.Unmarshal(asked.Value, &sub) == nil {
		return sub
	}
	return ""
}

// ACR returns the values of acr that are asked for, and whether one of them is essential (§5.5.1.1).
func (r *Request) ACR() (values []string, essential bool) {
	asked := r.IDToken["acr"]
	if asked == nil {
		return nil, false
	}
	all := asked.Values
	if len(asked.Value) > 0 {
		all = append(all[:len(all):len(all)], asked.Value)
	}
	for _, raw := range all {
		var acr string
		if json.Unmarshal(raw, &acr) == nil {
			values = append(values, acr)
		}
	}
	return values, asked.Essential && len(all) > 0
}

// ReportedACR returns the acr of a login with these methods; where the claims parameter, as it was stored, asked for values, the one that was met.
func ReportedACR(amr []string, stored string) string {
	asked, _ := ParseStored(stored).ACR()
	return ACR(amr, asked...)
}

// WithACR returns the result of Stored with the value of acr that ID tokens report.
func WithACR(stored, acr string) string {
	r := ParseStored(stored)
	if r.IDToken == nil {
		r.IDToken = make(map[string]*RequestedClaim)
	}
	value, _ := json.Marshal(acr) // text can't fail
	r.IDToken["acr"] = &RequestedClaim{Value: value}
	return r.encode()
}

func (r *Request) encode() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // names, and JSON that was parsed or made here
	}
	return string(text)
}

// ParseStored reads the result of Stored. Text of a later release that this one can't read asks for nothing.
func ParseStored(text string) *Request {
	r := new(Request)
	if text != "" {
		_ = json.Unmarshal([]byte(text), r)
	}
	return r
}
