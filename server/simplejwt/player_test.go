package simplejwt_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/server/servertest"
	"latchkey/storage"
)

type step struct {
	Method     string            `json:"method"`
	Path       string            `json:"path"`
	Headers    [][2]string       `json:"headers"`
	Body       *string           `json:"body"`
	BodyB64    *string           `json:"body_b64"`
	BodyRepeat *bodyRepeat       `json:"body_repeat"`
	Chunked    bool              `json:"chunked"`
	HTTP10     bool              `json:"http10"`
	Capture    map[string]string `json:"capture"`
	Checks     [][3]string       `json:"checks"`
	verdict
	Alternates map[string]verdict `json:"alternates"`

	Mint    *mintStep      `json:"mint"`
	Edit    *editStep      `json:"edit"`
	Sleep   float64        `json:"sleep"`
	Control map[string]any `json:"control"`
	Expect  map[string]any `json:"expect"`
}

type verdict struct {
	Response  *response            `json:"response"`
	ByProfile map[string]*response `json:"by_profile"`
}

type bodyRepeat struct {
	Prefix string `json:"prefix"`
	Unit   string `json:"unit"`
	Count  int    `json:"count"`
	Suffix string `json:"suffix"`
}

type mintStep struct {
	Var        string          `json:"var"`
	Claims     json.RawMessage `json:"claims"`
	Algorithm  string          `json:"alg"`
	Header     json.RawMessage `json:"header"`
	RawHeader  *string         `json:"raw_header"`
	RawPayload *string         `json:"raw_payload"`
	Key        struct {
		Literal *string `json:"literal"`
	} `json:"key"`
}

type editStep struct {
	Var    string          `json:"var"`
	From   string          `json:"from"`
	Op     string          `json:"op"`
	Text   string          `json:"text"`
	Claims json.RawMessage `json:"claims"`
	Header json.RawMessage `json:"header"`
}

// player plays one scenario.
type player struct {
	t       *testing.T
	s       *servertest.Server
	rec     *recording
	stack   string
	profile string
	vars    map[string]string
}

// run gives a line for each difference.
func (p *player) run(sc *scenario) (faults []string) {
	for i, st := range sc.Steps {
		more, err := p.step(&st)
		for _, fault := range more {
			faults = append(faults, fmt.Sprintf("step %d %s %s: %s", i+1, st.Method, st.Path, fault))
		}
		if err != nil {
			return append(faults, fmt.Sprintf("step %d: %v", i+1, err))
		}
	}
	return faults
}

func (p *player) step(st *step) ([]string, error) {
	switch {
	case st.Mint != nil:
		return nil, p.mint(st.Mint)
	case st.Edit != nil:
		return nil, p.edit(st.Edit)
	case st.Sleep > 0:
		p.s.Clock.Advance(time.Duration(st.Sleep * float64(time.Second)))
		return nil, nil
	case st.Control != nil:
		return p.control(st.Control, st.Expect)
	case strings.HasPrefix(st.Path, "/api/whoami"):
		return nil, nil // an API behind the server, not the server
	}
	reply, err := p.request(st)
	if err != nil {
		return nil, err
	}
	p.capture(st, reply)
	want := st.verdict
	if other, ok := st.Alternates[p.stack]; ok {
		want = other
	}
	response := want.Response
	if by, ok := want.ByProfile[p.profile]; ok {
		response = by
	}
	faults := compare(response, reply, p.rec.Fixtures.Key)
	if response.Status < 500 {
		faults = append(faults, p.check(st)...)
	}
	return faults, nil
}

// reply is what the server answered.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// request sends exactly the headers of the recording.
func (p *player) request(st *step) (*reply, error) {
	address := strings.TrimPrefix(p.s.URL, "http://")
	body, err := p.body(st)
	if err != nil {
		return nil, err
	}
	path, err := p.fill(st.Path)
	if err != nil {
		return nil, err
	}
	version := "HTTP/1.1"
	if st.HTTP10 {
		version = "HTTP/1.0"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s\r\nHost: %s\r\n", st.Method, path, version, address)
	for _, h := range st.Headers {
		value, err := p.fill(h[1])
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], value)
	}
	switch {
	case st.Chunked:
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	case body != nil:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	default:
		b.WriteString("\r\n")
	}
	return exchange(address, st.Method, b.Bytes())
}

