package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Problem is a refusal (RFC 9457).
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	// Detail is for people.
	Detail string `json:"detail"`
	// Type is urn:latchkey:problem: and a word, for problems that programs may want to tell apart; see Kind.
	Type   string          `json:"type"`
	Errors []ProblemDetail `json:"errors"`
	// RetryAfter is how long to wait before another attempt; 0 if the server does not say.
	RetryAfter time.Duration `json:"-"`
}

// ProblemDetail is what is wrong with one value.
type ProblemDetail struct {
	// Location is where the value is, such as body.username.
	Location string `json:"location"`
	Message  string `json:"message"`
	Value    any    `json:"value"`
}

func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, d := range p.Errors {
		if d.Location != "" && !strings.Contains(text, d.Message) {
			text += fmt.Sprintf(" %s: %s.", d.Location, d.Message)
		}
	}
	return fmt.Sprintf("the server answered %d: %s", p.Status, text)
}

// Kind returns the word at the end of the type, such as confirm or exists; empty if there is none.
func (p *Problem) Kind() string {
	word, ok := strings.CutPrefix(p.Type, "urn:latchkey:problem:")
	if !ok {
		return ""
	}
	return word
}

// Sessions returns how many sessions a call would end that was refused because that was not confirmed; 0 for other problems.
func (p *Problem) Sessions() int {
	if p.Kind() != "confirm" {
		return 0
	}
	for _, d := range p.Errors {
		if n, ok := d.Value.(float64); ok {
			return int(n)
		}
	}
	return 0
}

// problemOf returns the problem of an answer. An answer of something else between here and the server has a status only.
func problemOf(answer *http.Response, body []byte) *Problem {
	p := &Problem{}
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json") || json.Unmarshal(body, p) != nil {
		p = &Problem{Detail: "This is not an answer of the API for operators. It is on the admin listener (port 8001 by default), and at the issuer with --admin-api public."}
	}
	p.Status = answer.StatusCode
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}
