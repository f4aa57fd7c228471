package drf

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"

	"latchkey/server/internal/pyjson"
)

// maxFields is Django's DATA_UPLOAD_MAX_NUMBER_FIELDS.
const maxFields = 1000

var errTooManyFields = errors.New("the number of parameters exceeds 1000")

// parseForm is Django's QueryDict of an urlencoded form: the last value of each name. It differs from url.ParseQuery in
// what it does with what is malformed, and in the charsets.
func parseForm(body []byte, c codec) (*pyjson.Dict, error) {
	if 1+bytes.Count(body, []byte("&")) > maxFields {
		return nil, BadRequest(errTooManyFields)
	}
	text, ok := c.strict(body)
	if !ok { // "some user agents are misbehaving", says Django
		text = latin1(string(body))
	}
	form := &pyjson.Dict{}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		form.Set(unquote(name, c), unquote(value, c))
	}
	return form, nil
}

// unquote is urllib.parse.unquote_plus. A percent sign that begins no escape stays. What is escaped is decoded one run of ASCII
// after the other.
func unquote(s string, c codec) string {
	s = strings.ReplaceAll(s, "+", " ")
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && s[i] < 0x80 {
			i++
		}
		b.WriteString(c.replace(unescape([]byte(s[start:i]))))
		start = i
		for i < len(s) && s[i] >= 0x80 {
			i++
		}
		b.WriteString(s[start:i])
	}
	return b.String()
}

// unescape replaces the percent escapes of b in place.
func unescape(b []byte) []byte {
	n := 0
	for i := 0; i < len(b); i++ {
		var c [1]byte
		if b[n] = b[i]; b[i] == '%' && i+2 < len(b) {
			if _, err := hex.Decode(c[:], b[i+1:i+3]); err == nil {
				b[n] = c[0]
				i += 2
			}
		}
		n++
	}
	return b[:n]
}