func exchange(address, method string, request []byte) (*reply, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	go conn.Write(request) // the server may answer before it has read everything
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return &reply{resp.StatusCode, resp.Header, text}, err
}

func (p *player) body(st *step) ([]byte, error) {
	switch {
	case st.BodyB64 != nil:
		return base64.StdEncoding.DecodeString(*st.BodyB64)
	case st.BodyRepeat != nil:
		r := st.BodyRepeat
		return []byte(r.Prefix + strings.Repeat(r.Unit, r.Count) + r.Suffix), nil
	case st.Body != nil:
		text, err := p.fill(*st.Body)
		return append([]byte{}, text...), err
	}
	return nil, nil
}

var placeholder = regexp.MustCompile(`\{\{([A-Za-z_][A-Za-z0-9_.]*)\}\}`)

// fill replaces {{var}} and {{var.claim}}.
func (p *player) fill(text string) (string, error) {
	var missing error
	filled := placeholder.ReplaceAllStringFunc(text, func(m string) string {
		value, err := p.lookup(m[2 : len(m)-2])
		if err != nil {
			missing = err
		}
		return value
	})
	return filled, missing
}

func (p *player) lookup(name string) (string, error) {
	if v, ok := p.vars[name]; ok {
		return v, nil
	}
	if variable, claim, ok := strings.Cut(name, "."); ok {
		if token, ok := parseJWT(p.vars[variable]); ok {
			if m := token.claims.member(claim); m != nil {
				return strings.Trim(string(m.raw), `"`), nil
			}
		}
	}
	return "", fmt.Errorf("no value for %s (an earlier step failed)", name)
}

func (p *player) capture(st *step, r *reply) {
	var fields map[string]any
	json.Unmarshal(r.body, &fields)
	for field, variable := range st.Capture {
		if v, ok := fields[field].(string); ok {
			p.vars[variable] = v
		}
	}
}

func (p *player) check(st *step) (faults []string) {
	for _, c := range st.Checks {
		left, err1 := p.fill(c[0])
		right, err2 := p.fill(c[2])
		if err1 != nil || err2 != nil {
			faults = append(faults, fmt.Sprintf("check %v: %v %v", c, err1, err2))
			continue
		}
		a, _ := strconv.ParseInt(left, 10, 64)
		b, _ := strconv.ParseInt(right, 10, 64)
		var ok bool
		switch c[1] {
		case "eq":
			ok = left == right
		case "ne":
			ok = left != right
		case "ge":
			ok = a >= b
		case "now_plus":
			ok = a == p.s.Clock.Now().Unix()+b
		}
		if !ok {
			faults = append(faults, fmt.Sprintf("check %v: %s and %s", c, left, right))
		}
	}
	return faults
}

