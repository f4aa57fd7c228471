package main

import (
	"context"

	djangoblacklist "latchkey/storage/blacklist"
)

// djangoBlacklist opens Django's blacklist, without connecting.
func (a *app) djangoBlacklist() (*djangoblacklist.Blacklist, error) {
	url, err := a.djangoURL()
	if err != nil {
		return nil, err
	}
	b, err := djangoblacklist.Open(url)
	if err != nil { // the driver's message may quote the URL, and with it the password
		return nil, unreadableURL("--django-database-url (LATCHKEY_DJANGO_DATABASE_URL)")
	}
	return b, nil
}

// blacklist checks that Django's blacklist can be written, if it is to be.
func (e *examination) blacklist(ctx context.Context) {
	const check = "blacklist"
	if !e.app.settings.BlacklistWriteback {
		return
	}
	b, err := e.app.djangoBlacklist()
	if err == nil {
		defer b.Close()
		err = b.Check(ctx)
	}
	if err != nil {
		e.wrong(check, oneLine(err), "Install rest_framework_simplejwt.token_blacklist in Django and migrate, let the role SELECT and INSERT on its tables, "+
			"or turn --simplejwt-blacklist-writeback (LATCHKEY_SIMPLEJWT_BLACKLIST_WRITEBACK) off.")
		return
	}
	e.fine(check, "sessions that end here can be ended in Django")
}
