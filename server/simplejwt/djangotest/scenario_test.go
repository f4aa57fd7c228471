package djangotest

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// scenario is a few steps that belong together, played on both servers.
type scenario struct {
	// category is the rule of the grammar that made it.
	category string
	// note says what is odd about it.
	note  string
	steps []step
}

// step is one of: a request, a token made by hand, a token spoilt.
type step struct {
	request *request
	// capture keeps the tokens of the answer under their names, with this before them.
	capture string

	mint *minted
	// spoil makes the token `into` out of the token `from`.
	spoil      *damage
	from, into string
}

// login is the step that most scenarios begin with; the tokens are refresh and access.
func login(u account) step {
	return step{request: post(obtainPath, fmt.Sprintf(`{"username": %s, "password": %s}`, quoted(u.Username), quoted(u.Password)))}
}

// party is one of the two servers, as the player sees it.
type party struct {
	name, address string
	tokens        map[string]string
}

// exchange is one request and its two answers.
type exchange struct {
	scenario *scenario
	profile  string
	index    int // of the scenario
	step     int
	sent     *request // as sent to Latchkey
	django   *reply
	latchkey *reply
}

// play plays a scenario on both servers at once, step by step.
func play(s *scenario, django, latchkey *party) (all []*exchange, err error) {
	for _, p := range []*party{django, latchkey} {
		p.tokens = map[string]string{}
	}
	for i, st := range s.steps {
		switch {
		case st.mint != nil:
			text := st.mint.token(time.Now())
			django.tokens[st.into], latchkey.tokens[st.into] = text, text
		case st.spoil != nil:
			for _, p := range []*party{django, latchkey} {
				from, ok := p.tokens[st.from]
				if !ok {
					return all, fmt.Errorf("%s gave no token %q", p.name, st.from)
				}
				p.tokens[st.into] = st.spoil.spoil(from)
			}
		default:
			x := &exchange{scenario: s, step: i}
			if _, x.django, err = django.ask(st); err != nil {
				return all, err
			}
			if x.sent, x.latchkey, err = latchkey.ask(st); err != nil {
				return all, err
			}
			all = append(all, x)
		}
	}
	return all, nil
}

// ask sends a request with the party's own tokens in it, and keeps those of the answer.
func (p *party) ask(st step) (*request, *reply, error) {
	filled := *st.request
	filled.header = slices.Clone(st.request.header)
	var err error
	fill := func(text string) string {
		filled, problem := p.fill(text)
		if problem != nil {
			err = problem
		}
		return filled
	}
	filled.target = fill(filled.target)
	for i := range filled.header {
		filled.header[i].value = fill(filled.header[i].value)
	}
	if filled.body != nil {
		body := fill(*filled.body)
		filled.body = &body
	}
	if err != nil {
		return nil, nil, err
	}
	r, err := send(p.address, &filled)
	// On a busy machine either may ask to be tried again: a queue is full, a database is locked. That is no answer to compare.
	for begun := time.Now(); err == nil && r.status == http.StatusServiceUnavailable && time.Since(begun) < patience; time.Sleep(100 * time.Millisecond) {
		r, err = send(p.address, &filled)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %s %s: %w", p.name, filled.method, filled.target, err)
	}
	maps.Copy(p.tokens, prefixed(st.capture, tokensIn(r.body)))
	return &filled, r, nil
}

var placeholder = regexp.MustCompile(`\{\{([a-z0-9]+)\}\}`)

// fill puts the party's tokens in the place of {{name}}.
func (p *party) fill(text string) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	var err error
	filled := placeholder.ReplaceAllStringFunc(text, func(s string) string {
		name := s[2 : len(s)-2]
		value, ok := p.tokens[name]
		if !ok {
			err = fmt.Errorf("%s gave no token %q", p.name, name)
		}
		return value
	})
	return filled, err
}

func prefixed(prefix string, tokens map[string]string) map[string]string {
	all := map[string]string{}
	for name, text := range tokens {
		all[prefix+name] = text
	}
	return all
}
