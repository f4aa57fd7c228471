package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"latchkey/clients/colour"
	"latchkey/server/web/look"
)

// brand is the content of brand.json.
type brand struct {
	ProductName string `json:"product_name"`
	// Language is used if a browser asks for none of the available languages. The default is en.
	Language string `json:"language"`
	// Accent are the colours of buttons and links, as #rrggbb.
	Accent struct {
		Light string `json:"light"`
		Dark  string `json:"dark"`
	} `json:"accent"`
	// Logo is the name of a file in the folder static. It is shown instead of the product name.
	Logo string `json:"logo"`
	// TermsURL, PrivacyURL and Support are links below each page. Support without a URL is a text.
	TermsURL   string `json:"terms_url"`
	PrivacyURL string `json:"privacy_url"`
	Support    struct {
		URL  string `json:"url"`
		Text string `json:"text"`
	} `json:"support"`
}

// readBrand parses brand.json. The brand it returns is usable even if there is an error.
func readBrand(data []byte) (*brand, error) {
	b := &brand{ProductName: "Latchkey", Language: "en"}
	if data == nil {
		return b, nil
	}
	var faults []error
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(b); err != nil {
		return b, err
	}
	if _, err := dec.Token(); err != io.EOF {
		faults = append(faults, errors.New("must be a single JSON object"))
	}
	return b, errors.Join(append(faults, b.faults()...)...)
}

// faults returns what is wrong with the values of brand.json.
func (b *brand) faults() (faults []error) {
	fault := func(name string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	fault("product_name", checkName(b.ProductName))
	if b.Accent.Light != "" {
		fault("accent.light", colour.Light().Check(b.Accent.Light))
	}
	if b.Accent.Dark != "" {
		fault("accent.dark", colour.Dark().Check(b.Accent.Dark))
	}
	fault("terms_url", checkLink(b.TermsURL))
	fault("privacy_url", checkLink(b.PrivacyURL))
	if !isSupport(b.Support.URL) {
		fault("support.url", errors.New("must be an http, https or mailto URL"))
	}
	return faults
}

// checkName returns what is wrong with a name that pages show; nil if nothing is.
func checkName(name string) error {
	if name == "" || clean(name, maxName) != name {
		return fmt.Errorf("must be one line of 1 to %d visible characters", maxName)
	}
	return nil
}

func checkLink(link string) error {
	if link != "" && webLink(link) == "" {
		return errors.New("must be an http or https URL")
	}
	return nil
}

func isSupport(link string) bool {
	u, err := url.Parse(link)
	return link == "" || err == nil && (u.Scheme == "mailto" || webLink(link) != "")
}

// override replaces what the options set.
func (b *brand) override(l look.Service) {
	for _, o := range []struct {
		into *string
		text string
	}{
		{&b.ProductName, l.Name},
		{&b.Accent.Light, l.Accent},
		{&b.Accent.Dark, l.AccentDark},
		{&b.TermsURL, l.TermsURL},
		{&b.PrivacyURL, l.PrivacyURL},
		{&b.Support.URL, l.SupportURL},
	} {
		if o.text != "" {
			*o.into = o.text
		}
	}
}
