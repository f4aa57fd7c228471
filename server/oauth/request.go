package oauth

import (
	"errors"
	"net/http"
	"net/url"

	"latchkey/server/clientauth"
	"latchkey/server/dpop"
	"latchkey/server/internal/form"
	"latchkey/server/protocol"
)

// readRequest reads the form of a request that a client authenticates, and its credentials.
func readRequest(r *http.Request) (url.Values, clientauth.Credentials, error) {
	f, err := readForm(r)
	if err != nil {
		return nil, clientauth.Credentials{}, err
	}
	cred, err := clientauth.FromRequest(r.Header, f)
	return f, cred, err
}

// proofOf returns the DPoP proof of a request to one of the endpoints, if it has one, and offers the nonce for the next (RFC 9449 §8.2). The
// URL is the one that clients know: behind a proxy the request shows another.
func (h *Handlers) proofOf(w http.ResponseWriter, r *http.Request, path string) dpop.Presented {
	p := dpop.Presented{Headers: r.Header.Values("DPoP"), Method: r.Method, URL: h.cfg.Issuer + path}
	if !p.None() {
		w.Header().Set("DPoP-Nonce", h.cfg.Proofs.Nonce())
	}
	return p
}

// readForm reads the parameters from the body. Those in the query do not count: RFC 6749 §2.3.1 forbids credentials
// there, and queries end up in logs.
func readForm(r *http.Request) (url.Values, error) {
	body, err := form.Body(r)
	if err != nil {
		return nil, badForm(err)
	}
	return parseForm(body)
}

// repeatable is the parameter that a request may hold more than once: RFC 8707 §2.
const repeatable = "resource"

// parseForm reads application/x-www-form-urlencoded as the RFCs restrict it. Parameters without a value are left out: RFC 6749 §3.2.
func parseForm(body string) (url.Values, error) {
	sent, err := form.Parse(body)
	if err != nil {
		return nil, badForm(err)
	}
	f := url.Values{}
	for name, values := range sent {
		// RFC 6749 §3.2: parameters must not be included more than once. A server behind us may take the other one.
		if len(values) > 1 && name != repeatable {
			return nil, protocol.InvalidRequest("A parameter must not be repeated.")
		}
		for _, value := range values {
			if value != "" {
				f.Add(name, value)
			}
		}
	}
	return f, nil
}

// badForm returns the protocol's error for what is not a form. Errors of reading the body are returned as they are.
func badForm(err error) error {
	var bad form.Error
	if errors.As(err, &bad) {
		return protocol.InvalidRequest("%s", string(bad))
	}
	return err
}