// control is an operator's act.
func (p *player) control(c, expect map[string]any) ([]string, error) {
	p.s.Clock.Advance(time.Microsecond) // a user who is put back is not the one that was
	ctx, svc := p.t.Context(), p.s.Users()
	name, _ := c["username"].(string)
	u, err := p.s.Store.UserByUsername(ctx, name)
	if c["op"] == "ensure_user" {
		if err == nil {
			if err := svc.Remove(ctx, u.ID); err != nil {
				return nil, err
			}
		}
		password := c["password"].(string)
		addFixtureUser(p.t, p.s, fixtureUser{
			ID: int64(c["id"].(float64)), Username: name, Password: &password, Active: c["is_active"].(bool),
		})
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	switch c["op"] {
	case "set_active":
		if c["value"] == true {
			return nil, svc.Enable(ctx, u.ID)
		}
		return nil, svc.Disable(ctx, u.ID)
	case "set_password":
		return nil, svc.SetPassword(ctx, u.ID, storage.Secret(c["password"].(string)))
	case "delete_user":
		return nil, svc.Remove(ctx, u.ID)
	case "get_user":
		if last, ok := expect["last_login"]; ok && (last == nil) != u.LastLogin.IsZero() {
			return []string{fmt.Sprintf("last login %v, want %v", u.LastLogin, last)}, nil
		}
		return nil, nil
	}
	return nil, fmt.Errorf("unknown act %v", c["op"])
}

// mint makes a token that the server never issued.
func (p *player) mint(m *mintStep) error {
	algorithm := m.Algorithm
	if algorithm == "" {
		algorithm = "HS256"
	}
	header := []byte(`{"alg":"` + algorithm + `","typ":"JWT"}`)
	if m.Header != nil {
		header = m.Header
	}
	if m.RawHeader != nil {
		header = []byte(*m.RawHeader)
	}
	claims, err := p.claims(m.Claims)
	if err != nil {
		return err
	}
	if m.RawPayload != nil {
		claims = []byte(strings.ReplaceAll(*m.RawPayload, "$JTI", randomHex()))
	}
	key := p.rec.Fixtures.Key.Reveal()
	if m.Key.Literal != nil {
		key = *m.Key.Literal
	}
	input := segment(header) + "." + segment(claims)
	p.vars[m.Var] = input + "." + segment(sign(algorithm, key, input))
	return nil
}

// claims gives the claims of a mint step in their order, relative ones filled in.
func (p *player) claims(spec json.RawMessage) ([]byte, error) {
	members := parseMembers(spec)
	for i, m := range members {
		special, ok := m.value.(map[string]any)
		if !ok || len(special) != 1 {
			continue
		}
		for kind, arg := range special {
			v, err := p.special(kind, arg)
			if err != nil {
				return nil, err
			}
			if v != nil {
				members[i].raw, _ = json.Marshal(v)
			}
		}
	}
	return members.json(), nil
}

func (p *player) special(kind string, arg any) (any, error) {
	now := p.s.Clock.Now()
	offset, _ := arg.(float64)
	switch kind {
	case "$now":
		return now.Unix() + int64(offset), nil
	case "$nowf":
		return json.Number(strconv.FormatFloat(float64(now.UnixMicro())/1e6+offset+0.000001, 'f', 6, 64)), nil
	case "$now_str":
		return strconv.FormatInt(now.Unix()+int64(offset), 10), nil
	case "$jti":
		return randomHex(), nil
	case "$jti_like":
		return arg.(string) + randomHex(), nil
	case "$jti_list":
		return []string{randomHex()}, nil
	case "$rand":
		return time.Now().UnixNano() % int64(offset), nil
	case "$var":
		return p.lookup(arg.(string))
	}
	return nil, nil
}

func randomHex() string {
	id := storage.NewID(time.Now())
	return strings.ReplaceAll(id.String(), "-", "")
}

func segment(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func sign(algorithm, key, input string) []byte {
	newHash := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}[algorithm]
	if newHash == nil {
		return nil
	}
	mac := hmac.New(newHash, []byte(key))
	io.WriteString(mac, input)
	return mac.Sum(nil)
}

// edit damages a token.
func (p *player) edit(e *editStep) error {
	token, err := p.fill(e.From)
	if err != nil {
		return err
	}
	parts := strings.Split(token, ".")
	sig := parts[2]
	other := func(c byte) string {
		if c == 'A' {
			return "B"
		}
		return "A"
	}
	switch e.Op {
	case "sig_flip_first":
		parts[2] = other(sig[0]) + sig[1:]
	case "sig_flip_mid":
		parts[2] = sig[:20] + other(sig[20]) + sig[21:]
	case "sig_last_bits":
		const abc = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		parts[2] = sig[:len(sig)-1] + string(abc[strings.IndexByte(abc, sig[len(sig)-1])^1])
	case "sig_insert":
		parts[2] = sig[:10] + e.Text + sig[10:]
	case "sig_append":
		parts[2] = sig + e.Text
	case "sig_empty":
		parts[2] = ""
	case "sig_short":
		parts[2] = sig[:len(sig)-2]
	case "payload_set":
		parts[1], err = p.override(parts[1], e.Claims)
	case "header_set":
		parts[0], err = p.override(parts[0], e.Header)
	case "two_segments":
		parts = parts[:2]
	case "four_segments":
		parts = append(parts, "x")
	case "upper":
		parts = []string{strings.ToUpper(token)}
	case "pad":
		parts[1] += "="
	case "reverse":
		b := []byte(token)
		for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
		parts = []string{string(b)}
	default:
		return fmt.Errorf("unknown edit %s", e.Op)
	}
	p.vars[e.Var] = strings.Join(parts, ".")
	return err
}

func (p *player) override(part string, with json.RawMessage) (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return "", err
	}
	added, err := p.claims(with)
	if err != nil {
		return "", err
	}
	members := parseMembers(text)
	for _, m := range parseMembers(added) {
		members = members.set(m)
	}
	return segment(members.json()), nil
}
