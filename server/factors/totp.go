package factors

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"latchkey/server/internal/qr"
	"latchkey/storage"
)

// enrolmentTTL is how long a page with which a factor is added or proved may be open.
const enrolmentTTL = 30 * time.Minute

// Enrolment is an application that is about to be added.
type Enrolment struct {
	// Secret is the secret for those who type it, in groups of four.
	Secret string
	// Address is the otpauth URI, QR its QR code as the path of an SVG image of Size × Size.
	Address, QR string
	Size        int
	// State is what AddTOTP needs, sealed.
	State string
}

// enrolment is the content of Enrolment.State.
type enrolment struct {
	User   int64  `json:"u"`
	Secret []byte `json:"s"`
	At     int64  `json:"t"` // microseconds
}

const sealEnrolment = "enrolment"

// NewTOTP draws the secret of an application for a user.
func (s *Service) NewTOTP(u *storage.User) (*Enrolment, error) {
	secret := make([]byte, 20) // the length of the hash: RFC 4226 §4 R6
	rand.Read(secret)
	return s.enrol(u, enrolment{User: u.ID, Secret: secret, At: s.now().UnixMicro()})
}

func (s *Service) enrol(u *storage.User, e enrolment) (*Enrolment, error) {
	state, err := s.sealer.SealJSON(sealEnrolment, e)
	if err != nil {
		return nil, fmt.Errorf("seal an enrolment: %w", err)
	}
	text := encoded(e.Secret)
	// Google's key URI format, which all applications read. A colon ends the issuer.
	label := url.PathEscape(s.host + ":" + strings.ReplaceAll(u.Username, ":", " "))
	address := "otpauth://totp/" + label + "?" + strings.ReplaceAll(url.Values{
		"secret": {text}, "issuer": {s.host}, "algorithm": {"SHA1"}, "digits": {strconv.Itoa(digits)}, "period": {strconv.Itoa(period)},
	}.Encode(), "+", "%20")
	picture, size, err := qr.Path(address)
	if err != nil {
		return nil, err
	}
	var groups []string
	for i := 0; i < len(text); i += 4 {
		groups = append(groups, text[i:min(i+4, len(text))])
	}
	return &Enrolment{Secret: strings.Join(groups, " "), Address: address, QR: picture, Size: size, State: state}, nil
}

// Again returns the enrolment of a state once more, after a wrong code. The error is ErrExpired.
func (s *Service) Again(u *storage.User, state string) (*Enrolment, error) {
	e, err := s.openEnrolment(u, state)
	if err != nil {
		return nil, err
	}
	return s.enrol(u, e)
}

func (s *Service) openEnrolment(u *storage.User, state string) (e enrolment, err error) {
	if s.sealer.OpenJSON(sealEnrolment, state, &e) != nil || e.User != u.ID || !s.fresh(e.At) {
		return e, ErrExpired
	}
	return e, nil
}

// fresh reports whether a page of that time is not too old.
func (s *Service) fresh(at int64) bool {
	age := s.now().Sub(time.UnixMicro(at))
	return age < enrolmentTTL && age > -time.Minute
}

// AddTOTP adds the application of an enrolment if the code is one that it shows. The first second factor of a user comes with recovery codes.
// The error is ErrWrong, ErrExpired, ErrTooMany or an outage.
func (s *Service) AddTOTP(ctx context.Context, set *Set, state, code, label string) (codes []string, err error) {
	e, err := s.openEnrolment(set.User, state)
	if err != nil {
		return nil, err
	}
	step, ok := s.step(e.Secret, normalCode(code))
	if !ok {
		return nil, ErrWrong
	}
	f := s.newFactor(set.User, storage.FactorTOTP, name(label, "TOTP"))
	// The code that has confirmed it is used up. A state that is sent twice finds the secret's lookup taken.
	f.Data, f.Counter, f.Lookup = s.sealer.Seal(nil, sealedFor(f.UserID), e.Secret), step, s.mac(0, "secret", f.UserID, string(e.Secret))
	return s.add(ctx, set, f, maxTOTP)
}
