package admin_test

import (
	"io"
	"net/http"
	"strings"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
)

func auditFilter(action string) storage.AuditFilter {
	return storage.AuditFilter{Action: action, Limit: 1}
}

func configured(where string) servertest.Option {
	return servertest.Configure(func(c *server.Config) { c.AdminAPI = where })
}

func configuredBy(registration string) servertest.Option {
	return servertest.Configure(func(c *server.Config) { c.Registration = registration })
}

func bodyOf(text string) servertest.Edit {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	}
}
