package drf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"latchkey/server/internal/pyjson"
)

// render returns v as the framework's JSONRenderer writes it: without spaces, or indented.
func render(v pyjson.Value, indent int) []byte {
	text := pyjson.AppendFunc(make([]byte, 0, 1024), v, appendText)
	if indent == 0 {
		return text
	}
	var b bytes.Buffer
	json.Indent(&b, text, "", strings.Repeat(" ", indent)) //nolint:errcheck // JSON of our own
	return b.Bytes()
}

// appendText writes a string as encoding/json does without its escapes for HTML: what is no ASCII as it is, except for U+2028 and
// U+2029, which JavaScript takes for line ends. The framework's JSONRenderer does the same.
func appendText(dst []byte, s string) []byte {
	b := bytes.NewBuffer(dst)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	e.Encode(s) //nolint:errcheck // every string can be encoded
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// badRequestPage is what Django's bad_request handler sends when there is no template for it.
const badRequestPage = `
<!doctype html>
<html lang="en">
<head>
  <title>Bad Request (400)</title>
</head>
<body>
  <h1>Bad Request (400)</h1><p></p>
</body>
</html>
`

// NotFoundPage is what Django answers at an address without a view.
const NotFoundPage = `
<!doctype html>
<html lang="en">
<head>
  <title>Not Found</title>
</head>
<body>
  <h1>Not Found</h1><p>The requested resource was not found on this server.</p>
</body>
</html>
`

// WritePage sends a page of Django's own.
func WritePage(w http.ResponseWriter, status int, page string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	fmt.Fprint(w, page)
}

// write sends a body as JSON, with the headers of every answer of the framework.
func write(w http.ResponseWriter, status int, body *pyjson.Dict, indent int) {
	b := render(body, indent)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Allow", "POST, OPTIONS")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b)
}
