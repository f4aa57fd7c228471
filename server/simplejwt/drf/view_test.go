package drf

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/server/internal/pyjson"
)

// echo is a view that answers with what it read.
func echo() *View {
	return &View{
		Name: "Echo", Description: "Echoes.",
		Fields: []Field{{Name: "username", Label: "Username"}, {Name: "password", Label: "Password"}},
		Post: func(_ *http.Request, values Values) (*pyjson.Dict, error) {
			return dict("username", values[0], "password", values[1]), nil
		},
	}
}

func serve(v *View, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	if err := v.Handle(w, r); err != nil {
		var e *Exception
		if !errors.As(err, &e) {
			e = ServerError(err)
		}
		WriteException(w, err, e, "api")
	}
	return w
}

func post(contentType, body string, headers ...string) *http.Request {
	r := httptest.NewRequest("POST", "/api/echo/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// ask posts JSON and gives status and body.
func ask(v *View, body string) string {
	w := serve(v, post("application/json", body))
	return fmt.Sprint(w.Code, " ", w.Body)
}

func TestFieldsAreTakenAsTextByPythonsRules(t *testing.T) {
	t.Parallel()
	v := echo()
	for value, want := range map[string]string{
		`"alice"`:                           `200 {"username":"alice","password":"x"}`,
		`" \u001c\u3000alice\t\n"`:          `200 {"username":"alice","password":"x"}`,
		`"\u200balice"`:                     "200 {\"username\":\"\u200balice\",\"password\":\"x\"}",
		`"é\u2028/<"`:                       `200 {"username":"é\u2028/<","password":"x"}`,
		`12345678901234567890123`:           `200 {"username":"12345678901234567890123","password":"x"}`,
		`-0`:                                `200 {"username":"0","password":"x"}`,
		`1e16`:                              `200 {"username":"1e+16","password":"x"}`,
		`1E15`:                              `200 {"username":"1000000000000000.0","password":"x"}`,
		`0.00001`:                           `200 {"username":"1e-05","password":"x"}`,
		`1e999`:                             `200 {"username":"inf","password":"x"}`,
		`null`:                              `400 {"username":["This field may not be null."]}`,
		`""`:                                `400 {"username":["This field may not be blank."]}`,
		`"\u2003\u0085"`:                    `400 {"username":["This field may not be blank."]}`,
		`true`:                              `400 {"username":["Not a valid string."]}`,
		`[]`:                                `400 {"username":["Not a valid string."]}`,
		`{"a":1}`:                           `400 {"username":["Not a valid string."]}`,
		`"a\u0000"`:                         `400 {"username":["Null characters are not allowed."]}`,
		`"\udfff\ud800"`:                    `400 {"username":["Surrogate characters are not allowed: U+DFFF."]}`,
		`"\u0000\ud800"`:                    `400 {"username":["Null characters are not allowed.","Surrogate characters are not allowed: U+D800."]}`,
		`"first","username":"\ud83d\ude00"`: `200 {"username":"😀","password":"x"}`,
	} {
		if got := ask(v, `{"username":`+value+`,"password":"x"}`); got != want {
			t.Errorf("%s: %s\nwant %s", value, got, want)
		}
	}
}

func TestAllFieldsAreJudgedAtOnce(t *testing.T) {
	t.Parallel()
	v := echo()
	for body, want := range map[string]string{
		`{}`:                                 `400 {"username":["This field is required."],"password":["This field is required."]}`,
		`{"password":1,"x":2}`:               `400 {"username":["This field is required."]}`,
		`{"password":null,"username":false}`: `400 {"username":["Not a valid string."],"password":["This field may not be null."]}`,
		`null`:                               `400 {"non_field_errors":["No data provided"]}`,
		`1.5`:                                `400 {"non_field_errors":["Invalid data. Expected a dictionary, but got float."]}`,
		`1`:                                  `400 {"non_field_errors":["Invalid data. Expected a dictionary, but got int."]}`,
		`"x"`:                                `400 {"non_field_errors":["Invalid data. Expected a dictionary, but got str."]}`,
		`[{}]`:                               `400 {"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}`,
		`true`:                               `400 {"non_field_errors":["Invalid data. Expected a dictionary, but got bool."]}`,
	} {
		if got := ask(v, body); got != want {
			t.Errorf("%s: %s\nwant %s", body, got, want)
		}
	}
}

func TestJSONThatIsNestedTooDeeplyIsRefused(t *testing.T) {
	t.Parallel()
	v := echo()
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	want := `400 {"detail":"JSON parse error - maximum recursion depth exceeded while decoding a JSON array from a unicode string"}`
	if got := ask(v, `{"username":`+deep+`}`); got != want {
		t.Error(got)
	}
	if got := ask(v, `{"username":`+strings.Repeat("[", 900)+strings.Repeat("]", 900)+`,"password":"x"}`); got != `400 {"username":["Not a valid string."]}` {
		t.Error(got)
	}
}

func TestNegotiationGoesBeforeMethodBeforeParsing(t *testing.T) {
	t.Parallel()
	v := echo()
	for _, test := range []struct{ method, target, accept, contentType, want string }{
		{"GET", "/?format=xml", "text/html", "text/plain", `404 {"detail":"Not found."}`},
		{"GET", "/?format=json", "text/html", "text/plain", `406 {"detail":"Could not satisfy the request Accept header."}`},
		{"OPTIONS", "/", "text/html", "text/plain", `406 {"detail":"Could not satisfy the request Accept header."}`},
		{"GET", "/", "*/*", "text/plain", `405 {"detail":"Method \"GET\" not allowed."}`},
		{"brew", "/", "*/*", "text/plain", `405 {"detail":"Method \"BREW\" not allowed."}`},
		{"POST", "/", "*/*", "text/plain", `415 {"detail":"Unsupported media type \"text/plain\" in request."}`},
		{"POST", "/", "*/*", "application/json", `400 {"detail":"JSON parse error - Expecting value: line 1 column 1 (char 0)"}`},
		{"post", "/", "*/*", "application/json", `400 {"detail":"JSON parse error - Expecting value: line 1 column 1 (char 0)"}`},
	} {
		r := httptest.NewRequest(test.method, test.target, strings.NewReader("x"))
		r.Header.Set("Accept", test.accept)
		r.Header.Set("Content-Type", test.contentType)
		w := serve(v, r)
		if got := fmt.Sprint(w.Code, " ", w.Body); got != test.want {
			t.Errorf("%v: %s", test, got)
		}
		if got := w.Header().Get("Allow"); got != "POST, OPTIONS" {
			t.Errorf("%v: Allow %q", test, got)
		}
	}
}

func TestAcceptChoosesTheIndentation(t *testing.T) {
	t.Parallel()
	v := echo()
	flat := `{"username":["This field is required."],"password":["This field is required."]}`
	indented := func(n int) string {
		s := strings.Repeat(" ", n)
		return "{\n" + s + "\"username\": [\n" + s + s + "\"This field is required.\"\n" + s + "],\n" +
			s + "\"password\": [\n" + s + s + "\"This field is required.\"\n" + s + "]\n}"
	}
	for accept, want := range map[string]string{
		"application/json":                              flat,
		"application/json; q=0":                         flat,
		"APPLICATION/JSON; INDENT=2":                    indented(2),
		"*/*; indent=3":                                 indented(3),
		"text/html, application/json;indent=1, */*":     indented(1),
		"*/*;indent=1, application/json":                flat,
		"*/*;indent=1, application/json;indent=4":       indented(4),
		"application/json; indent=99":                   indented(8),
		"application/json; indent=0":                    flat,
		"application/json; indent=-3":                   flat,
		"application/json; indent=four":                 flat,
		`application/json; indent="2"; x="a;b"`:         indented(2),
		"application/json; indent=99999999999999999999": indented(8),
	} {
		w := serve(v, post("application/json", "{}", "Accept", accept))
		if got := w.Body.String(); got != want {
			t.Errorf("%s: %s\nwant %s", accept, got, want)
		}
	}
	for _, accept := range []string{"", "*", "application", "text/*", "application/xml", "application/jsonp", ";", "a/b/json"} {
		if w := serve(v, post("application/json", "{}", "Accept", accept)); w.Code != http.StatusNotAcceptable {
			t.Errorf("%q: %d", accept, w.Code)
		}
	}
}

func TestBodiesWithoutContentAreEmptyObjects(t *testing.T) {
	t.Parallel()
	v := echo()
	const required = `{"username":["This field is required."],"password":["This field is required."]}`
	for _, contentType := range []string{"application/json", "text/plain", "", "multipart/form-data"} {
		if w := serve(v, post(contentType, "")); w.Code != 400 || w.Body.String() != required {
			t.Errorf("%q: %d %s", contentType, w.Code, w.Body)
		}
		chunked := post(contentType, "")
		chunked.Body, chunked.ContentLength = io.NopCloser(strings.NewReader("")), -1
		if w := serve(v, chunked); w.Code != 400 || w.Body.String() != required {
			t.Errorf("%q, chunked: %d %s", contentType, w.Code, w.Body)
		}
	}
}

func TestBodiesOfUnknownLengthAreRead(t *testing.T) {
	t.Parallel()
	r := post("application/json", "")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(`{"username":"a","password":"`+strings.Repeat("b", 70<<10)+`"}`)), -1
	if w := serve(echo(), r); w.Code != 200 || w.Body.Len() < 70<<10 {
		t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
	}
}

func TestFormsAreReadAsDjangoReadsThem(t *testing.T) {
	t.Parallel()
	v := echo()
	for body, want := range map[string]string{
		"username=a&username=b&password=c":                  `200 {"username":"b","password":"c"}`,
		"&&username=a+b&password=%63%2B&":                   `200 {"username":"a b","password":"c+"}`,
		"username=%zz&password=%":                           `200 {"username":"%zz","password":"%"}`,
		"username=%e2%82&password=%ff%c3%a9":                "200 {\"username\":\"\ufffd\",\"password\":\"\ufffdé\"}",
		"username=a;password=b":                             `400 {"password":["This field is required."]}`,
		"username==a&password=b=c":                          `200 {"username":"=a","password":"b=c"}`,
		"username&password=+":                               `400 {"username":["This field may not be blank."],"password":["This field may not be blank."]}`,
		"username=a%00&password=b":                          `400 {"username":["Null characters are not allowed."]}`,
		strings.Repeat("x&", 998) + "username=a&password=b": `200 {"username":"a","password":"b"}`,
		strings.Repeat("x&", 999) + "username=a&password=b": "400 " + badRequestPage,
		"username=%u0061&password=\xe9":                     `200 {"username":"%u0061","password":"é"}`,
	} {
		w := serve(v, post("application/x-www-form-urlencoded", body))
		if got := fmt.Sprint(w.Code, " ", w.Body); got != want {
			t.Errorf("%.100s: %s\nwant %s", body, got, want)
		}
	}
}

func TestMultipartFormsAreReadAsDjangoReadsThem(t *testing.T) {
	t.Parallel()
	v := echo()
	field := func(header, value string) string { return "--B\r\n" + header + "\r\n\r\n" + value + "\r\n" }
	const username, password = `Content-Disposition: form-data; name="username"`, `content-disposition:form-data;name=password`
	good := field(username, "a") + field(password, "b")
	for name, test := range map[string]struct{ contentType, body, want string }{
		"plain":             {"", good + "--B--\r\n", `200 {"username":"a","password":"b"}`},
		"last wins":         {"", field(username, "x") + good + "--B--", `200 {"username":"a","password":"b"}`},
		"not ended":         {"", good, `200 {"username":"a","password":"b"}`},
		"around":            {"", "before\r\n" + good + "--B--\r\nafter", `200 {"username":"a","password":"b"}`},
		"file":              {"", good + field(username+`; filename="x"`, "") + "--B--", `400 {"username":["Not a valid string."]}`},
		"file without name": {"", good + field(username+`; filename=""`, "c") + "--B--", `200 {"username":"c","password":"b"}`},
		"file of dots":      {"", good + field(username+`; filename="a/.."`, "c") + "--B--", `200 {"username":"a","password":"b"}`},
		"base64":            {"", good + field(username+"\r\nContent-Transfer-Encoding: base64", "YW xp\r\nY2U=") + "--B--", `200 {"username":"alice","password":"b"}`},
		"broken base64":     {"", good + field(username+"\r\nContent-Transfer-Encoding: base64", "YWx") + "--B--", `200 {"username":"YWx","password":"b"}`},
		"no boundary":       {"multipart/form-data", good, `400 {"detail":"Multipart form parse error - Invalid boundary in multipart: None"}`},
		"empty boundary":    {"multipart/form-data; boundary=", good, `400 {"detail":"Multipart form parse error - Invalid boundary in multipart: "}`},
		"upper case":        {"Multipart/Form-Data; boundary=B", good, `400 {"detail":"Multipart form parse error - Invalid Content-Type: Multipart/Form-Data; boundary=B"}`},
		"other boundary":    {"multipart/form-data; boundary=ZZ", good[len("--B\r\n"):], `400 {"password":["This field is required."]}`},
		"long header":       {"", "--B\r\n" + username + "; x=" + strings.Repeat("y", 1024) + "\r\n\r\na\r\n", `400 {"detail":"Multipart form parse error - Request max total header size exceeded."}`},
		"too many":          {"", strings.Repeat(field(username, "a"), 1002) + "--B--", "400 " + badRequestPage},
		"too many files":    {"", strings.Repeat(field(username+`; filename="x"`, "a"), 101) + "--B--", "400 " + badRequestPage},
		"big file":          {"", good + field(`Content-Disposition: form-data; name="photo"; filename="x"`, strings.Repeat("a", 60<<10)) + "--B--", `200 {"username":"a","password":"b"}`},
	} {
		contentType := test.contentType
		if contentType == "" {
			contentType = "multipart/form-data; boundary=B"
		}
		w := serve(v, post(contentType, test.body))
		if got := fmt.Sprint(w.Code, " ", w.Body); got != test.want {
			t.Errorf("%s: %.300s\nwant %s", name, got, test.want)
		}
	}
}

func TestCharsetsArePythons(t *testing.T) {
	t.Parallel()
	v := echo()
	body := func(name string) string { return `{"username":"` + name + `","password":"x"}` }
	for _, test := range []struct{ charset, body, want string }{
		{"latin-1", body("\xe9"), `200 {"username":"é","password":"x"}`},
		{"klingon", body("é"), `200 {"username":"é","password":"x"}`},
		{`"UTF8"`, body("é"), `200 {"username":"é","password":"x"}`},
		{"cp1252", body("é"), `200 {"username":"é","password":"x"}`},
		{"windows-1252", body("\x80"), `400 {"detail":"JSON parse error - 'utf-8' codec can't decode byte 0x80 in position 13: invalid start byte"}`},
		{"utf-32", body("a"), `200 {"username":"a","password":"x"}`},
		{"utf-8", body("\xf0\x9f\x98x"), `400 {"detail":"JSON parse error - 'utf-8' codec can't decode bytes in position 13-15: invalid continuation byte"}`},
		{"utf-8", "\xef\xbb\xbf{}", `400 {"detail":"JSON parse error - Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"}`},
	} {
		w := serve(v, post("application/json; charset="+test.charset, test.body))
		if got := fmt.Sprint(w.Code, " ", w.Body); got != test.want {
			t.Errorf("%s: %s\nwant %s", test.charset, got, test.want)
		}
	}
}

func TestExceptionsHaveTheirHeaders(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		e            *Exception
		status       int
		retry, realm string
		body         string
	}{
		{AuthenticationFailed("No.", "", nil), 401, "", `Bearer realm="api"`, `{"detail":"No."}`},
		{AuthenticationFailed("No.", "c", nil), 401, "", `Bearer realm="api"`, `{"detail":"No.","code":"c"}`},
		{Throttled(time.Second, nil), 429, "1", "", `{"detail":"Request was throttled. Expected available in 1 second."}`},
		{Throttled(61*time.Second+1, nil), 429, "62", "", `{"detail":"Request was throttled. Expected available in 62 seconds."}`},
		{Unavailable(1500*time.Millisecond, nil), 503, "2", "", `{"detail":"Service temporarily unavailable, try again later."}`},
		{ServerError(io.ErrUnexpectedEOF), 500, "", "", `{"detail":"A server error occurred."}`},
		{PermissionDenied(nil), 403, "", "", `{"detail":"You do not have permission to perform this action."}`},
	} {
		w := httptest.NewRecorder()
		WriteException(w, test.e, test.e, "api")
		if w.Code != test.status || w.Header().Get("Retry-After") != test.retry ||
			w.Header().Get("WWW-Authenticate") != test.realm || w.Body.String() != test.body {
			t.Errorf("%v: %d %v %s", test.e, w.Code, w.Header(), w.Body)
		}
	}
}

func FuzzView(f *testing.F) {
	v := echo()
	f.Add("application/json", "*/*", "", `{"username":"a","password":1.5}`)
	f.Add("application/x-www-form-urlencoded; charset=utf-16", "application/json; indent=2", "format=json", "username=%ff&password=+")
	f.Add("multipart/form-data; boundary=B", "", "x", "--B\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na\r\n--B--")
	f.Fuzz(func(t *testing.T, contentType, accept, query, body string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header["Content-Type"], r.Header["Accept"] = []string{contentType}, []string{accept}
		r.URL.RawQuery = query
		if w := serve(v, r); w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}

func BenchmarkView(b *testing.B) {
	v := echo()
	body := `{"username":"` + strings.Repeat("eyJ", 80) + `","password":"x"}`
	b.ReportAllocs()
	for b.Loop() {
		if w := serve(v, post("application/json", body)); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
