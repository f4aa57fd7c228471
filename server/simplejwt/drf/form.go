package drf

import (
	"bytes"
	"errors"
	"strings"

	"latchkey/server/internal/pyjson"
)

// maxFields is Django's DATA_UPLOAD_MAX_NUMBER_FIELDS.
const maxFields = 1000

var errTooManyFields = errors.New("the number of parameters exceeds 1000")

// parseForm is Django's QueryDict of an urlencoded form, of which the last value of each name counts.
func parseForm(body []byte, c codec) (*pyjson.Dict, error) {
	if 1+bytes.Count(body, []byte("&")) > maxFields {
		return nil, BadRequest(errTooManyFields)
	}
	text, ok := decodeStrict(c, body)
	if !ok { // some user agents are misbehaving, says Django
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

// unquote is urllib.parse.unquote_plus: a percent sign that begins no escape stays, and what is escaped is decoded
// run of ASCII by run of ASCII.
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
		b.WriteString(decodeReplace(c, unescape(s[start:i])))
		start = i
		for i < len(s) && s[i] >= 0x80 {
			i++
		}
		b.WriteString(s[start:i])
	}
	return b.String()
}

func unescape(s string) []byte {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			high, ok1 := hexDigit(s[i+1])
			low, ok2 := hexDigit(s[i+2])
			if ok1 && ok2 {
				b = append(b, high<<4|low)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return b
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
