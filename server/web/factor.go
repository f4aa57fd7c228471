package web

import (
	"time"

	"latchkey/server/web/outcome"
)

// SecondFactor is the page that asks for a second factor after the password. The form has the fields code and remember.
type SecondFactor struct {
	Action   string
	Hidden   []Field
	Username string
	// Code means that the user has an application or recovery codes.
	Code bool
	// Passkey is nil if the user has none.
	Passkey *Passkey
	// RememberTTL is how long "don't ask again in this browser" lasts.
	RememberTTL time.Duration
	// Problem and RetryAfter are as in Login.
	Problem    outcome.Problem
	RetryAfter time.Duration
	Way
}

// Enrol is the page on which users add their first second factor, before a login that needs one goes on.
type Enrol struct {
	Username string
	TOTP     *TOTP
	Passkey  *Passkey
	Problem  outcome.Problem
	Way
}

// RecoveryCodes is the page that shows recovery codes, once.
type RecoveryCodes struct {
	Codes []string
	// Continue is where the user goes on.
	Continue string
	Way
}

// Security is the page where users manage their second factors.
type Security struct {
	Username string
	// Action is the address that forms are sent to.
	Action string
	// Factors are the applications and passkeys, Browsers those that are remembered.
	Factors, Browsers []FactorInfo
	// Recovery is how many recovery codes are left.
	Recovery int
	// TOTP and Passkey add one; Passkey is nil where there can be none.
	TOTP    *TOTP
	Passkey *Passkey
	Notice  outcome.Notice
	Problem outcome.Problem
}

// FactorInfo is a factor of a user.
type FactorInfo struct {
	ID, Name string
	// Passkey means that it is a passkey or a security key, Synced that its key is copied between devices.
	Passkey, Synced bool
	Since           time.Time
	LastUsed        time.Time // zero = never
	Until           time.Time // zero = no end
}

func (SecondFactor) page() string  { return "second_factor" }
func (Enrol) page() string         { return "enrol" }
func (RecoveryCodes) page() string { return "recovery_codes" }
func (Security) page() string      { return "security" }

func (v SecondFactor) asks() demands {
	return demands{Way: v.Way, script: v.Passkey != nil, retryAfter: v.RetryAfter}
}
func (v Enrol) asks() demands    { return demands{Way: v.Way, script: v.Passkey != nil} }
func (v Security) asks() demands { return demands{script: v.Passkey != nil} }

func (v SecondFactor) cleaned() View {
	v.Username = clean(v.Username, maxUsername)
	return v
}

func (v Enrol) cleaned() View {
	v.Username = clean(v.Username, maxUsername)
	return v
}

func (v RecoveryCodes) cleaned() View { return v }

func (v Security) cleaned() View {
	v.Username = clean(v.Username, maxUsername)
	v.Factors, v.Browsers = cleanFactors(v.Factors, maxName), cleanFactors(v.Browsers, maxAgent)
	return v
}

func cleanFactors(list []FactorInfo, max int) []FactorInfo {
	return each(list, func(f *FactorInfo) { f.Name = clean(f.Name, max) })
}

// factorSamples returns views of the pages of second factors, full and empty.
func factorSamples(now time.Time) []View {
	fields := []Field{{Name: "a", Value: "b"}}
	passkey := &Passkey{Hidden: fields, Options: "{}", Create: true}
	totp := &TOTP{Hidden: fields, Secret: "ABCD", Address: "otpauth://totp/x", QR: "M0 0h1v1h-1z", Size: 9}
	return []View{
		SecondFactor{Hidden: fields, Username: "u", Code: true, Passkey: &Passkey{Options: "{}"}, RememberTTL: time.Hour, Problem: outcome.Throttled, RetryAfter: time.Minute},
		SecondFactor{},
		Enrol{Username: "u", TOTP: totp, Passkey: passkey, Problem: outcome.WrongCode},
		Enrol{TOTP: totp},
		RecoveryCodes{Codes: []string{"AAAAA-BBBBB"}, Continue: "/account"},
		Security{
			Username: "u", TOTP: totp, Passkey: passkey, Recovery: 3, Notice: outcome.FactorAdded, Problem: outcome.FactorLimit,
			Factors:  []FactorInfo{{ID: "1", Name: "Phone", Since: now}, {ID: "2", Name: "Key", Passkey: true, Synced: true, Since: now, LastUsed: now}},
			Browsers: []FactorInfo{{ID: "3", Name: "x", Since: now, Until: now}},
		},
		Security{TOTP: totp},
	}
}
