package jwt

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"time"
)

// Object is a JSON object of a JWT that another party wrote, read member by member.
type Object map[string]json.RawMessage

// DecodeObject returns the object of one part of a JWT; nil when the part is no base64url of a JSON object, or the object has a
// member twice (RFC 7515 §4, RFC 7519 §4: two readers might use different ones).
func DecodeObject(part string) Object {
	text, err := strict.DecodeString(part)
	if err != nil {
		return nil
	}
	return ParseObject(text)
}

// ParseObject is DecodeObject for JSON that is not encoded.
func ParseObject(text []byte) Object {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	object := Object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil
		}
		key, _ := name.(string)
		var value json.RawMessage
		if _, repeated := object[key]; repeated || d.Decode(&value) != nil {
			return nil
		}
		object[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil
	}
	if _, err := d.Token(); err != io.EOF {
		return nil
	}
	return object
}

// Strings reads the members that are present; it returns false when one of them is no string.
func (o Object) Strings(members map[string]*string) bool {
	for name, text := range members {
		raw, ok := o[name]
		// null would leave the text as it is.
		if ok && (len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, text) != nil) {
			return false
		}
	}
	return true
}

// Texts returns a member that is a text or a list of texts, as aud is (RFC 7519 §4.1.3); nil if it is neither.
func (o Object) Texts(name string) (list []string) {
	var one string
	if json.Unmarshal(o[name], &one) == nil && one != "" {
		return []string{one}
	}
	if json.Unmarshal(o[name], &list) != nil {
		return nil
	}
	return list
}

// Dates reads the NumericDates (RFC 7519 §2; they may have a fraction) that are present, and returns the name of one that is
// malformed, else the empty string.
func (o Object) Dates(members map[string]*time.Time) (malformed string) {
	for name, at := range members {
		raw, ok := o[name]
		if !ok {
			continue
		}
		seconds, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || seconds < 0 || seconds > 1<<40 {
			return name
		}
		*at = time.UnixMicro(int64(seconds * 1e6)).UTC()
	}
	return ""
}
