package mail

import (
	"net/mail"
	"time"

	"latchkey/storage"
)

// Name is a letter's template.
type Name string

// The letters.
const (
	Reset           Name = "reset"            // a link to choose a new password
	FirstPassword   Name = "first_password"   // a link to choose a password where there is none
	PasswordChanged Name = "password_changed" // a password was changed by a link
	Verify          Name = "verify"           // a link and a code that prove an address
	AddressChanging Name = "address_changing" // to the old address: another one is to be proved
	AddressChanged  Name = "address_changed"  // to the old address: another one is the user's now
	SignUp          Name = "sign_up"          // a link and a code to go on with a sign-up
	HasAccount      Name = "has_account"      // somebody wanted to sign up with an address that has an account
	Invitation      Name = "invitation"       // a link from the operator
	AccountRemoved  Name = "account_removed"  // the user has removed the account
	PasswordSet     Name = "password_set"     // the user or an operator has changed the password
	PasswordAdded   Name = "password_added"   // the user, who had none, has chosen a password
	PasswordRemoved Name = "password_removed" // an operator has taken the password away
	FactorAdded     Name = "factor_added"     // the user has added a second factor
	FactorRemoved   Name = "factor_removed"   // the user or an operator has removed one
	FactorsReset    Name = "factors_reset"    // an operator has removed all of them
	RecoveryCodes   Name = "recovery_codes"   // the user has got new recovery codes
)

// Names returns all letters.
func Names() []Name {
	return []Name{
		Reset, FirstPassword, PasswordChanged, Verify, AddressChanging, AddressChanged, SignUp, HasAccount, Invitation, AccountRemoved,
		PasswordSet, PasswordAdded, PasswordRemoved, FactorAdded, FactorRemoved, FactorsReset, RecoveryCodes,
	}
}

// Letter is what is to be written.
type Letter struct {
	Name Name   `json:"name"`
	To   string `json:"to"`
	// Lang are the wanted languages, as in Accept-Language.
	Lang     string `json:"lang,omitempty"`
	Username string `json:"username,omitempty"`
	// UserID is the account that it is about, 0 if there is none.
	UserID int64 `json:"user_id,omitempty"`
	// RequestID is that of the account tokens that it brings; zero where nothing is found by it.
	RequestID storage.ID `json:"request_id,omitzero"`
	// Link and Code prove possession of the mailbox until Until.
	Link  string    `json:"link,omitempty"`
	Code  string    `json:"code,omitempty"`
	Until time.Time `json:"until,omitzero"`
	Facts
}

// Facts are what a notice says of the change that it is about. None of it is secret.
type Facts struct {
	// At is when it was made; ByOperator: it was an operator, not the user.
	At         time.Time `json:"at,omitzero"`
	ByOperator bool      `json:"by_operator,omitempty"`
	// Passkey means that the factor is a passkey or a security key, not an application that shows codes.
	Passkey bool `json:"passkey,omitempty"`
}

// Post is a letter as it is sent.
type Post struct {
	// ID is unique, without the brackets of a Message-ID.
	ID            string
	From          mail.Address
	To            string
	Lang          string
	Subject, Text string
	HTML          string
	At            time.Time
}
