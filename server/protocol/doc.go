// Package protocol has the errors of OAuth 2.0 and OpenID Connect that the services return and the routes render.
package protocol
