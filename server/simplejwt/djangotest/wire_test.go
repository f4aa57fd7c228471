package djangotest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// field is a header field as it goes over the wire.
type field struct{ name, value string }

// request is what is sent, to the byte: no library adds or mends anything.
type request struct {
	method, target string
	header         []field
	// body is nil for none, which has no Content-Length either.
	body *string
}

func (r *request) text(host string) []byte {
	var b bytes.Buffer
	b.WriteString(r.method + " " + r.target + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n")
	for _, f := range r.header {
		b.WriteString(f.name + ": " + f.value + "\r\n")
	}
	if r.body != nil {
		b.WriteString("Content-Length: " + itoa(len(*r.body)) + "\r\n\r\n" + *r.body)
	} else {
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

// reply is what came back, and when.
type reply struct {
	status       int
	header       http.Header
	body         []byte
	began, ended time.Time
}

// get gives a header's value, several joined; ok is false when there is none.
func (r *reply) get(name string) (value string, ok bool) {
	values := r.header.Values(name)
	return strings.Join(values, ", "), len(values) > 0
}

// send makes one request on a connection of its own.
func send(address string, r *request) (*reply, error) {
	began := time.Now()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(began.Add(patience)); err != nil {
		return nil, err
	}
	// A server may answer and close before it has read everything: the answer counts.
	_, sent := conn.Write(r.text(address))
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.method})
	if err != nil {
		if sent != nil {
			return nil, sent
		}
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	return &reply{answer.StatusCode, answer.Header, body, began, time.Now()}, nil
}

// post makes a request with a JSON body.
func post(target, body string, header ...field) *request {
	return &request{"POST", target, append([]field{{"Content-Type", "application/json"}}, header...), &body}
}
