package admin_test

import (
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
