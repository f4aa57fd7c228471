package config

import (
	netmail "net/mail"

	"latchkey/server/mail"
	"latchkey/server/selfhelp"
)

// setMailbox accepts an address with a name or without.
func setMailbox(into *string, text string) error {
	if a, err := netmail.ParseAddress(text); err != nil || !mail.IsAddress(a.Address) {
		return &invalid{"is not an address", "Write it like \"Example <no-reply@example.com>\"."}
	}
	*into = text
	return nil
}

// WantsMail reports whether a mail server is configured, even by a faulty URL.
func (s *Settings) WantsMail() bool { return s.smtpURL != "" }

// validateMail makes the transport of letters.
func (s *Settings) validateMail(fault func(name, problem, remedy string)) {
	if s.Server.SignUp == selfhelp.SignUpOpen && s.smtpURL == "" {
		fault("sign-up", "is open, and nothing can be sent to prove an address", "Set --smtp-url (LATCHKEY_SMTP_URL), or use invite.")
	}
	if s.Server.SignUp != selfhelp.SignUpOff && s.Server.SignUp != "" && s.UsersFrom == "django" {
		fault("sign-up", "has no effect with --users-from django: accounts are made in Django", "Leave it out.")
	}
	switch {
	case s.smtpURL == "" && s.smtpPassword != "":
		fault("smtp-password", "has no effect without --smtp-url", "Set --smtp-url (LATCHKEY_SMTP_URL), or leave it out.")
		return
	case s.smtpURL == "":
		return
	case s.Server.Mail.From == "":
		fault("mail-from", "is missing: --smtp-url is set", "Set the sender, like \"Example <no-reply@example.com>\".")
	}
	transport, err := mail.ParseSMTP(s.smtpURL.Reveal(), s.smtpPassword)
	if err != nil {
		fault("smtp-url", err.Error(), "Write it like smtp://latchkey@mail.example.com:587 or smtps://latchkey@mail.example.com:465, with the password in LATCHKEY_SMTP_PASSWORD_FILE.")
		return
	}
	s.SMTP, s.Server.Mail.Transport = transport, transport
}
