package drf

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"latchkey/server/internal/pyjson"
)

// hostileHeaders are pieces of headers that made a parser quadratic, or that could.
var hostileHeaders = []string{
	`\";`, `";`, `;`, `"`, `a=b;`, `a="b";`, `a*=''b;`, "'", `\`, ",", "*/*,", `a/b;c="`, " ", "\x1c", "\xe9", "indent=", "=", "٣", "1_",
}

// splitHeader is how Django defines the parts of a header: it counts the quotes before each semicolon anew.
func splitHeader(header string) (parts []string) {
	rest := ";" + header
	for strings.HasPrefix(rest, ";") {
		rest = rest[1:]
		end := strings.Index(rest, ";")
		for end > 0 && (strings.Count(rest[:end], `"`)-strings.Count(rest[:end], `\"`))%2 != 0 {
			next := strings.Index(rest[end+1:], ";")
			if next < 0 {
				end = -1
				break
			}
			end += 1 + next
		}
		if end < 0 {
			end = len(rest)
		}
		parts = append(parts, rest[:end])
		rest = rest[end:]
	}
	return parts
}

func FuzzHeader(f *testing.F) {
	for _, unit := range hostileHeaders {
		f.Add(strings.Repeat(unit, 3))
		f.Add(`a/b; x="` + strings.Repeat(unit, 3))
	}
	f.Fuzz(func(t *testing.T, header string) {
		if len(header) > 1000 { // splitHeader is quadratic
			return
		}
		var want mediaType
		for i, part := range splitHeader(header) {
			if i == 0 {
				want.main, want.sub, _ = strings.Cut(strings.ToLower(pyjson.Strip(part)), "/")
			} else {
				want.addParam(pyjson.Strip(part))
			}
		}
		if got := parseMediaType(header); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", header, got, want)
		}
	})
}

func FuzzAccept(f *testing.F) {
	f.Add("application/json; indent=4, */*;q=0.8")
	f.Add(`*/*; x="a,b"; indent=٣`)
	f.Fuzz(func(t *testing.T, accept string) {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header["Accept"] = []string{accept}
		indent, err := negotiate(r, content{codec: utf8Codec})
		var e *Exception
		switch {
		case err == nil && (indent < 0 || indent > 8):
			t.Errorf("%q: indentation %d", accept, indent)
		case err != nil && (!errors.As(err, &e) || e.Status != http.StatusNotAcceptable && len(accept) <= maxHeader):
			t.Errorf("%q: %v", accept, err)
		}
	})
}

func FuzzMultipart(f *testing.F) {
	f.Add("--B\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na\r\n--B--")
	f.Add("--B\r\ncontent-disposition: x; name=a; filename=\"b\"\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--B--\r\n")
	f.Fuzz(func(t *testing.T, body string) {
		fields, err := parseMultipart([]byte(body), multipartB)
		if err != nil {
			if e := (*Exception)(nil); !errors.As(err, &e) || e.Status != http.StatusBadRequest {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if n := len(fields.Members()); n > strings.Count(body, "--B")+1 {
			t.Errorf("%q: %d fields", body, n)
		}
	})
}

// FuzzJSON: what the parser doesn't keep changes neither the verdict nor the fields.
func FuzzJSON(f *testing.F) {
	v := echo()
	f.Add(`{"username":"a","x":[{"username":1}],"password":1.5}`)
	f.Add(`[{"username":NaN},`)
	f.Fuzz(func(t *testing.T, text string) {
		data, err := parseJSON([]byte(text), latin1Codec, v.isField)
		all, wanted := pyjson.Decode(latin1(text), pyjson.Options{Strict: true})
		if (err == nil) != (wanted == nil) {
			t.Fatalf("%q: %v, want %v", text, err, wanted)
		}
		if err != nil {
			if want := `400: {"detail":` + string(render("JSON parse error - "+wanted.Error(), 0)) + `}`; err.Error() != want {
				t.Errorf("%q: %v, want %s", text, err, want)
			}
			return
		}
		got, gotErr := validate(v.Fields, data)
		want, wantErr := validate(v.Fields, all)
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotErr, wantErr) {
			t.Errorf("%q: %v, %v, want %v, %v", text, got, gotErr, want, wantErr)
		}
	})
}
